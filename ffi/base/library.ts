// SPDX-License-Identifier: MIT
/**
 * Opening a C library by its soname, lazily: nothing is loaded until a handle class asks for it, so that
 * `xsnd --help` works where neither Xen nor ALSA is installed.
 */
import { cString } from "./c_string.ts";
import { Exit, XsndError } from "./xsnd_error.ts";

/** Thrown when a shared library cannot be loaded; says what was tried and which package has it. */
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

/** Where a library is, what it is called, and which variable overrides its path. */
export interface LibraryInfo {
  readonly soname: string;
  readonly debianPackage: string;
  /** Environment variable that names another file, e.g. `XSND_LIBXENSTORE`. */
  readonly variable: string;
  /** It has threads of its own, which may outlive what started them. */
  readonly hasThreads?: boolean;
}

/** dlfcn.h */
const RTLD = { LAZY: 0x1, NODELETE: 0x1000 } as const;

/** A function that opens a library on its first call, and what is known of that library before. */
export type LazyLibrary<S extends Deno.ForeignLibraryInterface> =
  & (() => Deno.DynamicLibrary<S>["symbols"])
  & { readonly info: LibraryInfo };

/** Returns a function that opens the library on its first call and gives the same symbols ever after. */
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
 * Keeps a library where it is until the process is gone. Deno unloads libraries when its own end begins, under the feet
 * of a thread that has not come to rest.
 */
function keepLoaded(file: string): void {
  const libc = Deno.dlopen("libc.so.6", {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer", optional: true }, // filename, flags; glibc 2.34
  });
  libc.symbols.dlopen?.(cString(file), RTLD.LAZY | RTLD.NODELETE);
  libc.close();
}
