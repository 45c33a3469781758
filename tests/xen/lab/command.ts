// SPDX-License-Identifier: MIT
/** Runs the lab's programs on the host, and prints messages to the waiting person. */

/** A failure of the lab itself, not of the tested code; the message says what to do next. */
export class LabError extends Error {
  override name = "LabError";
}

/** Runs a program to its end and returns its stdout; throws {@link LabError} with its stderr if it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args: [...args], stdin: "null", ...options }).output();
  } catch (cause) {
    throw new LabError(`cannot run ${program}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const decoder = new TextDecoder();
  if (!output.success) {
    const why = decoder.decode(output.stderr).trim().split("\n").slice(-8).join("\n  ");
    throw new LabError(`${program} ${args.join(" ")}: exit code ${output.code}\n  ${why}`);
  }
  return decoder.decode(output.stdout);
}

/** Runs a shell script whose `$1`, `$2` ... are `args`. */
export function shell(script: string, ...args: string[]): Promise<string> {
  return run("sh", ["-euc", script, "sh", ...args]);
}

/** Tells the person what the lab is doing, on stderr. */
export function say(message: string): void {
  console.error(`lab: ${message}`);
}

/** Does `work`, then says how long it took. */
export async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  say(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/** Whether a file or folder of this name exists. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** First 12 hexadecimal digits of the SHA-256 of `text`: enough to tell the inputs of two builds apart. */
export async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(hash).toHex().slice(0, 12);
}
