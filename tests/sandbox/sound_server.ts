// SPDX-License-Identifier: MIT
/** A real sound server on a machine without sound hardware, which plays into a null sink in real time. */
import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { Process, until } from "./harness.ts";

/** What a server's null sink plays at. All have 16-bit samples, least significant octet first. */
export interface Sink {
  readonly rate: number;
  readonly channels: number;
}

/** A kind of sound server. */
export interface ServerKind {
  /** The ALSA PCM that plays into the sink. */
  readonly device: string;
  /** Starts a server with such a sink; resolves when the sink is there. */
  start(sink: Sink): Promise<SoundServer>;
}

/** All of a server's files are in a directory of its own. The environment has a process play into its sink through ALSA. */
export abstract class SoundServer implements AsyncDisposable {
  #running = new AsyncDisposableStack();

  protected constructor(
    protected readonly directory: string,
    protected readonly sink: Sink,
    readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** Starts `server`; resolves when its sink is there. */
  protected static async started<Server extends SoundServer>(server: Server): Promise<Server> {
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the server, also after {@link stop}; resolves when its sink is there. */
  abstract restart(): Promise<void>;

  /** The server's process. */
  protected server: Process | undefined;

  /** Makes the server hang (SIGSTOP), or continue (SIGCONT). */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.server!.kill(signal);
  }

  /** Makes the sink stand still, or go on: who plays sees no error, and nothing moves meanwhile. */
  abstract stand(isStanding: boolean): Promise<void>;

  /** The command that records the sink's sound to a file: raw, or after a header of whole frames. */
  protected abstract readonly recorder: readonly [string, ...string[]];

  /** Records the sink's sound to `path` until the returned process is ended; resolves when recording has begun. */
  async record(path: string): Promise<Process> {
    const [command, ...args] = this.recorder;
    const recorder = this.run(command, ...args, path);
    await until("it records", () => {
      assert(!recorder.ended, recorder.stderr);
      return [...Deno.readDirSync(dirname(path))].some(({ name }) => name === basename(path)) &&
        Deno.statSync(path).size > 0;
    });
    return recorder;
  }

  /** Starts a program that plays into the server, or is part of it. It ends with the server. */
  protected run(command: string, ...args: string[]): Process {
    return this.#running.use(new Process(command, args, { env: this.environment }));
  }

  /** Runs a program that must succeed; returns its output. */
  protected async ask(command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, ...args).result;
    assert.equal(code, 0, `${command} ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Ends the server, even while somebody plays into it. */
  async stop(): Promise<void> {
    await this.#running.disposeAsync();
    this.#running = new AsyncDisposableStack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}
