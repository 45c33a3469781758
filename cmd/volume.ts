// SPDX-License-Identifier: MIT
/** `xsnd volume`, `mute` and `unmute`: an operator's hand on how loud a stream is, whatever its guest does. */
import { Command, InvalidArgumentError } from "commander";
import { ControlClient } from "../lib/control/control_client.ts";
import { withManual } from "./shared/manual.ts";
import { DAEMON_EXITS, streamArgument, timeoutOption } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";

interface Options {
  readonly timeout: number;
  readonly json?: boolean;
}

const LASTING =
  "The guest can neither see nor undo it, and it outlives the guest's connection and the daemon.";

export function volumeCommand(): Command {
  const volume = command("volume")
    .description(
      "Set how loud a stream is, in dB on top of the guest's own volume: 0 is as it comes, -6 about half the amplitude, " +
        `-120 silence, 12 the most. Without DB, show what holds. ${LASTING}`,
    )
    .argument("[dB]", "from -120 to 12", decibels)
    .action((stream: string, volume: number | undefined, options: Options) =>
      set(stream, { volume }, options)
    );
  return withManual(volume, {
    examples: [
      ["xsnd volume domU/0/0/0 -6", "about half as loud"],
      ["xsnd volume domU/0/0/0", "how loud it is"],
    ],
    exits: DAEMON_EXITS,
  });
}

export function muteCommand(): Command {
  const mute = command("mute")
    .description(`Silence a stream; its guest's position goes on. ${LASTING}`)
    .action((stream: string, options: Options) => set(stream, { muted: true }, options));
  return withManual(mute, {
    examples: [
      ["xsnd mute domU/0/0/1", "a microphone that a guest is not to hear for now"],
    ],
    exits: DAEMON_EXITS,
  });
}

export function unmuteCommand(): Command {
  const unmute = command("unmute")
    .description("Let a stream that `xsnd mute` has silenced be heard again, at the volume that it had.")
    .action((stream: string, options: Options) => set(stream, { muted: false }, options));
  return withManual(unmute, {
    examples: [
      ["xsnd unmute domU/0/0/1", "as loud as it was before"],
    ],
    exits: DAEMON_EXITS,
  });
}

function command(name: string): Command {
  return new Command(name)
    .addArgument(streamArgument())
    .addOption(timeoutOption("how long to wait for the daemon, and for the stream to be served", 5))
    .option("--json", "print the stream's status");
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
