// SPDX-License-Identifier: MIT
/** Runs a program of ours as a process of the virtual machine, from its first call to its exit. */
import { Exit, XsndError } from "../../../lib/base/error.ts";
import { Killed, type Process } from "../machine/process.ts";

export type ProcessExit =
  | { readonly kind: "exited"; readonly code: number; readonly error?: unknown }
  | { readonly kind: "killed" };

/** µs from a program's last call to the end of its process. */
const EXIT_MICROS = 200;

/**
 * Runs `main` in the main thread of `process`, and calls `ended` through the clock when the process has ended. A process exits when
 * `main` resolves, or rejects with an XsndError. Another error is a defect: `process.failed` gets it.
 */
export function runMain(
  process: Process,
  main: () => Promise<void>,
  ended: (exit: ProcessExit) => void,
): void {
  let exit: ProcessExit | undefined;
  process.atEnd(() => {
    process.clock.after(0, () => ended(exit ?? { kind: "killed" }));
  });
  const exits = (code: number, error?: unknown) => {
    exit = { kind: "exited", code, error };
    process.clock.after(EXIT_MICROS, () => process.kill());
  };
  const fails = (error: unknown) => {
    if (error instanceof Killed || process.isDead) return;
    if (error instanceof XsndError) return exits(error.exitCode, error);
    process.failed(error);
    exits(Exit.failed, error);
  };
  process.main.post(process.latency(), () => void main().then(() => exits(Exit.done), fails), 20);
}

/** Sends a signal that kills a process without a handler, as SIGTERM, SIGINT and SIGHUP do. */
export function sendSignal(process: Process, name: "SIGTERM" | "SIGINT" | "SIGHUP"): void {
  if ((process.signals.get(name)?.size ?? 0) > 0) process.signal(name);
  else process.kill();
}

/** `exit 1: there is no domain "domU"`, for logs. */
export function exitText(exit: ProcessExit): string {
  if (exit.kind === "killed") return "killed";
  return `exit ${exit.code}${exit.error instanceof Error ? `: ${exit.error.message}` : ""}`;
}
