// SPDX-License-Identifier: MIT
/**
 * The engine: the Worker that serves all rings and cards. It blocks in poll(2) over the event channels, the cards'
 * descriptors and the eventfd by which the main thread announces commands; nothing it does blocks elsewhere, and the path of a
 * sample allocates nothing.
 */
/// <reference lib="deno.worker" />
import { ERRNO } from "../../ffi/libc/errno.ts";
import { libasound } from "../../ffi/alsa/libasound.ts";
import { LibraryNotFoundError } from "../../ffi/base/library.ts";
import { threadId } from "../../ffi/libc/cpu_clock.ts";
import { Errno, errno, EventFd, MicrosClock, POLL, PollSet } from "../../ffi/libc/libc.ts";
import { adoptEventChannels } from "../xen/mod.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { EventChannels } from "../xen/ports.ts";
import { stackOf } from "../base/error.ts";
import { EngineStream } from "./engine_stream.ts";
import { GuestBudget, IDLE_SIGNAL_COST } from "./guest_budget.ts";
import { MailboxReader, MailboxWriter } from "../bridge/mailbox.ts";
import type { EngineCommand, EngineEvent, EngineStart, StreamCommand } from "../bridge/messages.ts";
import { scheduleRealtime } from "./realtime.ts";
import { rehearse } from "./jit_warm_up.ts";
import { StatusRow } from "../bridge/stream_status.ts";
import { MAX_STREAMS } from "../bridge/limits.ts";

/** How often guests are looked at that have used up their {@link GuestBudget}, and rest. */
const REST_MS = 5;

class Engine {
  readonly #commands: MailboxReader<EngineCommand>;
  readonly #events: MailboxWriter<EngineEvent>;
  readonly #channels: EventChannels;
  readonly #statusTable: SharedArrayBuffer;
  readonly #changes: Int32Array;
  readonly #wakeFd: number;
  readonly #realtime: boolean;
  readonly #poll = new PollSet(MAX_STREAMS + 2);
  /** Streams by slot, and by the local port of each of their two channels. */
  readonly #streams: (EngineStream | undefined)[] = new Array(MAX_STREAMS).fill(undefined);
  readonly #byPort = new Map<number, EngineStream>();
  /** Streams whose card is in the poll set, in its order. */
  #polled: EngineStream[] = [];
  #pcms: Pcm[] = [];
  #pollSetStale = true;
  /** Streams with requests or samples left over from the last turn, or whose guest has had its turn, or rests. */
  readonly #unfinished = new Set<EngineStream>();
  /** By domid. A guest that connects anew finds what it had: there are no more of these than there can be domains. */
  readonly #budgets = new Map<number, GuestBudget>();
  /** Those of guests that rest: nothing of theirs is served. And since when they were last looked at. */
  readonly #resting = new Set<GuestBudget>();
  #restingSince = 0;
  #turn = 0;
  /** The card that is served first in a turn. */
  #firstCard = 0;
  readonly #clock = new MicrosClock();
  /** When poll(2) last returned for something else than a card, by {@link #clock}. */
  #wokenAt = 0;
  #stopping = false;

  constructor(start: EngineStart, channels: EventChannels) {
    this.#commands = new MailboxReader(start.toEngine);
    this.#events = new MailboxWriter(start.toMain);
    this.#channels = channels;
    this.#statusTable = start.status;
    this.#changes = new Int32Array(start.changes);
    this.#wakeFd = start.wakeFd;
    this.#realtime = start.realtime;
  }

  run(): void {
    const wake = new EventFd(this.#wakeFd);
    loadAlsa();
    rehearse();
    const realtimeErrno = this.#realtime ? scheduleRealtime() : 0;
    this.#events.post({ op: "ready", realtimeErrno, threadId: threadId() });
    while (!this.#stopping) {
      this.#turn = this.#turn + 1 | 0;
      if (this.#pollSetStale) this.#rebuildPollSet();
      const patience = this.#patience();
      if (this.#poll.wait(patience) < 0) {
        if (errno() === ERRNO.EINTR) continue;
        throw new Errno("poll", errno());
      }
      const isForCards = this.#poll.revents(0) === 0 && this.#poll.revents(1) === 0;
      // There are hosts on which the time is a system call, and cards have interrupts all the time.
      if (!isForCards || patience !== -1) this.#wokenAt = this.#clock.now();
      if (this.#poll.revents(0) !== 0) {
        wake.drain();
        for (let c = this.#commands.take(); c !== undefined; c = this.#commands.take()) this.#execute(c);
      }
      if (this.#resting.size > 0) this.#endRest();
      if (this.#poll.revents(1) !== 0) this.#serveChannels();
      // One and the other first: a guest's turn may end with the first.
      if ((this.#turn & 1) === 0) this.#serveCards();
      if (this.#unfinished.size > 0) this.#serveUnfinished();
      if ((this.#turn & 1) !== 0) this.#serveCards();
    }
    for (const stream of this.#streams) if (stream !== undefined) this.#detach(stream);
    this.#channels[Symbol.dispose]();
    this.#events.post({ op: "stopped" });
  }

  #rebuildPollSet(): void {
    this.#pollSetStale = false;
    this.#poll.clear();
    this.#poll.add(this.#wakeFd, POLL.IN);
    this.#poll.add(this.#channels.fd, POLL.IN);
    this.#polled = this.#streams.filter((stream) =>
      stream?.pcm !== undefined && !this.#resting.has(stream.budget)
    ) as EngineStream[];
    this.#pcms = this.#polled.map((stream) => stream.pcm!);
    for (const pcm of this.#pcms) this.#poll.add(pcm.pollFd, pcm.pollEvents);
  }

  /** How long poll(2) may wait. */
  #patience(): number {
    if (this.#unfinished.size > 0) {
      for (const stream of this.#unfinished) if (!this.#resting.has(stream.budget)) return 0;
    }
    return this.#resting.size > 0 ? REST_MS : -1;
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
      // What it leaves comes after what its guest's other streams have.
      this.#unfinished.delete(stream);
      const more = this.#serveRing(stream);
      if (!stream.isMasked || !this.#mayServe(stream)) continue;
      stream.isMasked = false;
      this.#channels.unmask(stream.requestPort);
      this.#channels.unmask(stream.eventPort);
      if (!more) this.#unfinished.delete(stream);
    }
  }

  /** Each turn begins with another card, so that none of a guest's is always the last when its turn ends. */
  #serveCards(): void {
    const count = this.#polled.length;
    if (++this.#firstCard >= count) this.#firstCard = 0;
    for (let n = 0; n < count; n++) {
      const i = (this.#firstCard + n) % count;
      const revents = this.#poll.revents(i + 2);
      // What poll(2) said of a card that was replaced since says nothing of the other one.
      if (revents === 0 || this.#polled[i].pcm !== this.#pcms[i]) continue;
      // Whose turn is over stays ready.
      if (this.#mayServe(this.#polled[i])) this.#servePcm(this.#polled[i], revents);
    }
  }

  /** Whether the stream's guest may be served: it does not rest, and has not had its turn. */
  #mayServe({ budget }: EngineStream): boolean {
    return !this.#resting.has(budget) && budget.hasTurn(this.#turn);
  }

  /** Returns true if there is more, now or when the stream's guest may be served. */
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
    // Whose channels are masked does not tell of more.
    if (more || stream.isMasked) this.#unfinished.add(stream);
    else this.#unfinished.delete(stream);
    return more;
  }

  #servePcm(stream: EngineStream, revents: number): void {
    try {
      stream.servePcm(revents);
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
    // Cards alone may have woken the engine for long: then that was the time of something else.
    this.#wokenAt = this.#clock.now();
    if (!budget.isUsedUp(this.#wokenAt)) return;
    if (this.#resting.size === 0) this.#restingSince = this.#wokenAt;
    this.#resting.add(budget);
    for (let i = 0; i < this.#polled.length; i++) {
      if (this.#polled[i].budget === budget) this.#poll.ignore(i + 2);
    }
  }

  #endRest(): void {
    if ((this.#wokenAt - this.#restingSince | 0) < REST_MS * 1000) return;
    for (const budget of this.#resting) {
      if (budget.isUsedUp(this.#wokenAt)) continue;
      this.#resting.delete(budget);
      this.#pollSetStale = true;
    }
    this.#restingSince = this.#wokenAt;
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
        if (stream !== undefined) this.#detach(stream);
        this.#events.post({ op: "detached", slot: command.slot });
      } else if (stream !== undefined) this.#tell(stream, command);
    }
    if ("ticket" in command) this.#events.post({ op: "done", ticket: command.ticket });
  }

  /** Has the stream do as it is told; an exception is the end of that stream alone. */
  #tell(stream: EngineStream, command: StreamCommand): void {
    try {
      stream.execute(command);
    } catch (error) {
      stream.fail(error);
    }
    this.#serveRing(stream);
  }

  #attach(command: EngineCommand & { op: "attach" }): void {
    const status = new StatusRow(this.#statusTable, command.slot, this.#changes);
    status.clear();
    let stream: EngineStream;
    try {
      stream = new EngineStream(
        command,
        {
          channels: this.#channels,
          post: (event) => this.#events.post(event),
          pollSetChanged: () => this.#pollSetStale = true,
        },
        status,
        this.#budgetOf(command),
      );
    } catch (error) {
      return this.#events.post({ op: "defect", slot: command.slot, reason: stackOf(error) });
    }
    this.#streams[command.slot] = stream;
    this.#byPort.set(stream.requestPort, stream);
    this.#byPort.set(stream.eventPort, stream);
    // The frontend may have signalled before the channel was bound.
    this.#serveRing(stream);
    // And a daemon that died may have answered without telling: then the answer is behind rsp_event, and none after it would be told.
    this.#channels.notify(stream.requestPort);
  }

  #budgetOf({ domid, requests, moved }: EngineCommand & { op: "attach" }): GuestBudget {
    const budget = this.#budgets.get(domid) ?? new GuestBudget(requests, moved);
    this.#budgets.set(domid, budget);
    return budget;
  }

  /** Nothing of the stream is reached any more after this, whatever comes out of it. */
  #detach(stream: EngineStream): void {
    this.#streams[stream.slot] = undefined;
    this.#byPort.delete(stream.requestPort);
    this.#byPort.delete(stream.eventPort);
    this.#unfinished.delete(stream);
    this.#pollSetStale = true;
    try {
      stream.detach();
    } catch (error) {
      this.#events.post({ op: "defect", slot: stream.slot, reason: stackOf(error) });
    }
  }
}

/** Before anything plays, since it takes a good part of a period. A host without ALSA has the dummy card. */
function loadAlsa(): void {
  try {
    libasound();
  } catch (error) {
    if (!(error instanceof LibraryNotFoundError)) throw error;
  }
}

self.onmessage = async ({ data }: MessageEvent<EngineStart>) => {
  try {
    new Engine(data, await adoptEventChannels(data.channels)).run();
  } catch (error) {
    const reason = error instanceof Errno ? error.message : stackOf(error);
    new MailboxWriter<EngineEvent>(data.toMain).post({ op: "failed", reason });
  }
  self.close();
};
