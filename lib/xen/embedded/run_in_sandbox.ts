// SPDX-License-Identifier: MIT
/** Runs a command inside a new sandbox as a shell would: with this terminal, its signals, and the command's exit code. */
import { Sandbox, type SandboxOptions } from "./sandbox.ts";

/** Exit codes of shells. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

export interface RunOptions extends SandboxOptions {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * Runs a command in a new sandbox with this process's stdin, stdout and stderr. Resolves to the command's exit code when the
 * command and the sandbox have ended. Passes SIGTERM, SIGHUP and SIGINT on to the command; the sandbox ends after the command.
 */
export async function runInSandbox({ command, args, ...options }: RunOptions): Promise<number> {
  await using sandbox = await Sandbox.start(options);
  // Before the command starts: its first output may prompt somebody to send a signal.
  using signals = new SignalForwarder();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args: [...args],
      env: sandbox.environment,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  } catch (error) {
    return unrunnable(command, error);
  }
  signals.receiver = child;
  return (await child.status).code; // 128 + N for signal N
}

function unrunnable(command: string, error: unknown): number {
  if (error instanceof Deno.errors.NotFound) {
    console.error(`xsnd sandbox: cannot run ${command}: not found; check the name and PATH`);
    return NOT_FOUND;
  }
  console.error(`xsnd sandbox: cannot run ${command}: ${(error as Error).message}`);
  return NOT_EXECUTABLE;
}

class SignalForwarder implements Disposable {
  receiver?: Deno.ChildProcess;
  readonly #removers: (() => void)[] = [];

  constructor() {
    // A terminal sends Ctrl-C's SIGINT to all its foreground processes, so the command has it already.
    const interactive = Deno.stdin.isTerminal();
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
      const forward = () => {
        if (!interactive || signal !== "SIGINT") this.#forward(signal);
      };
      Deno.addSignalListener(signal, forward);
      this.#removers.push(() => Deno.removeSignalListener(signal, forward));
    }
  }

  #forward(signal: Deno.Signal): void {
    try {
      this.receiver?.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // TypeError: the command has just ended
    }
  }

  [Symbol.dispose](): void {
    for (const remove of this.#removers) remove();
  }
}
