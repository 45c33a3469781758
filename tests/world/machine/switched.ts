// SPDX-License-Identifier: MIT
/** A library that every world of this program has for itself: the program loads one, whose calls go to the current world's. */

/** The functions of a library. */
export type Functions = Readonly<Record<string, unknown>>;

/**
 * The library with the functions of `symbols`, each of which calls the function of that name of `current()`. What is no function is
 * the first library's.
 */
export function switchedLibrary(symbols: Deno.ForeignLibraryInterface, current: () => Functions): Functions {
  const first = current();
  const call = (name: string) => (...given: unknown[]) => (current()[name] as (...given: unknown[]) => unknown)(...given);
  return Object.fromEntries(
    Object.keys(symbols).map((name) => [name, typeof first[name] === "function" ? call(name) : first[name]]),
  );
}
