// SPDX-License-Identifier: MIT
/**
 * PipeWire with a null sink, its session manager, and the message bus that the session manager wants. An ALSA configuration has
 * the PCM `pipewire`.
 */
import assert from "node:assert/strict";
import { root, until } from "./harness.ts";
import { type Sink, SoundServer } from "./sound_server.ts";

const SINK = "silent";

/** ALSA's plugin for PipeWire. Debian's package of it cannot be installed beside PulseAudio: `setup.sh --tests` unpacks it. */
const PLUGIN = `${root}.cache/unpacked/libasound_module_pcm_pipewire.so`;

export class PipeWireServer extends SoundServer {
  static readonly device = "pipewire";
  protected readonly recorder: readonly [string, ...string[]];

  private constructor(directory: string, sink: Sink) {
    super(directory, sink, {
      HOME: directory,
      XDG_RUNTIME_DIR: directory,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${directory}/bus`,
      ALSA_CONFIG_PATH: `${directory}/asound.conf`,
    });
    const format = [`--rate=${sink.rate}`, `--channels=${sink.channels}`, "--format=s16"];
    this.recorder = ["pw-record", "-P", "{ stream.capture.sink=true }", "--target", SINK, ...format];
  }

  /** Starts a server with such a stereo sink; resolves when the sink is there. */
  static start(sink: Sink): Promise<PipeWireServer> {
    return this.started(new PipeWireServer(Deno.makeTempDirSync({ prefix: "xsnd-pipewire-" }), sink));
  }

  override async restart(): Promise<void> {
    Deno.writeTextFileSync(
      `${this.directory}/asound.conf`,
      `</usr/share/alsa/alsa.conf>
pcm_type.pipewire { lib "${PLUGIN}" }
pcm.pipewire { type pipewire server "pipewire-0" playback_node "-1" capture_node "-1" }
`,
    );
    const bus = `--address=${this.environment.DBUS_SESSION_BUS_ADDRESS}`;
    this.run("dbus-daemon", "--session", "--nofork", "--nopidfile", bus);
    const server = this.server = this.run("pipewire");
    await until("the sound server listens", async () => {
      assert(!server.ended, server.stderr);
      return (await this.run("pw-cli", "info", "0").result).code === 0;
    });
    const manager = this.run("wireplumber");
    await until("its session manager is there", async () => {
      assert(!manager.ended, manager.stderr);
      return (await this.ask("pw-cli", "ls", "Client")).includes('"WirePlumber"');
    });
    // A busy machine misses shorter cycles. In a longer one the server asks for more than the engine's four intervals of a small buffer.
    await this.ask("pw-metadata", "--name", "settings", "0", "clock.force-quantum", "512");
    await this.stand(false);
  }

  /** Removes the sink, or makes it anew. */
  override async stand(isStanding: boolean): Promise<void> {
    if (isStanding) {
      await this.ask("pw-cli", "destroy", SINK);
    } else {
      const properties = `factory.name=support.null-audio-sink node.name=${SINK} media.class=Audio/Sink ` +
        `object.linger=true audio.position=[FL FR] audio.rate=${this.sink.rate} audio.format=S16LE`;
      await this.ask("pw-cli", "create-node", "adapter", `{ ${properties} }`);
    }
    await until("the sink is there, or gone", async () => await this.#hasSink() !== isStanding);
  }

  async #hasSink(): Promise<boolean> {
    return (await this.ask("pw-cli", "ls", "Node")).includes(`node.name = "${SINK}"`);
  }
}
