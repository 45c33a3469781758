// SPDX-License-Identifier: MIT
/**
 * The engine: serves all rings and devices. It blocks in poll(2) over the event channels, the devices' descriptors and the eventfd
 * by which the main thread announces commands. Nothing else in it blocks, and the path of a sample allocates nothing. The Worker
 * around it is engine_worker.ts.
 */
import { ERRNO } from "../../ffi/libc/errno.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { Errno, errno } from "../../ffi/libc/failed_call.ts";
import { EventFd } from "../../ffi/libc/event_fd.ts";
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { stackOf } from "../base/error.ts";
import { MailboxReader, MailboxWriter } from "../bridge/mailbox.ts";
import type { EngineCommand, EngineEvent, EngineStart, StreamCommand } from "../bridge/messages.ts";
import { MAX_STREAMS, StatusRow } from "../bridge/stream_status.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { EventChannels } from "../xen/ports.ts";
import { EngineStream } from "./engine_stream.ts";
import { IDLE_SIGNAL_COST } from "./guest_budget.ts";
import { GuestTurns, REST_MS } from "./guest_turns.ts";

/** Entries of the poll set: the eventfd and the event channels, then the devices. */
const [WAKE, CHANNELS, DEVICES] = [0, 1, 2];
/** Entries of each device: {@link Pcm.pollFd}, {@link EngineStream.stopFd} and {@link EngineStream.watchFd}. */
const [INTERRUPT, STOP, WATCH, ENTRIES] = [0, 1, 2, 3];

/** A stream whose device is in the poll set. */
interface Polled {
  readonly stream: EngineStream;
  /** The stream's, when the poll set was made. */
  readonly pcm: Pcm;
}

export class Engine {
  readonly #commands: MailboxReader<EngineCommand>;
  readonly #events: MailboxWriter<EngineEvent>;
  readonly #channels: EventChannels;
  readonly #statusTable: SharedArrayBuffer;
  readonly #changes: Int32Array;
  readonly #wake: EventFd;
  readonly #poll = new PollSet(DEVICES + ENTRIES * MAX_STREAMS);
  /** Streams by slot, and by the local port of each of their two channels. */
  readonly #streams: (EngineStream | undefined)[] = new Array(MAX_STREAMS).fill(undefined);
  readonly #byPort = new Map<number, EngineStream>();
  /** The entries of the poll set from {@link DEVICES} on, {@link ENTRIES} for each. */
  #polled: readonly Polled[] = [];
  #pollSetStale = true;
  /** Streams with requests or samples left over from the last turn, or whose guest may not be served. */
  readonly #unfinished = new Set<EngineStream>();
  readonly #turns = new GuestTurns();
  /** The device behind the one that was served last, as an index of {@link #polled}: the first one of the next turn. */
  #firstDevice = 0;
  readonly #clock = new MicrosClock();
  /** When poll(2) last returned for something else than a device, by {@link #clock}. */
  #wokenAt = 0;
  #stopping = false;

  constructor(start: EngineStart, channels: EventChannels) {
    this.#commands = new MailboxReader(start.toEngine);
    this.#events = new MailboxWriter(start.toMain);
    this.#channels = channels;
    this.#statusTable = start.status;
    this.#changes = new Int32Array(start.changes);
    this.#wake = new EventFd(start.wakeFd);
  }

  /** Tells the main thread that the engine serves from now on. */
  ready(facts: Omit<EngineEvent & { op: "ready" }, "op">): void {
    this.#events.post({ op: "ready", ...facts });
  }

  /** Whether the main thread has told the engine to stop. */
  get isStopping(): boolean {
    return this.#stopping;
  }

  /** Serves until the main thread tells the engine to stop. */
  run(): void {
    while (!this.#stopping) this.turn();
    this.end();
  }

  /** Waits until there is something to do, and does it: each stream that has something is served for its turn. */
  turn(): void {
    this.#turns.begin();
    if (this.#pollSetStale) this.#rebuildPollSet();
    const patience = this.#patience();
    if (this.#poll.wait(patience) < 0) {
      if (errno() === ERRNO.EINTR) return;
      throw new Errno("poll", errno());
    }
    const isForDevices = this.#poll.revents(WAKE) === 0 && this.#poll.revents(CHANNELS) === 0;
    // Devices interrupt all the time, and on some hosts reading the clock is a system call.
    if (!isForDevices || patience !== -1) this.#wokenAt = this.#clock.now();
    if (this.#poll.revents(WAKE) !== 0) {
      this.#wake.drain();
      for (let c = this.#commands.take(); c !== undefined; c = this.#commands.take()) this.#execute(c);
    }
    if (this.#turns.anyRests && this.#turns.endRests(this.#wokenAt)) {
      // The next turn polls the devices of the guests that have rested: their requests alone would use up the budgets again.
      this.#pollSetStale = true;
      return;
    }
    if (this.#poll.revents(CHANNELS) !== 0) this.#serveChannels();
    this.#serveDevices(true);
    if (this.#unfinished.size > 0) this.#serveUnfinished();
    this.#serveDevices(false);
  }

  /** Lets go of everything. The engine touches nothing any more afterwards. */
  end(): void {
    for (const stream of this.#streams) if (stream !== undefined) this.#detach(stream);
    this.#channels[Symbol.dispose]();
    this.#events.post({ op: "stopped" });
  }

  #rebuildPollSet(): void {
    this.#pollSetStale = false;
    this.#poll.clear();
    this.#poll.add(this.#wake.fd, POLL.IN);
    this.#poll.add(this.#channels.fd, POLL.IN);
    const polled: Polled[] = [];
    for (const stream of this.#streams) {
      const pcm = stream?.pcm;
      if (stream === undefined || pcm === undefined || this.#turns.rests(stream.budget)) continue;
      polled.push({ stream, pcm });
      this.#poll.add(pcm.pollFd, pcm.pollEvents);
      this.#poll.add(stream.stopFd, 0);
      this.#poll.add(stream.watchFd, POLL.IN);
    }
    this.#polled = polled;
  }

  /** How long poll(2) may wait, in ms; -1: for ever. */
  #patience(): number {
    if (this.#unfinished.size > 0) {
      for (const stream of this.#unfinished) if (!this.#turns.rests(stream.budget)) return 0;
    }
    return this.#turns.anyRests ? REST_MS : -1;
  }

  #serveChannels(): void {
    for (let port = this.#channels.pending(); port >= 0; port = this.#channels.pending()) {
      const stream = this.#byPort.get(port);
      if (stream !== undefined) {
        const before = stream.taken;
        if (stream.requestPort === port) this.#serveRing(stream);
        if (stream.taken === before && this.#mayServe(stream)) this.#charge(stream, IDLE_SIGNAL_COST);
        if (!this.#mayServe(stream)) {
          stream.isMasked = true;
          this.#unfinished.add(stream);
          continue;
        }
      }
      // Only now: a frontend that signals without end is held up by its own turn (XSA-332).
      this.#channels.unmask(port);
    }
  }

  #serveUnfinished(): void {
    let left = this.#unfinished.size;
    for (const stream of this.#unfinished) {
      if (left-- === 0) return;
      if (!this.#mayServe(stream)) continue;
      // A stream with more left goes to the end, behind its guest's other streams.
      this.#unfinished.delete(stream);
      const more = this.#serveRing(stream);
      if (!stream.isMasked || !this.#mayServe(stream)) continue;
      stream.isMasked = false;
      this.#channels.unmask(stream.requestPort);
      this.#channels.unmask(stream.eventPort);
      if (!more) this.#unfinished.delete(stream);
    }
  }

  /**
   * Serves the devices of those guests whose devices are, or are not, served first. Begins behind the device that was served last: a
   * guest's turn may end with any device, and the next one is then the first.
   */
  #serveDevices(areFirst: boolean): void {
    const count = this.#polled.length;
    const first = this.#firstDevice;
    for (let n = 0; n < count; n++) {
      const i = (first + n) % count;
      const at = DEVICES + ENTRIES * i;
      const revents = this.#poll.revents(at + INTERRUPT);
      const hasStopped = this.#poll.revents(at + STOP) !== 0;
      const isWatched = this.#poll.revents(at + WATCH) !== 0;
      if (revents === 0 && !hasStopped && !isWatched) continue;
      const { stream, pcm } = this.#polled[i]!;
      // If the device was replaced since, poll(2) has said nothing of the new one.
      if (stream.pcm !== pcm) continue;
      // A device whose guest's turn has ended stays ready.
      if (!this.#mayServe(stream) || stream.budget.areDevicesFirst !== areFirst) continue;
      this.#firstDevice = i + 1;
      this.#servePcm(stream, revents, hasStopped, isWatched);
    }
  }

  #mayServe({ budget }: EngineStream): boolean {
    return this.#turns.mayServe(budget);
  }

  /** Returns true if there is more to serve, now or as soon as the stream's guest may be served. */
  #serveRing(stream: EngineStream): boolean {
    let more = true;
    if (this.#mayServe(stream)) {
      try {
        more = stream.serveRing(this.#wokenAt);
      } catch (error) {
        more = false;
        stream.fail(error);
      }
      this.#charge(stream, stream.takeCost());
    }
    // A stream whose channels are masked does not hear of more.
    if (more || stream.isMasked) this.#unfinished.add(stream);
    else this.#unfinished.delete(stream);
    return more;
  }

  #servePcm(stream: EngineStream, revents: number, hasStopped: boolean, isWatched: boolean): void {
    try {
      if (revents !== 0) stream.servePcm(revents);
      else if (hasStopped) stream.deviceStopped();
      if (isWatched) stream.watchDevice();
    } catch (error) {
      stream.fail(error);
    }
    if (stream.hasMore) this.#unfinished.add(stream);
    this.#charge(stream, stream.takeCost());
  }

  /** Charges the stream's guest, which rests from now on if its budget is used up. */
  #charge({ budget }: EngineStream, cost: number): void {
    budget.charge(this.#wokenAt, cost);
    if (!budget.isUsedUp(this.#wokenAt)) return;
    // While devices alone wake the engine, nobody reads the clock: what counts is the time now.
    this.#wokenAt = this.#clock.now();
    if (!budget.isUsedUp(this.#wokenAt)) return;
    this.#turns.rest(budget, this.#wokenAt);
    for (let i = 0; i < this.#polled.length; i++) {
      if (this.#polled[i]!.stream.budget !== budget) continue;
      for (let entry = 0; entry < ENTRIES; entry++) this.#poll.ignore(DEVICES + ENTRIES * i + entry);
    }
  }

  #execute(command: EngineCommand): void {
    if (command.op === "stop") {
      this.#stopping = true;
      return;
    }
    if (command.op === "attach") this.#attach(command);
    else if (command.op !== "ping") {
      const stream = this.#streams[command.slot];
      if (command.op === "detach") {
        if (stream !== undefined) this.#detach(stream, command.leaves);
        this.#events.post({ op: "detached", slot: command.slot });
      } else if (stream !== undefined) this.#tell(stream, command);
    }
    if ("ticket" in command) this.#events.post({ op: "done", ticket: command.ticket });
  }

  /** Has the stream carry out `command`; an exception ends that stream alone. */
  #tell(stream: EngineStream, command: StreamCommand): void {
    try {
      stream.execute(command);
    } catch (error) {
      stream.fail(error);
    }
    this.#serveRing(stream);
  }

  #attach(command: EngineCommand & { op: "attach" }): void {
    let stream: EngineStream;
    try {
      stream = this.#makeStream(command);
    } catch (error) {
      return this.#events.post({ op: "defect", slot: command.slot, reason: stackOf(error) });
    }
    this.#streams[stream.slot] = stream;
    this.#byPort.set(stream.requestPort, stream);
    this.#byPort.set(stream.eventPort, stream);
    // The frontend may have signalled before the channel was bound.
    this.#serveRing(stream);
    // A daemon that died may have published an answer without notifying. It lies behind rsp_event, and the guest still waits.
    this.#channels.notify(stream.requestPort);
  }

  #makeStream(command: EngineCommand & { op: "attach" }): EngineStream {
    const { slot, requestPort, eventPort } = command;
    if (this.#streams[slot] !== undefined) throw new Error(`slot ${slot} has a stream already`);
    for (const port of [requestPort, eventPort]) {
      if (this.#byPort.has(port)) throw new Error(`port ${port} is another stream's`);
    }
    const status = new StatusRow(this.#statusTable, slot, this.#changes);
    const services = {
      channels: this.#channels,
      post: (event: EngineEvent) => this.#events.post(event),
      pollSetChanged: () => this.#pollSetStale = true,
    };
    return new EngineStream(command, services, status, this.#turns.budgetOf(command));
  }

  /** The engine reaches nothing of the stream after this, even if the stream throws. */
  #detach(stream: EngineStream, leaves = false): void {
    this.#streams[stream.slot] = undefined;
    this.#byPort.delete(stream.requestPort);
    this.#byPort.delete(stream.eventPort);
    this.#unfinished.delete(stream);
    this.#pollSetStale = true;
    try {
      stream.detach(leaves);
    } catch (error) {
      this.#events.post({ op: "defect", slot: stream.slot, reason: stackOf(error) });
    }
  }
}
