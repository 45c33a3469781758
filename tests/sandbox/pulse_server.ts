// SPDX-License-Identifier: MIT
/** PulseAudio with a null sink, and an ALSA configuration that has the PCM `pulse`. */
import assert from "node:assert/strict";
import { until } from "./harness.ts";
import { type Sink, SoundServer } from "./sound_server.ts";

export class PulseServer extends SoundServer {
  static readonly device = "pulse";
  protected readonly recorder: readonly [string, ...string[]];

  private constructor(directory: string, sink: Sink) {
    super(directory, sink, {
      HOME: directory,
      XDG_RUNTIME_DIR: directory,
      PULSE_SERVER: `unix:${directory}/native`,
      ALSA_CONFIG_PATH: `${directory}/asound.conf`,
    });
    // Of another format the samples would be converted.
    const format = ["--raw", `--rate=${sink.rate}`, `--channels=${sink.channels}`, "--format=s16le"];
    this.recorder = ["parec", "--device=null.monitor", ...format, "--latency-msec=20"];
  }

  /** Starts a server with such a sink; resolves when the sink runs. */
  static start(sink: Sink): Promise<PulseServer> {
    return this.started(new PulseServer(Deno.makeTempDirSync({ prefix: "xsnd-pulse-" }), sink));
  }

  override async restart(): Promise<void> {
    const { directory, sink: { rate, channels } } = this;
    Deno.writeTextFileSync(
      `${directory}/asound.conf`,
      "</usr/share/alsa/alsa.conf>\npcm.pulse { type pulse }\nctl.pulse { type pulse }\n",
    );
    const server = this.server = this.run(
      "pulseaudio",
      "-n",
      "--daemonize=no",
      "--exit-idle-time=-1",
      "--use-pid-file=no",
      "-L",
      `module-null-sink sink_name=null rate=${rate} channels=${channels} format=s16le`,
      "-L",
      `module-native-protocol-unix auth-anonymous=1 socket=${directory}/native`,
    );
    await until("the sound server listens", async () => {
      assert(!server.ended, server.stderr);
      return (await this.run("pactl", "info").result).code === 0;
    });
    // An idle sink suspends itself, and takes seconds to resume.
    this.run("pacat", "--playback", "--latency-msec=20", "/dev/zero");
    await until("it plays", async () => /RUNNING/.test(await this.ask("pactl", "list", "short", "sinks")));
  }

  /** Suspends the null sink and its monitor, as `pactl` does, or resumes both. */
  override async stand(isStanding: boolean): Promise<void> {
    await this.ask("pactl", "suspend-sink", "null", isStanding ? "1" : "0");
  }

  /** The number of programs that are connected to the server. */
  async clients(): Promise<number> {
    return (await this.ask("pactl", "list", "short", "clients")).trimEnd().split("\n").length;
  }
}
