// SPDX-License-Identifier: MIT
/** `xsnd record`: the software frontend records to a file, as a guest of the daemon. */
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
  positive,
  SESSION_EXITS,
  type SessionCommandOptions,
  sessionFile,
  showSession,
} from "./shared/session_options.ts";

export function recordCommand(): Command {
  const command = new Command("record")
    .description(
      "Record from a guest's capture stream to a WAV file, doing in this process what snd_xen_front does in a guest's " +
        "kernel. In `xsnd sandbox` it acts as any domain; on real Xen as the one that it runs in.",
    )
    .argument("<file>", "the WAV file to make")
    .addArgument(streamArgument())
    .option("--seconds <n>", "how long", positive, 5);
  addSessionOptions(command).action(
    async (path: string, wanted: string, options: SessionCommandOptions & { seconds: number }) => {
      const report = await interruptible(async (signal) => {
        const stream = await findStream(wanted, "capture");
        const { behaviour, bufferFrames, periodFrames, json, format, rate, channels, seconds } = options;
        const file = sessionFile(path, options);
        const record = { format, rate, channels, seconds };
        return await runSession(
          {
            kind: "record",
            file,
            stream,
            behaviour,
            bufferFrames,
            periodFrames,
            record,
            baseline: json === true,
          },
          showSession,
          signal,
        ).finally(clearProgress);
      });
      if (options.json) printJsonLine(report);
      else print(`recorded ${describeReport(report)}`);
    },
  );
  return withManual(command, {
    examples: [
      ["xsnd record take.wav domU/0/0/1", "5 seconds"],
      [
        "xsnd record take.wav domU/0/0/1 --seconds 60 --rate 44100 --format s32_le",
        "a minute, in this shape",
      ],
    ],
    exits: SESSION_EXITS,
  });
}
