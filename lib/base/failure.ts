// SPDX-License-Identifier: MIT
/** Reports why a command fails: as a line on stderr, or to the log of a daemon. */

import { printable } from "./text.ts";

let report = (message: string): void => console.error(failureLine(message));

/** The line for a message. Control characters are escaped, since the message may quote a file or a guest. */
export function failureLine(message: string): string {
  return `xsnd: ${message.split("\n").map(printable).join("\n")}`;
}

export function reportFailure(message: string): void {
  report(message);
}

/** Passes the messages of {@link reportFailure} to `newReport` from now on. */
export function reportFailuresBy(newReport: (message: string) => void): void {
  report = newReport;
}
