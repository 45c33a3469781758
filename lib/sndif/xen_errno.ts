// SPDX-License-Identifier: MIT
/**
 * Status codes of responses: zero, or the negative of one of these (`XEN_E*`, xen/errno.h). They are Linux's errno
 * numbers on every architecture, and `snd_xen_front` passes them raw to user space.
 */
export const XEN_EPERM = 1;
export const XEN_ENOENT = 2;
export const XEN_EIO = 5;
export const XEN_ENXIO = 6;
export const XEN_EAGAIN = 11;
export const XEN_ENOMEM = 12;
export const XEN_EACCES = 13;
export const XEN_EFAULT = 14;
export const XEN_EBUSY = 16;
export const XEN_EEXIST = 17;
export const XEN_ENODEV = 19;
export const XEN_EINVAL = 22;
export const XEN_ENOSPC = 28;
export const XEN_ENOSYS = 38;
export const XEN_EILSEQ = 84;
export const XEN_EOPNOTSUPP = 95;
export const XEN_ETIMEDOUT = 110;
