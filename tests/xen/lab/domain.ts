// SPDX-License-Identifier: MIT
/** Runs scripts and transfers files in a domain of the lab: dom0 or a guest. */
import { LabError } from "./command.ts";
import type { Job, Machine, Outcome } from "./machine.ts";

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  /** Seconds after which the script and its children are killed; 60 by default. */
  readonly timeout?: number;
}

/** A domain that runs shell scripts. Any number of them may run at once. */
export abstract class Domain {
  constructor(readonly name: string) {}

  /** Runs a script and accepts every exit code. Throws {@link LabError} after the timeout. */
  abstract attempt(script: string, options?: RunOptions): Promise<Outcome>;

  /** Runs a script that must succeed, and returns what it wrote to stdout. */
  async run(script: string, options?: RunOptions): Promise<string> {
    return (await this.#succeed(script, options)).stdout;
  }

  /** Writes a file of this domain. */
  async put(path: string, content: string | Uint8Array): Promise<void> {
    await this.#succeed(`cat >${quote(path)}`, { stdin: content });
  }

  /** Reads a file of this domain. */
  async get(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#succeed(`cat ${quote(path)}`)).bytes;
  }

  async #succeed(script: string, options?: RunOptions): Promise<Outcome> {
    const outcome = await this.attempt(script, options);
    if (outcome.code !== 0) throw this.failure(script, `exit code ${outcome.code}`, outcome);
    return outcome;
  }

  protected failure(
    script: string,
    what: string,
    { stdout, stderr }: { stdout: string; stderr: string },
  ): LabError {
    const shown = (name: string, text: string) =>
      text === "" ? "" : `\n--- ${name}\n${text.slice(-4000).trimEnd()}`;
    return new LabError(
      `${this.name}: ${what}\n--- script\n${script}${shown("stdout", stdout)}${shown("stderr", stderr)}`,
    );
  }
}

/** The control domain. */
export class Dom0 extends Domain {
  constructor(private readonly machine: Machine) {
    super("dom0");
  }

  /** Starts a script and leaves it running, as a daemon. */
  start(script: string): Promise<Job> {
    return this.machine.start(script);
  }

  override async attempt(script: string, { stdin, timeout = 60 }: RunOptions = {}): Promise<Outcome> {
    const job = await this.machine.start(script, stdin);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      job.kill("SIGKILL").catch(() => {}); // if the machine is off, `outcome` rejects
    }, timeout * 1000);
    try {
      const outcome = await job.outcome;
      if (late) throw this.failure(script, `timed out after ${timeout} s`, outcome);
      return outcome;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** `text` as one word of a shell script. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
