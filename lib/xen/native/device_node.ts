// SPDX-License-Identifier: MIT
/** Opens Xen's device files, with an error message that tells the remedy. */
import { Errno } from "../../../ffi/libc/failed_call.ts";
import { Exit, XsndError } from "../../base/error.ts";

/** Runs `open`, which opens /dev/xen/`name`, a file of the kernel module `module`. Throws {@link XsndError}. */
export function openDevice<T>(name: string, module: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    if (!(cause instanceof Errno)) throw cause;
    const failure = `cannot open /dev/xen/${name}: ${cause.code}`;
    switch (cause.code) {
      case "EACCES":
      case "EPERM":
        throw new XsndError(`${failure}; run as root`, Exit.permission, { cause });
      case "ENOENT":
      case "ENODEV":
      case "ENXIO":
        throw new XsndError(
          `${failure}; in a Xen domain, \`modprobe ${module}\` (a module of Debian's linux-image packages) makes it`,
          Exit.xenOrLibraryMissing,
          { cause },
        );
      default:
        throw new XsndError(failure, Exit.failed, { cause });
    }
  }
}
