/** How a command that fails says why: a line on stderr, unless a log takes it. */

let report = (message: string): void => console.error(`xsnd: ${message}`);

export function reportFailure(message: string): void {
  report(message);
}

/** From now on `newReport` takes what {@link reportFailure} is given. */
export function reportFailuresBy(newReport: (message: string) => void): void {
  report = newReport;
}
