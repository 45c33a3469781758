// SPDX-License-Identifier: MIT
/** `xsnd volume`, `mute` and `unmute`: an operator sets the volume of a stream, independently of its guest. */
import { Command, InvalidArgumentError } from "commander";
import { ControlClient } from "../lib/control/control_client.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { DAEMON_EXITS, streamArgument, timeoutOption } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";

interface Options {
  readonly timeout: number;
  readonly json?: boolean;
}

const LASTING =
  "The guest cannot see or undo the setting. The setting outlives the guest's connection and the daemon.";

const SEE_ALSO = ["xsnd-volume(1)", "xsnd-mute(1)", "xsnd-unmute(1)", "xsnd-trigger(1)", "xsnd-status(1)"];

export function volumeCommand(): Command {
  const volume = command("volume")
    .description(
      "Set the volume of a stream in dB, applied after the guest's own volume: 0 leaves the sound unchanged, -6 halves the " +
        `amplitude, -120 is silence, 12 is the maximum. Without dB the command shows the volume. ${LASTING}`,
    )
    .argument("[dB]", "from -120 to 12", decibels)
    .action((stream: string, volume: number | undefined, options: Options) =>
      set(stream, { volume }, options)
    );
  return withManual(volume, {
    examples: [
      ["xsnd volume domU/0/0/0 -6", "halve the amplitude"],
      ["xsnd volume domU/0/0/0", "show the volume"],
    ],
    exits: DAEMON_EXITS,
    environment: CONTROL_VARIABLES,
    seeAlso: SEE_ALSO,
  });
}

export function muteCommand(): Command {
  const mute = command("mute")
    .description(`Mute a stream. The position that its guest reads goes on. ${LASTING}`)
    .action((stream: string, options: Options) => set(stream, { muted: true }, options));
  return withManual(mute, {
    examples: [
      ["xsnd mute domU/0/0/1", "keep a microphone from the guest"],
    ],
    exits: DAEMON_EXITS,
    environment: CONTROL_VARIABLES,
    seeAlso: SEE_ALSO,
  });
}

export function unmuteCommand(): Command {
  const unmute = command("unmute")
    .description("Undo `xsnd mute`: the stream has its former volume again.")
    .action((stream: string, options: Options) => set(stream, { muted: false }, options));
  return withManual(unmute, {
    examples: [
      ["xsnd unmute domU/0/0/1", "give the microphone back"],
    ],
    exits: DAEMON_EXITS,
    environment: CONTROL_VARIABLES,
    seeAlso: SEE_ALSO,
  });
}

function command(name: string): Command {
  return new Command(name)
    .addArgument(streamArgument())
    .addOption(timeoutOption("how long to wait until the daemon serves the stream", 5))
    .option("--json", "print the status of the stream");
}

async function set(
  stream: string,
  changes: { volume?: number; muted?: boolean },
  options: Options,
): Promise<void> {
  const waitMs = options.timeout * 1000;
  using daemon = await ControlClient.connect(waitMs);
  const report = await daemon.call({ command: "volume", stream, ...changes, waitMs });
  if (options.json) printJsonLine(report);
  else print(`${report.stream}: ${report.volume} dB${report.muted ? ", muted" : ""}`);
}

function decibels(text: string): number {
  const value = Number(text.replace(/dB$/i, ""));
  if (text.trim() !== "" && value >= -120 && value <= 12) return value;
  throw new InvalidArgumentError("it is a number of dB from -120 to 12.");
}
