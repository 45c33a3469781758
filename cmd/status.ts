/** `xsnd status`: what the daemon is doing. */
import { Command } from "commander";
import { ControlClient } from "../lib/control/client.ts";
import type { StatusReport, StreamReport } from "../lib/control/protocol.ts";
import { withManual } from "./manual.ts";
import { seconds } from "./options.ts";

/** Why the stream is not heard as its guest plays it, if so. */
function attenuation({ volume, muted, denied, cardLost }: StreamReport): string {
  const volumes = muted ? ", muted" : volume === 0 ? "" : `, ${volume} dB`;
  return `${denied ? ", denied: silence" : ""}${cardLost ? ", its card is lost: silence" : ""}${volumes}`;
}

export function statusCommand(): Command {
  const command = new Command("status")
    .summary("what the daemon is doing")
    .description("Show each stream that the daemon serves: its state, its parameters, where the card is.")
    .option("--timeout <seconds>", "how long to wait for the daemon", seconds, 5)
    .option("--json", "print one JSON object")
    .action(async (options: { timeout: number; json?: boolean }) => {
      using daemon = await ControlClient.connect(options.timeout * 1000);
      const status = await daemon.call<StatusReport>({ command: "status" });
      if (options.json) return console.log(JSON.stringify(status));
      if (status.streams.length === 0) return console.log("no streams; `xsnd provision DOMAIN` makes a card");
      for (const report of status.streams) {
        const { stream, type, device, state, hold, rate, positionFrames, xruns } = report;
        const doing = hold === "none" ? state : `${state}, ${hold} by the operator`;
        const where = state === "running" || state === "paused" || state === "prepared"
          ? `, ${rate} Hz, at frame ${positionFrames}, ${xruns} xruns`
          : "";
        console.log(`${stream}  ${type} on ${device}: ${doing}${where}${attenuation(report)}`);
      }
    });
  return withManual(command, {
    examples: [
      ["xsnd status", "a line for each stream"],
      ["xsnd status --json | jq '.streams[].xruns'", "for scripts"],
    ],
    exits: { noDaemon: "no daemon answers within the time-out", permission: "may not talk to the daemon" },
  });
}
