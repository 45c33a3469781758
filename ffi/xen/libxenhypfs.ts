// SPDX-License-Identifier: MIT
/** libxenhypfs, Xen's own file system of parameters: the functions of `xenhypfs.h` that xsnd uses. */
import { cString, textAt } from "../base/c_string.ts";
import { lazyLibrary } from "../base/library.ts";
import { clearErrno, Errno, errno } from "../libc/failed_call.ts";
import { libc } from "../libc/libc.ts";
import { silentLogger } from "./silent_logger.ts";

/** The symbol table; `fshdl` is a `xenhypfs_handle *`. */
// deno-fmt-ignore
export const libxenhypfsSymbols = {
  xenhypfs_open: { parameters: ["buffer", "u32"], result: "pointer" }, // logger, open_flags
  xenhypfs_close: { parameters: ["pointer"], result: "i32" }, // fshdl
  xenhypfs_read: { parameters: ["pointer", "buffer"], result: "pointer" }, // fshdl, path
} as const satisfies Deno.ForeignLibraryInterface;

/** libxenhypfs's functions. The first call loads the library. */
export const libxenhypfs = lazyLibrary(
  { soname: "libxenhypfs.so.1", debianPackage: "libxenhypfs1", variable: "XSND_LIBXENHYPFS" },
  libxenhypfsSymbols,
);

/** The text of a parameter, as `xenhypfs cat` prints it: `/params/gnttab_max_maptrack_frames`. Throws {@link Errno}. */
export function readXenParameter(path: string): string {
  const lib = libxenhypfs();
  clearErrno();
  const handle = lib.xenhypfs_open(silentLogger(), 0);
  if (handle === null) throw new Errno("xenhypfs_open", errno());
  try {
    const text = lib.xenhypfs_read(handle, cString(path));
    if (text === null) throw new Errno(`xenhypfs_read ${path}`, errno());
    try {
      return textAt(text);
    } finally {
      libc().free(text);
    }
  } finally {
    lib.xenhypfs_close(handle);
  }
}
