/** `xsnd record`: the software frontend records to a file, as a guest of the daemon. */
import { Command } from "commander";
import { runSession } from "../lib/frontend/run_session.ts";
import { interruptible } from "../lib/signals.ts";
import {
  addSessionOptions,
  clearProgress,
  describeReport,
  findStream,
  positive,
  type SessionCommandOptions,
  sessionFile,
  showProgress,
} from "./session_options.ts";

export function recordCommand(): Command {
  const command = new Command("record")
    .summary("record STREAM to FILE, as a guest of the daemon")
    .description(
      "Record from a guest's capture stream to a WAV file, doing in this process what snd_xen_front does in a guest's " +
        "kernel. In `xsnd sandbox` it acts as any domain; on real Xen as the one that it runs in.",
    )
    .argument("<file>", "the WAV file to make")
    .argument(
      "<stream>",
      "DOMAIN/CARD/PCM/STREAM; trailing parts may be left out while the rest is unambiguous",
    )
    .option("--seconds <n>", "how long", positive, 5);
  return addSessionOptions(command).action(
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
          showProgress,
          signal,
        ).finally(clearProgress);
      });
      console.log(options.json ? JSON.stringify(report) : `recorded ${describeReport(report)}`);
    },
  );
}
