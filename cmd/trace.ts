// SPDX-License-Identifier: MIT
/** `xsnd trace`: what goes over a stream's rings, recorded, shown, replayed and drawn. */
import { Command, Option } from "commander";
import { ControlClient } from "../lib/control/control_client.ts";
import { XsndError } from "../lib/base/error.ts";
import { interruptible, unlessAborted } from "../lib/base/signals.ts";
import type { EventIdBehaviour } from "../lib/sndif/mod.ts";
import { RecordKind, TRACE_VERSION } from "../lib/trace/trace_format.ts";
import type { Summary } from "../lib/trace/summary.ts";
import { withManual } from "./shared/manual.ts";
import { duration, streamArgument, timeoutOption } from "./shared/options.ts";
import { count, print, printJsonLine } from "./shared/output.ts";
import { behaviourOption, findStream, positive } from "./shared/session_options.ts";

export function traceCommand(): Command {
  const command = new Command("trace")
    .description(
      "Record the requests, responses and events of a stream while it runs, with where its card is, and look at them " +
        "afterwards. There is no sound in a trace.",
    )
    .addCommand(recordCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(plotCommand());
  return withManual(command, {
    examples: [
      ["xsnd trace record domU/0/0/0 -o stutter.trace", "first, while it stutters"],
      ["xsnd trace plot stutter.trace -o stutter.html", "and then, wherever there is a browser"],
    ],
  });
}

interface RecordOptions {
  readonly output: string;
  readonly seconds?: number;
  readonly until?: "closed";
  readonly timeout: number;
  readonly json?: boolean;
}

function recordCommand(): Command {
  const command = new Command("record")
    .summary("record what goes over STREAM's rings, until SIGINT")
    .description(
      "Record a stream of the running daemon, from this moment on, whether it is open or not, over its guest's " +
        "reconnections, until SIGINT or SIGTERM, or the stream's card is taken away.",
    )
    .addArgument(streamArgument())
    .requiredOption("-o, --output <file>", "where to; it is written as things happen")
    .option("--seconds <n>", "end after so long", duration)
    .addOption(
      new Option("--until <what>", "end when the guest closes the stream, or is gone").choices(["closed"]),
    )
    .addOption(timeoutOption("how long to wait for the daemon to serve the stream", 5))
    .option("--json", "print the summary as one JSON object")
    .action(async (stream: string, options: RecordOptions) => {
      const [{ record }, { createFile }] = await Promise.all([
        import("../lib/control/trace_recorder.ts"),
        import("../lib/trace/trace_file.ts"),
      ]);
      const waitMs = options.timeout * 1000;
      const summary = await interruptible(async (signal) => {
        using daemon = await unlessAborted(ControlClient.connect(waitMs), signal);
        using files = new DisposableStack();
        const open = () => files.use(createFile(options.output));
        const wanted = { stream, waitMs, untilClosed: options.until === "closed", seconds: options.seconds };
        return await record(daemon, open, wanted, signal);
      });
      if (options.json) printJsonLine(summary);
      else print(`recorded to ${options.output}: ${describe(summary)}`);
    });
  return withManual(command, {
    examples: [
      ["xsnd trace record domU/0/0/0 -o stutter.trace", "until Ctrl-C, which is no failure"],
      ["xsnd trace record domU -o open.trace --until closed", "one use of the stream, from OPEN to CLOSE"],
    ],
    exits: {
      failed: "there is no such stream, somebody else traces it, or the file cannot be written",
      noDaemon: "no daemon answers within the time-out",
      permission: "may not talk to the daemon, or write the file",
      interrupted: "interrupted before there was anything to record",
    },
  });
}

function showCommand(): Command {
  const command = new Command("show")
    .summary("a line for each record of FILE, and a summary")
    .description(
      "Decode a trace: > is from the guest, < to it; times are in seconds since the trace began, and round trips from when " +
        "the daemon took a request off the ring to when it had its response.",
    )
    .argument("<file>", "a trace")
    .option("--positions", "also show where the card was, at each of its interrupts")
    .option("--json", "print a JSON object a line, the first the file's head, the last a summary")
    .action(async (path: string, options: { positions?: boolean; json?: boolean }) => {
      const [{ readTrace }, { Decoder }, { fieldsOf, lineOf }, { summarize }] = await Promise.all(
        [
          import("../lib/trace/trace_file.ts"),
          import("../lib/trace/packets.ts"),
          import("../lib/trace/describe_record.ts"),
          import("../lib/trace/summary.ts"),
        ],
      );
      const { head, records, truncated } = readTrace(path);
      if (options.json) printJsonLine({ kind: "head", version: TRACE_VERSION, ...head });
      else print(`# ${head.stream}, ${head.type} on ${head.device}, from ${head.startedAt} on`);
      const decoder = new Decoder();
      for (const record of records) {
        const decoded = decoder.next(record);
        if (record.kind === RecordKind.position && !options.positions) continue;
        if (options.json) printJsonLine({ time: record.time / 1e6, ...fieldsOf(decoded) });
        else print(lineOf(decoded));
      }
      const summary = summarize(records);
      if (options.json) return printJsonLine({ kind: "summary", ...summary, truncated });
      print(`# ${describe(summary)}`);
      if (truncated) {
        print("# the file ends in the middle of a record: its recorder was killed, or the disk is full");
      }
    });
  return withManual(command, {
    examples: [
      ["xsnd trace show stutter.trace | less", "what was asked, answered and told"],
      [
        "xsnd trace show a.trace --json | jq 'select(.kind==\"response\" and .status<0)'",
        "what was refused",
      ],
    ],
    exits: { failed: "the file cannot be read, or is no trace", permission: "may not read the file" },
  });
}

interface ReplayCommandOptions {
  readonly speed: number;
  readonly behaviour: EventIdBehaviour;
  readonly json?: boolean;
}

function replayCommand(): Command {
  const command = new Command("replay")
    .summary("send FILE's requests to STREAM's backend, and compare the answers")
    .description(
      "Play the frontend's part of a trace again, as `xsnd play` would: the same requests at the same times, one after the " +
        "other, with silence for samples. Fails if one has another status than it had.",
    )
    .argument("<file>", "a trace")
    .addArgument(streamArgument())
    .option("--speed <factor>", "how many times as fast", positive, 1)
    .addOption(behaviourOption())
    .option("--json", "print the comparison as one JSON object")
    .action(async (path: string, wanted: string, { speed, behaviour, json }: ReplayCommandOptions) => {
      const [{ readTrace }, { stepsOf }, { runReplay }, { lineOfPacket }] = await Promise.all([
        import("../lib/trace/trace_file.ts"),
        import("../lib/guest/steps.ts"),
        import("../lib/guest/run_session.ts"),
        import("../lib/trace/describe_record.ts"),
      ]);
      const trace = readTrace(path);
      const steps = stepsOf(trace);
      const report = await interruptible(async (signal) => {
        const stream = await findStream(wanted, trace.head.type);
        return await runReplay({ kind: "replay", stream, behaviour, steps, speed }, signal);
      });
      const { requests, compared, differences, seconds, roundTripMicros: rtt } = report;
      if (json) printJsonLine(report);
      else {
        for (const { step, recorded, replayed } of differences) {
          print(
            `${lineOfPacket(steps[step].time, steps[step].packet)}: recorded ${recorded}, now ${replayed}`,
          );
        }
        print(
          `replayed ${count(requests, "request")} in ${
            seconds.toFixed(3)
          } s, ${differences.length} of ${compared} ` +
            `answered otherwise; round trip p50 ${rtt.p50} µs, p99 ${rtt.p99} µs, max ${rtt.max} µs`,
        );
      }
      if (differences.length === 0) return;
      throw new XsndError(`${differences.length} of ${compared} answers are not those of ${path}`);
    });
  return withManual(command, {
    examples: [
      ["xsnd trace replay stutter.trace domU", "the same again, against the daemon that runs now"],
      ["xsnd trace replay open.trace domU --speed 10", "in a tenth of the time"],
    ],
    exits: {
      failed:
        "an answer differs, there is no such stream, another frontend has its card, or the file is no trace",
      timedOut: "the backend does not answer",
      interrupted: "interrupted",
    },
  });
}

function plotCommand(): Command {
  const command = new Command("plot")
    .summary("draw FILE as one page for a browser")
    .description(
      "Draw the position that the guest was told against the card's clock, the buffer's fill, round trips and xruns over a " +
        "common time, in one HTML file that needs no network.",
    )
    .argument("<file>", "a trace")
    .requiredOption("-o, --output <file>", "the page")
    .action(async (path: string, { output }: { output: string }) => {
      const [{ readTrace, createFile }, { pageOf }] = await Promise.all([
        import("../lib/trace/trace_file.ts"),
        import("../lib/trace/page.ts"),
      ]);
      const page = new TextEncoder().encode(pageOf(readTrace(path)));
      using append = createFile(output);
      append(page);
      print(`drawn to ${output}; open it in a browser`);
    });
  return withManual(command, {
    examples: [["xsnd trace plot stutter.trace -o stutter.html", "a page to look at, and to send to others"]],
    exits: {
      failed: "the trace cannot be read, or the page cannot be written",
      permission: "may not read the one, or write the other",
    },
  });
}

/** A summary in a line or two, for people. */
function describe(summary: Summary): string {
  const { requests, refused, events, seconds, xruns, xrunSeconds, lost, roundTripMicros: rtt } = summary;
  return `${count(requests, "request")}, ${refused} refused, ${count(events, "event")} in ${
    seconds.toFixed(3)
  } s; ` +
    `${count(xruns, "xrun")}${xruns === 0 ? "" : ` of ${Math.round(xrunSeconds * 1000)} ms`}; ` +
    `round trip p50 ${rtt.p50} µs, p99 ${rtt.p99} µs, max ${rtt.max} µs; ${count(lost, "record")} lost`;
}
