/** Running a command inside a sandbox as a shell would run it: its terminal, its signals, its exit code. */
import { Sandbox, type SandboxOptions } from "./sandbox.ts";

/** As shells have it. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

export interface RunOptions extends SandboxOptions {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * Runs a command in a new sandbox, with this process's stdin, stdout and stderr, and resolves to its exit code when it and the
 * sandbox have ended. SIGTERM, SIGHUP and SIGINT are passed on to it, and end the sandbox only with it.
 */
export async function runInSandbox({ command, args, ...options }: RunOptions): Promise<number> {
  await using sandbox = await Sandbox.start(options);
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
  using _signals = forwardSignals(child);
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

function forwardSignals(child: Deno.ChildProcess): Disposable {
  // Ctrl-C at a terminal goes to all its foreground processes, so the command has had it already.
  const interactive = Deno.stdin.isTerminal();
  const listeners = (["SIGTERM", "SIGHUP", "SIGINT"] as const).map((signal) => {
    const forward = () => interactive && signal === "SIGINT" || child.kill(signal);
    Deno.addSignalListener(signal, forward);
    return () => Deno.removeSignalListener(signal, forward);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}
