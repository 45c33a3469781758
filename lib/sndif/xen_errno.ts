// SPDX-License-Identifier: MIT
/**
 * The errors of responses (`XEN_E*`, xen/errno.h): a status is zero, or the negative of one of these. The numbers are Linux's
 * errno on every architecture, and `snd_xen_front` passes them to user space as they are.
 */

/** Operation not permitted. */
export const XEN_EPERM = 1;
/** No such thing. */
export const XEN_ENOENT = 2;
/** Input or output error. */
export const XEN_EIO = 5;
/** No such device or address. */
export const XEN_ENXIO = 6;
/** Try again. */
export const XEN_EAGAIN = 11;
/** Out of memory. */
export const XEN_ENOMEM = 12;
/** Permission denied. */
export const XEN_EACCES = 13;
/** Bad address. */
export const XEN_EFAULT = 14;
/** Device busy. */
export const XEN_EBUSY = 16;
/** Already there. */
export const XEN_EEXIST = 17;
/** No such device. */
export const XEN_ENODEV = 19;
/** Invalid argument. */
export const XEN_EINVAL = 22;
/** No space left. */
export const XEN_ENOSPC = 28;
/** Not implemented. */
export const XEN_ENOSYS = 38;
/** Illegal sequence of octets. */
export const XEN_EILSEQ = 84;
/** Operation not supported. */
export const XEN_EOPNOTSUPP = 95;
/** Timed out. */
export const XEN_ETIMEDOUT = 110;
