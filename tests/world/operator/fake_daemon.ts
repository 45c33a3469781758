// SPDX-License-Identifier: MIT
/**
 * A daemon for the tests of operators: the real ControlServer in a process of a virtual machine, over streams that are nothing but
 * their settings. It can be made to misbehave as a daemon must not.
 */
import { Changes } from "../../../lib/bridge/changes.ts";
import { Exit, XsndError } from "../../../lib/base/error.ts";
import { pause } from "../../../lib/base/signals.ts";
import { ControlServer } from "../../../lib/control/control_server.ts";
import {
  CONTROL_VERSION,
  type ControlRequest,
  resolveStream,
  type StatusReport,
  type StreamReport,
} from "../../../lib/control/protocol.ts";
import { isMeantBy } from "../../../lib/stream/stream_name.ts";
import { afterOperatorTrigger } from "../../../lib/stream/stream_state.ts";
import { encodeRecords, endRecord } from "../../../lib/trace/trace_format.ts";
import { virtualLibc } from "../machine/libc.ts";
import { installPlatform, real } from "../machine/platform.ts";
import "../machine/preload.ts";
import { isOfDeath, type Process } from "../machine/process.ts";
import { TestMachine } from "../machine/test_machine.ts";
import { CONTROL_SOCKET, Operators } from "./commands.ts";
import { type Settings, UNTOUCHED } from "./in_force.ts";
import type { Observation } from "./record.ts";

installPlatform({
  "libc.so": (symbols) =>
    virtualLibc(real.dlopen("libc.so.6", symbols).symbols as Parameters<typeof virtualLibc>[0], {
      copied: () => {},
    }),
});
Deno.env.set("XSND_CONTROL", CONTROL_SOCKET);

/** What the daemon does wrong. `late`: it carries out what was given up. `forgetful`: it answers and does nothing. */
export type Misbehaviour = "late" | "forgetful";

export class FakeDaemon {
  /** The settings of each stream. They outlive the process, as those in XenStore do. */
  readonly settings: Map<string, Settings>;
  /** Streams that their guests have started. */
  readonly started = new Set<string>();
  misbehaviour: Misbehaviour | undefined;
  /** The kinds of requests that were handled. */
  readonly handled: string[] = [];
  process: Process;
  #changes = new Changes();
  #server: ControlServer | undefined;

  constructor(private readonly machine: TestMachine, streams: readonly string[]) {
    this.settings = new Map(streams.map((name) => [name, UNTOUCHED]));
    this.process = this.start();
  }

  /** Starts the daemon, again if it was killed. */
  start(group?: string): Process {
    this.process = this.machine.process("daemon");
    this.#changes = new Changes();
    this.machine.start(this.process, async () => {
      try {
        this.#server = await ControlServer.listen(CONTROL_SOCKET, group);
        this.#server.serve((request, gone) => this.#handle(request, gone));
      } catch (error) {
        if (!isOfDeath(error)) this.process.failed(error);
      }
    });
    return this.process;
  }

  /** Ends as at SIGTERM. */
  end(): void {
    this.process.main.post(0, () => {
      this.#server?.[Symbol.dispose]();
      this.process.kill();
    });
  }

  /** The guest starts or stops the stream. */
  setStarted(stream: string, isStarted: boolean): void {
    if (isStarted) this.started.add(stream);
    else this.started.delete(stream);
    if (this.process.isAlive) this.process.main.post(0, () => this.#changes.tell());
  }

  async #handle(request: ControlRequest, gone: AbortSignal): Promise<unknown> {
    this.handled.push(request.command);
    switch (request.command) {
      case "status":
        return this.#status();
      case "watch":
        return this.#watch(gone);
      case "trace":
        return this.#trace(
          await this.#when(request.stream, request.waitMs, gone, () => true),
          request.lastSeconds === undefined ? gone : AbortSignal.abort(),
        );
      case "wait": {
        const isGoal = (stream: string) => (request.goal === "closed") !== this.started.has(stream);
        return this.#report(await this.#when(request.stream, request.waitMs, gone, isGoal));
      }
      case "volume": {
        const { volume, muted } = request;
        const stream = await this.#when(request.stream, request.waitMs, gone, () => true);
        this.#set(stream, {
          ...(volume !== undefined && { volume: (Math.round(volume * 1000) + 0) / 1000 }),
          ...(muted !== undefined && { muted }),
        });
        return this.#report(stream);
      }
      case "trigger": {
        const isReady = (stream: string) =>
          this.started.has(stream) || this.settings.get(stream)!.hold !== "none";
        const stream = await this.#when(request.stream, request.waitMs, gone, isReady);
        this.#set(stream, { hold: afterOperatorTrigger(request.trigger) });
        return this.#report(stream);
      }
    }
  }

  #set(stream: string, changes: Partial<Settings>): void {
    if (this.misbehaviour === "forgetful") return;
    this.settings.set(stream, { ...this.settings.get(stream)!, ...changes });
    this.#changes.tell();
  }

  async #when(
    wanted: string,
    waitMs: number,
    gone: AbortSignal,
    isReady: (stream: string) => boolean,
  ): Promise<string> {
    const streams = [...this.settings.keys()].map((stream) => ({ stream, domid: domidOf(stream) }));
    const look = () => {
      if (!streams.some((stream) => isMeantBy(stream, wanted))) return undefined;
      const { stream } = resolveStream(streams, wanted);
      return isReady(stream) ? stream : undefined;
    };
    const signal = this.misbehaviour === "late" ? new AbortController().signal : gone;
    const found = await this.#changes.until(look, waitMs, signal);
    if (found !== undefined) return found;
    if (signal.aborted) {
      throw new XsndError("the request was given up before it could be done", Exit.interrupted);
    }
    throw new XsndError(`${resolveStream(streams, wanted).stream} is not ready`, Exit.timedOut);
  }

  async *#watch(gone: AbortSignal): AsyncGenerator<StatusReport> {
    let told: string | undefined;
    while (!gone.aborted) {
      const report = this.#status();
      const now = JSON.stringify(report.streams);
      if (now !== told) yield report;
      told = now;
      await pause(100, gone).catch(() => {});
    }
  }

  async *#trace(stream: string, gone: AbortSignal): AsyncGenerator<unknown> {
    const { domid, type, device, uniqueId, state } = this.#report(stream);
    const startedAt = new Date().toISOString();
    yield { stream, domid, type, device, uniqueId, xsnd: "0", startedAt, state };
    while (!gone.aborted) await pause(20, gone).catch(() => {});
    yield { records: encodeRecords([endRecord(0, "the recorder ends it")]).toBase64() };
  }

  #status(): StatusReport {
    return {
      version: CONTROL_VERSION,
      pid: Deno.pid,
      uptimeSeconds: performance.now() / 1000,
      cpuSeconds: 0,
      residentBytes: 0,
      streams: [...this.settings.keys()].map((stream) => this.#report(stream)),
    };
  }

  #report(stream: string): StreamReport {
    const counters = {
      connections: 1,
      movedFrames: 0,
      requests: 0,
      queries: 0,
      events: 0,
      periods: 0,
      xruns: 0,
    };
    const further = {
      hostXruns: 0,
      xrunSeconds: 0,
      lateFrames: 0,
      protocolErrors: 0,
      starts: 0,
      losses: 0,
      stalls: 0,
    };
    const frames = {
      transferredFrames: 0,
      heardFrames: 0,
      standInFrames: 0,
      deniedFrames: 0,
      silenceFrames: 0,
      hostSilenceFrames: 0,
      discardedFrames: 0,
    };
    return {
      stream,
      domid: domidOf(stream),
      type: "playback",
      device: "hw:0,0",
      denied: false,
      uniqueId: stream,
      recording: false,
      state: this.started.has(stream) ? "running" : "closed",
      ...this.settings.get(stream)!,
      ...counters,
      ...further,
      ...frames,
    };
  }
}

/** Each stream's domain has a number that its name implies. */
export function domidOf(stream: string): number {
  return stream.startsWith("domV/") ? 2 : 1;
}

/** A machine with a daemon and operators. */
export class OperatorRig {
  readonly machine: TestMachine;
  readonly daemon: FakeDaemon;
  readonly operators: Operators;
  readonly log: string[] = [];
  readonly observations: Observation[] = [];

  constructor(
    seed: number,
    readonly streams: readonly string[] = ["domU/0/0/0", "domU/0/0/1", "domV/0/0/0"],
  ) {
    const machine = this.machine = new TestMachine(seed);
    this.daemon = new FakeDaemon(machine, streams);
    this.operators = new Operators({
      clock: machine.clock,
      startProcess: (name) => machine.process(name),
      log: (text) => this.log.push(`${machine.clock.now} ${text}`),
    }, (observation) => this.observations.push(observation));
  }

  get targets() {
    return this.streams.map((name) => ({ name, domid: domidOf(name) }));
  }

  /** Lets `ms` pass. */
  pass(ms: number): Promise<void> {
    return this.machine.pass(ms * 1000);
  }
}
