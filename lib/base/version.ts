// SPDX-License-Identifier: MIT
/** Which xsnd this is; deno.json says the same. */
export const VERSION = "0.1.0";
