// SPDX-License-Identifier: MIT
/** `xsnd record`: the software frontend records a stream to a file. */
import { Command } from "commander";
import { runSession } from "../lib/guest/run_session.ts";
import { interruptible } from "../lib/base/signals.ts";
import { withManual, XEN_VARIABLES } from "./shared/manual.ts";
import { positive, streamArgument } from "./shared/options.ts";
import { printEnd, printJsonEnd } from "./shared/output.ts";
import {
  addSessionOptions,
  findStream,
  requireNoXrun,
  SESSION_EXITS,
  type SessionCommandOptions,
  sessionFile,
} from "./shared/session_options.ts";
import { clearProgress, describeReport, showSession } from "./shared/session_output.ts";

export function recordCommand(): Command {
  const command = new Command("record")
    .description(
      "Record a guest's capture stream to a WAV file. The command is a software frontend: it does in a process what the " +
        "driver snd_xen_front does in a guest's kernel. In `xsnd sandbox` the command acts as any domain; on real Xen as " +
        "the domain that it runs in.",
    )
    .argument("<file>", "WAV file to write; - is standard output")
    .addArgument(streamArgument())
    .option("--seconds <n>", "length of the recording", positive, 5);
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
      if (options.json) printJsonEnd(path, report);
      else printEnd(path, `recorded ${describeReport(report)}`);
      requireNoXrun(report, options);
    },
  );
  return withManual(command, {
    examples: [
      ["xsnd record take.wav domU/0/0/1", "record 5 seconds"],
      [
        "xsnd record take.wav domU/0/0/1 --seconds 60 --rate 44100 --format s32_le",
        "record a minute in this format",
      ],
    ],
    exits: SESSION_EXITS,
    environment: XEN_VARIABLES,
    seeAlso: ["xsnd-play(1)", "xsnd-list(1)", "xsnd-trace(1)"],
  });
}
