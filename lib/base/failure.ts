// SPDX-License-Identifier: MIT
/** How a command that fails says why: a line on stderr, unless a log takes it. */

import { printable } from "./text.ts";

let report = (message: string): void => console.error(failureLine(message));

/** What a message quotes of a file, or of a guest, must not drive the terminal. */
export function failureLine(message: string): string {
  return `xsnd: ${message.split("\n").map(printable).join("\n")}`;
}

export function reportFailure(message: string): void {
  report(message);
}

/** From now on `newReport` takes what {@link reportFailure} is given. */
export function reportFailuresBy(newReport: (message: string) => void): void {
  report = newReport;
}
