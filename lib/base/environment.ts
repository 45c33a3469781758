// SPDX-License-Identifier: MIT
/** Names of the environment variables by which a process finds its Xen and its daemon. `xsnd sandbox` sets all three. */

/** The directory of the embedded Xen that a process runs in. Without this variable a process uses the real Xen. */
export const SANDBOX_VARIABLE = "XSND_SANDBOX";
/** The number of the domain of the embedded Xen as which a process acts. */
export const DOMID_VARIABLE = "XSND_DOMID";
/** The path of the daemon's control socket. */
export const CONTROL_VARIABLE = "XSND_CONTROL";
