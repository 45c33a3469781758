// SPDX-License-Identifier: MIT
/** A running emulated machine, and jobs in its dom0, which dom0/agent runs. */
import { exists, LabError } from "./command.ts";
import { type MachineOptions, qemuCommand } from "./qemu.ts";

/** How a script ended. */
export class Outcome {
  constructor(readonly code: number, readonly bytes: Uint8Array<ArrayBuffer>, readonly stderr: string) {}

  /** The script's stdout, `bytes`, as text. */
  get stdout(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** A script that runs in dom0. */
export interface Job {
  /** Resolves when the script has ended; rejects if the machine ends first. */
  readonly outcome: Promise<Outcome>;
  /** Sends a signal to the script and its children, except children in a session of their own. */
  kill(signal: Deno.Signal): Promise<void>;
  /** The script's output so far. */
  output(stream: "stdout" | "stderr"): Promise<string>;
}

/** QEMU with Xen and dom0, from power-on to the agent's answer; disposing it switches it off. */
export class Machine implements AsyncDisposable {
  #jobs = new Map<string, PromiseWithResolvers<number>>();
  #ready = Promise.withResolvers<void>();
  #next = 1;
  #connection: Deno.UnixConn | undefined;

  private constructor(private readonly directory: string, private readonly qemu: Deno.ChildProcess) {
    qemu.status.then(({ code, signal }) =>
      this.#end(new LabError(`QEMU ended: ${signal ?? `exit code ${code}`}`))
    );
  }

  /** Switches a machine on. Jobs have to wait for {@link ready}. */
  static async start(options: MachineOptions): Promise<Machine> {
    await Deno.mkdir(`${options.directory}/jobs`, { recursive: true });
    const terminal = options.console === "terminal";
    // QEMU must not survive this process or its thread, a worker of the test runner.
    const log = `${options.directory}/qemu.log`;
    const qemu = new Deno.Command("sh", {
      args: [
        "-c",
        'log=$1; shift; exec setpriv --pdeathsig KILL "$@" 2>"$log"',
        "sh",
        log,
        ...qemuCommand(options),
      ],
      stdin: terminal ? "inherit" : "null",
      stdout: terminal ? "inherit" : "null",
    }).spawn();
    const machine = new Machine(options.directory, qemu);
    machine.#listen().catch((error) => machine.#end(error));
    return machine;
  }

  /** Resolves when dom0's agent answers; rejects if QEMU ends, or after `timeout` seconds. */
  async ready(timeout: number): Promise<void> {
    const timer = setTimeout(
      () => this.#ready.reject(new LabError(`dom0 did not come up within ${timeout} s`)),
      timeout * 1000,
    );
    try {
      await this.#ready.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when QEMU has ended. */
  async ended(): Promise<void> {
    await this.qemu.status;
  }

  /** Starts a shell script in dom0. */
  async start(script: string, stdin: string | Uint8Array = ""): Promise<Job> {
    const id = String(this.#next++);
    const directory = `${this.directory}/jobs/${id}`;
    const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
    await Deno.mkdir(directory);
    await Deno.writeTextFile(`${directory}/script`, script);
    await Deno.writeFile(`${directory}/stdin`, bytes);
    for (const stream of ["stdout", "stderr"]) {
      await Deno.writeFile(`${directory}/${stream}`, new Uint8Array());
    }
    const exit = Promise.withResolvers<number>();
    this.#jobs.set(id, exit);
    await this.#send(`run ${id}`);
    const outcome = exit.promise.then(async (code) => {
      const stdout = await Deno.readFile(`${directory}/stdout`);
      return new Outcome(code, stdout, await Deno.readTextFile(`${directory}/stderr`));
    });
    outcome.catch(() => {}); // nobody may await a daemon's outcome
    return {
      outcome,
      kill: (signal) => this.#send(`kill ${id} ${signal.replace(/^SIG/, "")}`),
      output: (stream) => Deno.readTextFile(`${directory}/${stream}`),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.qemu.kill("SIGTERM"); // QEMU then completes the files of its audio devices
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a TypeError: QEMU has already ended
    }
    await this.qemu.status;
  }

  async #send(line: string): Promise<void> {
    if (this.#connection === undefined) throw new LabError(`the machine is off: cannot send "${line}"`);
    const bytes = new TextEncoder().encode(`${line}\n`);
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  async #listen(): Promise<void> {
    const path = `${this.directory}/agent.socket`;
    while (!await exists(path)) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#connection = await Deno.connect({ transport: "unix", path });
    let rest = "";
    for await (const text of this.#connection.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#hear(line);
    }
  }

  #hear(line: string): void {
    const [verb, id, code] = line.split(" ");
    if (verb === "ready") this.#ready.resolve();
    else if (verb === "done") {
      this.#jobs.get(id!)?.resolve(Number(code));
      this.#jobs.delete(id!);
    } else throw new LabError(`dom0's agent says "${line}"`);
  }

  #end(why: Error): void {
    this.#connection = undefined;
    this.#ready.promise.catch(() => {}); // nobody may be waiting
    this.#ready.reject(why);
    for (const job of this.#jobs.values()) job.reject(why);
    this.#jobs.clear();
  }
}
