// SPDX-License-Identifier: MIT
/** Names of the environment variables by which a process finds its Xen and its daemon. */

/** Directory of the embedded Xen to use. Without this variable a process uses the host's Xen. */
export const SANDBOX_VARIABLE = "XSND_SANDBOX";
/** Number of the domain to act as, in the embedded Xen. */
export const DOMID_VARIABLE = "XSND_DOMID";
/** Path of the daemon's control socket. */
export const CONTROL_VARIABLE = "XSND_CONTROL";
