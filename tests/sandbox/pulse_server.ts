// SPDX-License-Identifier: MIT
/**
 * A real sound server on a machine without sound hardware: PulseAudio with a null sink, which consumes samples in real time. An
 * ALSA configuration has the PCM `pulse`, which plays into the sink. All of the server's files are in a directory of its own.
 */
import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { Process, until } from "./harness.ts";

interface Sink {
  readonly rate: number;
  readonly channels: number;
  readonly format: string;
}

export class PulseServer implements AsyncDisposable {
  /** The environment variables of a process that plays into the sink through ALSA. */
  readonly environment: Record<string, string>;
  #server: Process | undefined;
  #running = new AsyncDisposableStack();
  /** The sink's sample format as options of parec, which otherwise converts the samples. */
  #format: string[] = [];

  private constructor(private readonly directory: string, private readonly sink: Sink) {
    this.environment = {
      HOME: directory,
      XDG_RUNTIME_DIR: directory,
      PULSE_SERVER: `unix:${directory}/native`,
      ALSA_CONFIG_PATH: `${directory}/asound.conf`,
    };
  }

  /** Starts a server with such a sink; resolves when the sink runs. */
  static async start(sink: Sink): Promise<PulseServer> {
    const server = new PulseServer(Deno.makeTempDirSync({ prefix: "xsnd-pulse-" }), sink);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the server, also after {@link stop}; resolves when the sink runs. */
  async restart(): Promise<void> {
    const { directory, sink: { rate, channels, format } } = this;
    this.#running = new AsyncDisposableStack();
    this.#format = ["--raw", `--rate=${rate}`, `--channels=${channels}`, `--format=${format}`];
    Deno.writeTextFileSync(
      `${directory}/asound.conf`,
      "</usr/share/alsa/alsa.conf>\npcm.pulse { type pulse }\nctl.pulse { type pulse }\n",
    );
    const server = this.#server = this.#run("pulseaudio", [
      "-n",
      "--daemonize=no",
      "--exit-idle-time=-1",
      "--use-pid-file=no",
      "-L",
      `module-null-sink sink_name=null rate=${rate} channels=${channels} format=${format}`,
      "-L",
      `module-native-protocol-unix auth-anonymous=1 socket=${directory}/native`,
    ]);
    await until("the sound server listens", async () => {
      assert(!server.ended, server.stderr);
      return (await this.#run("pactl", ["info"]).result).code === 0;
    });
    // An idle sink suspends itself, and takes seconds to resume.
    this.#run("pacat", ["--playback", "--latency-msec=20", "/dev/zero"]);
    await until("it plays", async () => {
      const { stdout } = await this.#run("pactl", ["list", "short", "sinks"]).result;
      return /RUNNING/.test(stdout);
    });
  }

  /** Records the sink's sound to `path`, raw, until the returned process is ended; resolves when recording has begun. */
  async record(path: string): Promise<Process> {
    const recorder = this.#run("parec", [
      "--device=null.monitor",
      ...this.#format,
      "--latency-msec=20",
      path,
    ]);
    await until("it records", () => {
      assert(!recorder.ended, recorder.stderr);
      return [...Deno.readDirSync(dirname(path))].some(({ name }) => name === basename(path)) &&
        Deno.statSync(path).size > 0;
    });
    return recorder;
  }

  /** Makes the server hang (SIGSTOP), or continue (SIGCONT). */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#server!.kill(signal);
  }

  /** Suspends the null sink and its monitor, as `pactl` does, or resumes both: nothing moves meanwhile. */
  async suspend(isSuspended: boolean): Promise<void> {
    const { code, stderr } = await this.#run("pactl", ["suspend-sink", "null", isSuspended ? "1" : "0"])
      .result;
    assert.equal(code, 0, stderr);
  }

  /** The number of programs that are connected to the server. */
  async clients(): Promise<number> {
    const { code, stdout, stderr } = await this.#run("pactl", ["list", "short", "clients"]).result;
    assert.equal(code, 0, stderr);
    return stdout.trimEnd().split("\n").length;
  }

  #run(command: string, args: string[]): Process {
    return this.#running.use(new Process(command, args, { env: this.environment }));
  }

  /** Ends the server, even while somebody plays into it. */
  stop(): Promise<void> {
    return this.#running.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}
