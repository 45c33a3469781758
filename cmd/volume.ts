// SPDX-License-Identifier: MIT
/** `xsnd volume`, `mute` and `unmute`: an operator sets the volume of streams, independently of their guests. */
import { Command } from "commander";
import { ControlClient } from "../lib/control/control_client.ts";
import { askForEach, servedStreams, streamsMeant } from "../lib/control/many_streams.ts";
import type { StreamReport } from "../lib/control/protocol.ts";
import { muteText } from "../lib/observe/stream_columns.ts";
import { LEAST_DECIBELS, MOST_DECIBELS, parseVolume, type VolumeChange } from "../lib/stream/volume_text.ts";
import { CONTROL_VARIABLES, withManual } from "./shared/manual.ts";
import { DAEMON_EXITS, muteTime, streamsArgument, timeoutOption } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";
import { WaitingNote } from "./shared/waiting_note.ts";

interface Options {
  readonly timeout: number;
  readonly json?: boolean;
}

const LASTING =
  "The guest cannot see or undo the setting. The setting outlives the guest's connection and the daemon.";

const SEE_ALSO = ["xsnd-volume(1)", "xsnd-mute(1)", "xsnd-unmute(1)", "xsnd-trigger(1)", "xsnd-status(1)"];

export function volumeCommand(): Command {
  const volume = command("volume")
    .usage("[options] <stream...> [volume]")
    .description(
      "Set the volume of streams, applied after the guest's own volume. VOLUME is in dB: 0 leaves the sound unchanged, -6 halves " +
        "the amplitude, -120 is silence, 12 is the maximum. +3dB and -3dB change the volume that there is. 80% is the place of a " +
        `slider as pactl(1) has it; 100% is 0 dB. Without VOLUME the command shows the volume. ${LASTING}`,
    )
    // A change such as -3dB looks like an option.
    .allowUnknownOption()
    .action(async (words: string[], options: Options) => {
      const { streams, change } = await streamsAndVolume(words, options, volume);
      if (change?.isRelative !== true) return await setAll(streams, { volume: change?.(0) }, options);
      // The daemon knows no changes: it tells the present volume, and is then told the new one.
      await changeAll(streams, change, options);
    });
  return withManual(volume, {
    examples: [
      ["xsnd volume domU/0/0/0 -6", "halve the amplitude"],
      ["xsnd volume domU -3dB", "all streams of a guest, a little softer"],
      ["xsnd volume domU/0/0/0", "show the volume"],
    ],
    exits: DAEMON_EXITS,
    environment: CONTROL_VARIABLES,
    seeAlso: [...SEE_ALSO, "pactl(1)"],
  });
}

/** The streams, and the volume if the last word is one. Ends with a message if the last word is neither a stream nor a volume. */
async function streamsAndVolume(
  words: readonly string[],
  options: Options,
  command: Command,
): Promise<{ readonly streams: readonly string[]; readonly change?: VolumeChange }> {
  const unknown = words.find((word) => /^-[^\d.]/.test(word));
  if (unknown !== undefined) command.error(`error: unknown option '${unknown}'`);
  const last = words.at(-1)!;
  const change = words.length > 1 ? parseVolume(last) : undefined;
  if (change !== undefined) return { streams: words.slice(0, -1), change };
  const isName = words.length === 1 ||
    /[^\d.dB%+-]/i.test(last) && await isServed(last, options.timeout * 1000);
  if (!isName) command.error(`error: ${JSON.stringify(last)} is no volume: ${VOLUMES}`);
  return { streams: words };
}

/** Whether the daemon serves a stream that `wanted` means. */
async function isServed(wanted: string, waitMs: number): Promise<boolean> {
  return streamsMeant(await servedStreams(waitMs), wanted).length > 0;
}

const VOLUMES =
  `write a number of dB from ${LEAST_DECIBELS} to ${MOST_DECIBELS}, a change such as +3dB or -3dB, or a share such as 80%`;

export function muteCommand(): Command {
  const mute = command("mute")
    .description(`Mute streams. The position that a guest reads goes on. ${LASTING}`)
    .option("--for <time>", "end the mute after this time, such as 10m or 1h30m", muteTime)
    .action((streams: string[], options: Options & { for?: number }) =>
      setAll(streams, { muted: true, ...(options.for !== undefined && { muteMs: options.for }) }, options)
    );
  return withManual(mute, {
    examples: [
      ["xsnd mute domU/0/0/1", "keep a microphone from the guest"],
      ["xsnd mute 'web*'", "mute all guests whose names begin so"],
      ["xsnd mute domU --for 10m", "no sound of a guest for ten minutes"],
    ],
    exits: DAEMON_EXITS,
    environment: CONTROL_VARIABLES,
    seeAlso: SEE_ALSO,
  });
}

export function unmuteCommand(): Command {
  const unmute = command("unmute")
    .description("Undo `xsnd mute`: each stream has its former volume again.")
    .action((streams: string[], options: Options) => setAll(streams, { muted: false }, options));
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
    .addArgument(streamsArgument())
    .addOption(timeoutOption("how long to wait until the daemon serves a stream", 5))
    .option("--json", "print the status of each stream, a line each");
}

interface Setting {
  readonly volume?: number;
  readonly muted?: boolean;
  readonly muteMs?: number;
}

async function setAll(streams: readonly string[], setting: Setting, options: Options): Promise<void> {
  const waitMs = options.timeout * 1000;
  const request = (stream: string) => ({ command: "volume", stream, ...setting, waitMs }) as const;
  using note = new WaitingNote(`for ${streams.join(", ")}`, waitMs);
  for await (const report of askForEach(streams, request, waitMs)) {
    note.clear();
    show(report, options);
  }
}

async function changeAll(streams: readonly string[], change: VolumeChange, options: Options): Promise<void> {
  const waitMs = options.timeout * 1000;
  const ask = (stream: string) => ({ command: "volume", stream, waitMs }) as const;
  using note = new WaitingNote(`for ${streams.join(", ")}`, waitMs);
  for await (const { stream, volume } of askForEach(streams, ask, waitMs)) {
    using daemon = await ControlClient.connect(waitMs);
    const report = await daemon.call({ command: "volume", stream, volume: change(volume), waitMs });
    note.clear();
    show(report, options);
  }
}

function show(report: StreamReport, { json }: Options): void {
  if (json) return printJsonLine(report);
  const mute = report.muted ? `, ${muteText(report.mutedUntil)}` : "";
  print(`${report.stream}: ${report.volume} dB${mute}`);
}
