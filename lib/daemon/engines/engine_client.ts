// SPDX-License-Identifier: MIT
/** The daemon's handle on one engine: starts its thread, sends commands, and passes each event to the owner of its slot. */
import { getLogger } from "@logtape/logtape";
import { threadCpuSeconds } from "../../../ffi/libc/cpu_clock.ts";
import { errnoName } from "../../../ffi/libc/errno.ts";
import { EventFd } from "../../../ffi/libc/event_fd.ts";
import { Exit, stackOf, XsndError } from "../../base/error.ts";
import type { EventChannelsShare } from "../../xen/ports.ts";
import { Changes } from "../../bridge/changes.ts";
import { createMailbox, MailboxReader, MailboxWriter } from "../../bridge/mailbox.ts";
import type { EngineCommand, EngineEvent, EngineStart } from "../../bridge/messages.ts";
import type { Hold } from "../../stream/stream_state.ts";
import { createStatusTable, MAX_STREAMS, StatusRow } from "../../bridge/stream_status.ts";

/** Events that concern one slot. */
export type SlotEvent = Exclude<
  EngineEvent,
  { op: "ready" | "stopped" | "failed" | "done" | "detached" }
>;

type ReadyEvent = EngineEvent & { op: "ready" };

/** Octets of a mailbox: room for several messages of each stream, which has one request under way at most. */
const MAILBOX_BYTES = 1 << 18;

/** How long the daemon waits for an engine. Only the code of a PCM that is no kernel device can hold an engine up. */
const STOP_MS = 2000;

/** Whether `work` is done within {@link STOP_MS}. It may go on after that. */
export async function inTime(work: Promise<void>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<false>((resolve) => timer = setTimeout(resolve, STOP_MS, false));
  try {
    return await Promise.race([work.then(() => true), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

function engineFailed(reason: string): XsndError {
  return new XsndError(`the engine has failed: ${reason}`, Exit.failed);
}

export class EngineClient implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #wake = new EventFd();
  readonly #commands: MailboxWriter<EngineCommand>;
  readonly #statusTable = createStatusTable(MAX_STREAMS);
  readonly #handlers = new Map<number, (event: SlotEvent) => void>();
  /** Resolvers of the commands under way, by ticket. */
  readonly #tickets = new Map<number, () => void>();
  /** For each slot that is being detached: what frees the slot when the engine has let go. */
  readonly #detached = new Map<number, () => void>();
  readonly #ended = Promise.withResolvers<void>();
  /** Resolves only when the thread has ended: everything that it used may be given back then. */
  readonly #threadGone = Promise.withResolvers<void>();
  readonly #reading = new AbortController();
  #gone: Promise<void> = new Promise(() => {});
  #hasEnded = false;
  #lastTicket = 0;
  #threadId = 0;

  private constructor(
    channels: EventChannelsShare,
    realtime: boolean,
    changes: SharedArrayBuffer,
    ready: (event: ReadyEvent) => void,
  ) {
    const start: EngineStart = {
      toEngine: createMailbox(MAILBOX_BYTES),
      toMain: createMailbox(MAILBOX_BYTES),
      status: this.#statusTable,
      changes,
      wakeFd: this.#wake.fd,
      channels,
      realtime,
    };
    this.#commands = new MailboxWriter(start.toEngine);
    this.#worker = new Worker(new URL("../../engine/engine_worker.ts", import.meta.url), {
      type: "module",
      name: "engine",
    });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#over(engineFailed(event.message));
    };
    // A failure that nobody awaits must not become an unhandled rejection.
    this.#ended.promise.catch(() => {});
    this.#worker.postMessage(start);
    this.#dispatch(new MailboxReader<EngineEvent>(start.toMain), ready)
      // The thread lives on, and keeps what it uses.
      .catch((error) => this.#ended.reject(engineFailed(`it cannot be understood: ${error}`)));
  }

  /** The engine's thread has ended, and uses nothing any more. */
  #over(failure?: XsndError): void {
    this.#hasEnded = true;
    this.#threadGone.resolve();
    this.#detached.forEach((free) => free());
    this.#tickets.forEach((done) => done());
    this.#tickets.clear();
    if (failure === undefined) this.#ended.resolve();
    else this.#ended.reject(failure);
  }

  /**
   * Starts an engine on the event channels of `channels`, with real-time scheduling if `realtime` and permitted. Resolves when the
   * engine serves. The engine counts the changes of its streams' states in `changes`.
   */
  static async start(
    channels: EventChannelsShare,
    { realtime = false, changes = new Changes().shared } = {},
  ): Promise<EngineClient> {
    const ready = Promise.withResolvers<ReadyEvent>();
    const engine = new EngineClient(channels, realtime, changes, ready.resolve);
    let event;
    try {
      event = await Promise.race([ready.promise, engine.ended]);
    } catch (error) {
      await engine.stop();
      throw error;
    }
    engine.#threadId = event?.threadId ?? 0;
    if (event?.realtimeErrno) {
      getLogger(["xsnd", "engine"]).warn(
        "it runs without real-time scheduling ({code}): start it as root, with CAP_SYS_NICE",
        { code: errnoName(event.realtimeErrno) },
      );
    }
    return engine;
  }

  /** Rejects if the engine fails, or its messages cannot be read any more; its thread may live on then. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Takes a free slot, whose events go to `handler` until {@link detach}; undefined if all slots are taken. */
  takeSlot(handler: (event: SlotEvent) => void): number | undefined {
    for (let slot = 0; slot < MAX_STREAMS; slot++) {
      if (this.#handlers.has(slot)) continue;
      this.#handlers.set(slot, handler);
      return slot;
    }
    return undefined;
  }

  /** Processor time of its thread, in seconds; undefined if unknown. */
  get cpuSeconds(): number | undefined {
    return threadCpuSeconds(this.#threadId);
  }

  /**
   * Takes a slot's stream from the engine. Calls `letGo` as soon as the engine uses none of the stream's memory, before it passes on
   * any later event. The row is still valid then; afterwards it is cleared, and the slot is free. Resolves after that, or rejects
   * with the error of `letGo`.
   *
   * @param leaves whether an open stream is left to the next daemon
   */
  detach(slot: number, letGo: () => void, leaves = false): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#detached.set(slot, () => {
      this.#detached.delete(slot);
      try {
        resolve(letGo());
      } catch (error) {
        reject(error);
      }
      this.#handlers.delete(slot);
      this.status(slot).clear();
    });
    if (this.#hasEnded) this.#detached.get(slot)!();
    else this.post({ op: "detach", slot, leaves });
    return promise;
  }

  post(command: EngineCommand): void {
    this.#commands.post(command);
    this.#wake.signal();
  }

  /** Sets the operator's hold on a stream; resolves when the device has obeyed. */
  setHold(slot: number, hold: Hold): Promise<void> {
    return this.#ask((ticket) => ({ op: "hold", slot, hold, ticket }));
  }

  /** Takes the device from a stream, which goes on in silence; resolves when the engine uses the device no more. */
  giveBackDevice(slot: number): Promise<void> {
    return this.#ask((ticket) => ({ op: "giveBackDevice", slot, ticket }));
  }

  /** Wakes the engine; resolves when it has answered. */
  ping(): Promise<void> {
    return this.#ask((ticket) => ({ op: "ping", ticket }));
  }

  #ask(command: (ticket: number) => EngineCommand): Promise<void> {
    // An engine that has ended uses nothing: whatever is asked for holds already.
    if (this.#hasEnded) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const ticket = ++this.#lastTicket;
    this.#tickets.set(ticket, resolve);
    this.post(command(ticket));
    return promise;
  }

  status(slot: number): StatusRow {
    return new StatusRow(this.#statusTable, slot);
  }

  async #dispatch(events: MailboxReader<EngineEvent>, ready: (event: ReadyEvent) => void): Promise<void> {
    for await (const event of events.messages(this.#reading.signal)) {
      if (event.op === "ready") ready(event);
      else if (event.op === "stopped") this.#threadGone.resolve();
      else if (event.op === "failed") this.#over(engineFailed(event.reason));
      else if (event.op === "done") {
        this.#tickets.get(event.ticket)?.();
        this.#tickets.delete(event.ticket);
      } else if (event.op === "detached") this.#detached.get(event.slot)?.();
      else this.#handle(event);
    }
  }

  /** If one stream fails to take an event, the other streams still get theirs. */
  #handle(event: SlotEvent): void {
    try {
      this.#handlers.get(event.slot)?.(event);
    } catch (error) {
      getLogger(["xsnd", "engine"]).error("{event}: {error}", {
        event: event.op,
        error: stackOf(error),
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Stops the engine. All streams should have been detached. Resolves to true when the engine is gone, to false if the code of a PCM
   * does not return in time. The engine is not terminated then: when that code returns, the engine lets go of everything of its
   * guests', stops, and {@link gone} resolves.
   */
  async stop(): Promise<boolean> {
    this.post({ op: "stop" });
    this.#gone = this.#threadGone.promise.then(() => this.#end());
    return await inTime(this.#gone);
  }

  /** Resolves when the engine, after {@link stop}, uses no descriptor any more. */
  get gone(): Promise<void> {
    return this.#gone;
  }

  #end(): void {
    this.#reading.abort();
    this.#worker.terminate();
    this.#wake[Symbol.dispose]();
    this.#over();
  }
}
