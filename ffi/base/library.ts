// SPDX-License-Identifier: MIT
/**
 * Loads a C library by its soname when a handle class first asks for the library. So `xsnd --help` works where neither Xen nor
 * ALSA is installed.
 */
import { cString } from "./c_string.ts";
import { Exit, XsndError } from "./xsnd_error.ts";

/** A shared library that cannot be loaded. The message names the library, its package, and the variable that overrides its path. */
export class LibraryNotFoundError extends XsndError {
  override name = "LibraryNotFoundError";
  constructor(readonly soname: string, debianPackage: string, variable: string, cause: unknown) {
    const why = cause instanceof Error
      ? cause.message.replace(/^(Could not open library: )+/, "")
      : String(cause);
    super(
      `cannot load ${soname}: ${why}; install Debian's ${debianPackage}, or set ${variable} to the library's path`,
      Exit.xenOrLibraryMissing,
      { cause },
    );
  }
}

/** A library's name, its package, and the variable that overrides its path. */
export interface LibraryInfo {
  readonly soname: string;
  readonly debianPackage: string;
  /** Environment variable that names another file, e.g. `XSND_LIBXENSTORE`. */
  readonly variable: string;
  /** The library starts threads, which may outlive their user. */
  readonly hasThreads?: boolean;
}

/** dlfcn.h */
const RTLD = { LAZY: 0x1, NODELETE: 0x1000 } as const;

/** A function that opens a library on its first call and returns the library's functions; `info` is there before. */
export type LazyLibrary<S extends Deno.ForeignLibraryInterface> =
  & (() => Deno.DynamicLibrary<S>["symbols"])
  & { readonly info: LibraryInfo };

/** Makes a {@link LazyLibrary} with the functions of `symbols`. A call throws {@link LibraryNotFoundError}. */
export function lazyLibrary<const S extends Deno.ForeignLibraryInterface>(
  info: LibraryInfo,
  symbols: S,
): LazyLibrary<S> {
  let library: Deno.DynamicLibrary<S> | undefined;
  const open = () => {
    if (library === undefined) {
      try {
        const file = Deno.env.get(info.variable) ?? info.soname;
        library = Deno.dlopen(file, symbols);
        if (info.hasThreads) keepLoaded(file);
      } catch (cause) {
        throw new LibraryNotFoundError(info.soname, info.debianPackage, info.variable, cause);
      }
    }
    return library.symbols;
  };
  return Object.assign(open, { info });
}

/**
 * Keeps a library loaded until the process is gone. Deno unloads libraries when its own end begins, even while a thread of the
 * library still runs.
 */
function keepLoaded(file: string): void {
  const libc = Deno.dlopen("libc.so.6", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer", optional: true }, // filename, flags; glibc 2.34
  });
  libc.symbols.dlopen?.(cString(file), RTLD.LAZY | RTLD.NODELETE);
  libc.close();
}
