// SPDX-License-Identifier: MIT
/**
 * The commands of xsnd that ask the daemon, by the same calls as their files in cmd/ make, without parsing and printing. Each runs as
 * a process of its own.
 */
import { interruptible, pause, unlessAborted, untilAborted } from "../../../lib/base/signals.ts";
import { ControlClient } from "../../../lib/control/control_client.ts";
import {
  type ControlRequest,
  type StatusReport,
  steadyPart,
  type StreamReport,
} from "../../../lib/control/protocol.ts";
import { record } from "../../../lib/control/trace_recorder.ts";
import { waitForStream } from "../../../lib/control/wait.ts";
import { topView } from "../../../lib/observe/top_view.ts";
import { watchLines } from "../../../lib/observe/watch.ts";
import { RecordKind } from "../../../lib/trace/trace_format.ts";
import { createFile, readTrace } from "../../../lib/trace/trace_file.ts";
import type { Process } from "../machine/process.ts";
import type { CommandPlan, Verb } from "./plan.ts";
import type { Recorder } from "./record.ts";

/** What a command works with. */
export interface Command {
  readonly process: Process;
  readonly plan: CommandPlan;
  readonly recorder: Recorder;
  /** A path of its own for a trace. */
  readonly traceFile: string;
}

/** The request that a command sends first. */
export function requestOf(plan: CommandPlan): ControlRequest {
  const { stream, waitMs, trigger, volume, goal, seconds } = plan;
  switch (plan.verb) {
    case "status":
    case "top":
      return { command: "status" };
    case "watch":
      return { command: "watch" };
    case "trigger":
      return { command: "trigger", stream, trigger, waitMs };
    case "volume":
      return { command: "volume", stream, ...(volume !== undefined && { volume }), waitMs };
    case "mute":
      return {
        command: "volume",
        stream,
        muted: true,
        ...(seconds !== undefined && { muteMs: seconds * 1000 }),
        waitMs,
      };
    case "unmute":
      return { command: "volume", stream, muted: false, waitMs };
    case "wait":
      return { command: "wait", stream, goal, waitMs };
    case "trace":
      return { command: "trace", stream, waitMs };
    case "last":
      return { command: "trace", stream, waitMs, lastSeconds: lastSeconds(plan) };
  }
}

/** `trace last --seconds`, and what it is otherwise. */
function lastSeconds({ seconds = 30 }: CommandPlan): number {
  return seconds;
}

/** Carries out the command. Throws what the command would: XsndError with its exit code. */
export function runCommand(command: Command): Promise<void> {
  return COMMANDS[command.plan.verb](command);
}

const COMMANDS: Readonly<Record<Verb, (command: Command) => Promise<void>>> = {
  status: askOnce,
  trigger: askOnce,
  volume: askOnce,
  mute: askOnce,
  unmute: askOnce,
  watch,
  top,
  wait,
  trace,
  last: trace,
};

async function askOnce(command: Command): Promise<void> {
  const { plan, recorder } = command;
  using daemon = await ControlClient.connect(plan.waitMs);
  const request = requestOf(plan);
  cutRequest(command, daemon);
  await recorder.call(request, () => daemon.call(request));
}

const WATCHED = {
  noun: "stream",
  version: 2,
  key: ({ stream }: StreamReport) => stream,
  steady: steadyPart,
} as const;

async function watch(command: Command): Promise<void> {
  const { plan, recorder, process } = command;
  using daemon = await ControlClient.connect(plan.waitMs);
  cutRequest(command, daemon);
  const asked = recorder.ask({ command: "watch" });
  /** The last report, or the request: the daemon makes a report after it has sent the one before. */
  let from = asked.sentAt;
  async function* looks(): AsyncGenerator<readonly StreamReport[]> {
    for await (const report of daemon.watch({ command: "watch" })) {
      recorder.answered(asked, report, from);
      from = process.clock.now;
      yield report.streams;
    }
  }
  try {
    await interruptible(async (signal) => {
      for await (const line of watchLines(WATCHED, untilAborted(looks(), signal))) JSON.stringify(line);
    });
  } catch (error) {
    recorder.failed(asked, error);
    throw error;
  }
}

async function top(command: Command): Promise<void> {
  const { plan, recorder } = command;
  await interruptible(async (signal) => {
    using daemon = await unlessAborted(ControlClient.connect(plan.waitMs), signal);
    cutRequest(command, daemon);
    const request = { command: "status" } as const;
    let before: StatusReport | undefined;
    for (let left = plan.iterations; left > 0; left--) {
      const status = await unlessAborted(recorder.call(request, () => daemon.call(request)), signal);
      topView(status, before, new Date());
      if (left > 1) await pause(plan.intervalMs, signal);
      before = status;
    }
  });
}

/** The client connects again by itself when the daemon ends: the whole wait counts as one request. */
async function wait({ plan, recorder }: Command): Promise<void> {
  await recorder.call(requestOf(plan), () => waitForStream(plan.stream, plan.goal, plan.waitMs));
}

async function trace(command: Command): Promise<void> {
  const { plan, recorder, traceFile } = command;
  const { stream, waitMs, seconds, untilClosed, verb } = plan;
  const wanted = verb === "last"
    ? { untilClosed: false, lastSeconds: lastSeconds(plan) }
    : { untilClosed, seconds };
  await interruptible(async (signal) => {
    using daemon = await unlessAborted(ControlClient.connect(waitMs), signal);
    using files = new DisposableStack();
    const open = () => files.use(createFile(traceFile));
    cutRequest(command, daemon);
    await recorder.call(requestOf(plan), async () => {
      try {
        await record(daemon, open, { stream, waitMs, ...wanted }, signal);
      } catch (error) {
        // The daemon may have begun the trace.
        if (signal.aborted) recorder.cut("interrupt");
        throw error;
      }
    });
  });
  // What was recorded can be read. What the daemon remembers is whole.
  const { records } = readTrace(traceFile);
  if (verb === "last" && records.some(({ kind }) => kind === RecordKind.lost)) {
    throw new Error("records are missing in what the daemon remembers");
  }
  Deno.removeSync(traceFile);
}

/** Cuts the command short in the middle of what it asks now, if its plan says so. */
function cutRequest({ plan, process, recorder }: Command, daemon: ControlClient): void {
  const { cut, verb } = plan;
  if (cut === undefined) return;
  const isLong = verb === "watch" || verb === "top" || verb === "trace" || verb === "last";
  const later = (act: () => void) => void process.main.post(cut.afterMs * 1000, act);
  const hangUp = () => {
    recorder.cut("hang up");
    daemon[Symbol.dispose]();
  };
  switch (cut.kind) {
    case "hang up":
      return later(hangUp);
    case "enough":
      // `watch` then waits without end.
      return later(verb === "watch" || verb === "top" ? hangUp : () => void daemon.enough());
    case "line": {
      if (isLong) return later(hangUp);
      const request = { command: "status" } as const;
      // The daemon answers both, in their order. The command ends with the first answer.
      return later(() => void recorder.call(request, () => daemon.call(request)).catch(() => {}));
    }
  }
}
