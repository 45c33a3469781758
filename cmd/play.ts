// SPDX-License-Identifier: MIT
/** `xsnd play`: the software frontend plays a file into a stream. */
import { Command } from "commander";
import { runSession } from "../lib/guest/run_session.ts";
import { interruptible } from "../lib/base/signals.ts";
import { withManual, XEN_VARIABLES } from "./shared/manual.ts";
import { streamArgument } from "./shared/options.ts";
import { print, printJsonLine } from "./shared/output.ts";
import {
  addSessionOptions,
  findStream,
  requireNoXrun,
  SESSION_EXITS,
  type SessionCommandOptions,
  sessionFile,
} from "./shared/session_options.ts";
import { clearProgress, describeReport, showSession } from "./shared/session_output.ts";

export function playCommand(): Command {
  const command = new Command("play")
    .description(
      "Play an audio file into a guest's playback stream. The command is a software frontend: it does in a process what " +
        "the driver snd_xen_front does in a guest's kernel. In `xsnd sandbox` the command acts as any domain; on real Xen as " +
        "the domain that it runs in. A damaged file is played as far as possible, with a warning on stderr for each fault.",
    )
    .argument(
      "<file>",
      "WAV, RF64, BW64 or Wave64 file with PCM, float, A-law or mu-law samples; - is standard input",
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
      requireNoXrun(report, options);
    },
  );
  return withManual(command, {
    examples: [
      ["xsnd play melody.wav domU/0/0/0", "play a WAV file"],
      ["xsnd play noise.raw domU --raw --rate 48000 --channels 2", "play samples without a header"],
      ["xsnd play melody.wav domU --json | jq .xruns", "count the xruns"],
      ["xsnd play melody.wav domU --fail-on-xrun", "test that there is none"],
    ],
    exits: SESSION_EXITS,
    environment: XEN_VARIABLES,
    seeAlso: ["xsnd-record(1)", "xsnd-list(1)", "xsnd-trace(1)"],
  });
}
