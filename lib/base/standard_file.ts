// SPDX-License-Identifier: MIT
/** The path `-`, which stands for standard input or output wherever a command takes a file. */

/** The path that stands for standard input or output. */
export const STANDARD = "-";

/** A file that is read, by its name in messages. */
export function inputName(path: string): string {
  return path === STANDARD ? "standard input" : path;
}

/** A file that is written, by its name in messages. */
export function outputName(path: string): string {
  return path === STANDARD ? "standard output" : path;
}
