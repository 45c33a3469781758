// SPDX-License-Identifier: MIT
/** `xsnd play`: the software frontend plays a file, as a guest of the daemon. */
import { Command } from "commander";
import { runSession } from "../lib/guest/run_session.ts";
import { interruptible } from "../lib/base/signals.ts";
import { withManual } from "./shared/manual.ts";
import { streamArgument } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";
import {
  addSessionOptions,
  clearProgress,
  describeReport,
  findStream,
  SESSION_EXITS,
  type SessionCommandOptions,
  sessionFile,
  showSession,
} from "./shared/session_options.ts";

export function playCommand(): Command {
  const command = new Command("play")
    .description(
      "Play a WAV file into a guest's playback stream, doing in this process what snd_xen_front does in a guest's kernel. " +
        "In `xsnd sandbox` it acts as any domain; on real Xen as the one that it runs in. A file with faults is played as far " +
        "as possible, with a warning on stderr for each fault.",
    )
    .argument(
      "<file>",
      "a WAV, RF64, BW64 or Wave64 file of PCM, floats, A-law or mu-law; - for standard input",
    )
    .addArgument(streamArgument());
  addSessionOptions(command).action(
    async (path: string, wanted: string, options: SessionCommandOptions) => {
      const report = await interruptible(async (signal) => {
        const stream = await findStream(wanted, "playback");
        const { behaviour, bufferFrames, periodFrames, json } = options;
        const file = sessionFile(path, options);
        return await runSession(
          { kind: "play", file, stream, behaviour, bufferFrames, periodFrames, baseline: json === true },
          showSession,
          signal,
        ).finally(clearProgress);
      });
      if (options.json) printJsonLine(report);
      else print(`played ${describeReport(report)}`);
    },
  );
  return withManual(command, {
    examples: [
      ["xsnd play melody.wav domU/0/0/0", "play a file"],
      ["xsnd play noise.raw domU --raw --rate 48000 --channels 2", "samples without a header"],
      ["xsnd play melody.wav domU --json | jq .xruns", "measure"],
    ],
    exits: SESSION_EXITS,
  });
}
