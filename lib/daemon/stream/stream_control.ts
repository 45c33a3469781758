// SPDX-License-Identifier: MIT
/**
 * The main thread's half of a stream: everything that may block or allocate. It maps the guest's pages, judges OPEN
 * against the policy, opens and closes the card, and tells the engine's half when things are ready.
 */
import { getLogger } from "@logtape/logtape";
import { errnoName } from "../../../ffi/libc/errno.ts";
import type { PcmDescriptor } from "../../pcm/descriptor.ts";
import { PcmError } from "../../pcm/pcm_error.ts";
import { FORMATS, type OpenRequest, XEN_EINVAL, XEN_EIO, XEN_ENOMEM } from "../../sndif/mod.ts";
import { type StreamPolicy, usedDevice } from "../../vsnd/model/card.ts";
import { GrantError, type GrantTable, type Mapping } from "../../xen/ports.ts";
import { ChosenDevice } from "./chosen_device.ts";
import { type EngineClient, inTime, type SlotEvent } from "../engines/engine_client.ts";
import type { Engines, Seat } from "../engines/engines.ts";
import { FrontendLink } from "../link/frontend_link.ts";
import { type GuestUse, LimitError } from "../policy/guest_limits.ts";
import { HostCard } from "./device_session.ts";
import { mapBuffer } from "../link/map_buffer.ts";
import type { KeptSettings, OperatorSettings } from "../../stream/operator_settings.ts";
import type { OperatorNodes } from "../policy/operator_nodes.ts";
import { judgeOpen } from "../../stream/open_admission.ts";
import { QueryLoans } from "./query_loans.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import { newRow } from "./totals.ts";
import type { TraceReader } from "../../bridge/trace_ring.ts";
import type { StreamTransport } from "../link/published.ts";
import { afterOperatorTrigger, type OperatorTrigger, STREAM_STATES } from "../../stream/stream_state.ts";
import { XrunLog } from "./xrun_log.ts";

/** What all streams of a daemon share. */
export interface HostServices {
  readonly engines: Engines;
  readonly grants: GrantTable;
  readonly guests: GuestUse;
}

/** The status that a request gets whose treatment failed with `error`. */
function statusOf(error: unknown): number {
  if (error instanceof PcmError) return -error.errno;
  const isMemory = error instanceof LimitError || error instanceof GrantError && error.isOutOfMemory;
  return -(isMemory ? XEN_ENOMEM : XEN_EIO);
}

export class StreamHost implements AsyncDisposable {
  readonly #log;
  readonly #chosen: ChosenDevice;
  /** What the stream is doing, one thing after the other. */
  #work: Promise<void> = Promise.resolve();
  /** That it is one of the streams that its guest may have. */
  #admission: Disposable | undefined;
  #seat: Seat | undefined;
  #slot = -1;
  /** Counts connections, so that work which was begun for one does not end in another. */
  #connection = 0;
  #link: FrontendLink | undefined;
  #buffer: Mapping | undefined;
  readonly #card: HostCard;
  readonly #loans = new QueryLoans();
  #detaching: Promise<void> | undefined;
  #settings: KeptSettings;
  /** Rows of connections that the engine has yet to let go of. */
  readonly #leaving = new Set<StatusRow>();
  /** While the guest has something open. */
  #xrunLog: XrunLog | undefined;
  #trace: TraceReader | undefined;
  #isGivenUp = false;
  /** Called when the stream is given up for good. */
  #onEnd: () => void = () => {};

  /**
   * @param name `domU/0/0/0`, for logs and status
   * @param past the counters of the connections that have ended
   */
  constructor(
    readonly name: string,
    readonly domid: number,
    policy: StreamPolicy,
    private readonly services: HostServices,
    private readonly nodes: OperatorNodes,
    private readonly past: StatusRow,
  ) {
    this.#log = getLogger(["xsnd", "stream"]).with({ stream: name });
    this.#chosen = new ChosenDevice(policy);
    this.#card = new HostCard(name, this.#chosen, (work) => this.#enqueue(work), (pcm) => this.#replace(pcm));
    this.#settings = nodes.read();
    this.services.engines.changes.tell();
  }

  /**
   * Makes the stream one of those that its guest may have, before anything is spent on it, and the first request as quick as those
   * after it. Throws {@link LimitError}.
   */
  async getReady(): Promise<void> {
    this.#admission = this.services.guests.stream(this.domid);
    if (!this.#chosen.mayWait) await this.takeSeat();
    await this.#chosen.device.warmUp();
  }

  /**
   * To be called before {@link attach}: takes a place at an engine, unless the stream has one. Throws {@link LimitError}, and what an
   * engine's start does.
   */
  async takeSeat(): Promise<void> {
    if (this.#seat !== undefined) return;
    const device = usedDevice(this.#chosen.policy);
    const seat = this.#seat = await this.services.engines.seat(device, this.domid);
    // The shared engine's failure is the daemon's.
    if (!seat.isShared) seat.engine.ended.catch((error) => this.#engineFailed(seat, error));
  }

  /** Its own engine has failed: nothing of the stream is served until its guest connects again. */
  async #engineFailed(seat: Seat, error: Error): Promise<void> {
    if (this.#seat !== seat) return;
    this.#log.error("{error}; the stream is disconnected until its guest connects again", {
      error: error.message,
    });
    const detached = this.detach();
    this.#seat = undefined;
    await detached;
    await seat[Symbol.asyncDispose]();
  }

  /** What holds for what the guest has open; if that is nothing, for what it will. */
  get policy(): StreamPolicy {
    return this.#card.isOpen ? this.#chosen.policy : this.#chosen.decided;
  }

  /**
   * Gives the stream another device from the next OPEN on, or denies it, or ends that, at once. Throws RangeError:
   * {@link ChosenDevice.choose}.
   */
  setDevice(choice: Pick<StreamPolicy, "device" | "denied">): void {
    const device = this.#chosen.choose(choice);
    if (device === undefined) return;
    const isAtOnce = Boolean(this.#chosen.policy.denied) !== Boolean(choice.denied);
    // A failure is that of the work below, which asks once more.
    if (isAtOnce) this.#takeCard().catch(() => {});
    this.#enqueue(() => device.warmUp());
    if (isAtOnce) this.#enqueue(() => this.#changeCard());
    // What the former device can do is no answer any more.
    if (this.connected) this.#loans.recall(this.#engine, this.#slot);
  }

  /** Has the engine use the stream's card no more; false if the code of a PCM does not come back, and may use it still. */
  async #takeCard(): Promise<boolean> {
    if (!this.connected) return true;
    return await inTime(this.#engine.giveBackCard(this.#slot));
  }

  /** Goes over to the device that is chosen by now, under a guest that has the stream open. */
  async #changeCard(): Promise<void> {
    if (!this.#card.isOpen) return;
    // An OPEN that was under way may have brought a card since it was taken.
    if (await this.#takeCard()) {
      await this.#card.change();
      return this.services.engines.changes.tell();
    }
    this.#log.error("{device} does not come back: it is used until it does", {
      device: usedDevice(this.#chosen.policy),
    });
  }

  /** Goes over to the device that is chosen by now, unless one is open. The engine has been lent nothing. */
  async #changeDevice(): Promise<void> {
    if (this.#card.isOpen || !await this.#chosen.change()) return;
    this.#log.info("its device is {device} from now on", { device: usedDevice(this.policy) });
  }

  get #engine(): EngineClient {
    if (this.#seat === undefined) throw new TypeError(`${this.name} has no engine yet, or none any more`);
    return this.#seat.engine;
  }

  /** Whether the stream is served no more: its guest is gone, or what its card needs could not be had. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Whether the stream is connected to its frontend. */
  get connected(): boolean {
    return this.#slot >= 0;
  }

  /**
   * Maps ring and event page, binds both channels and hands the stream to the engine. Throws (GrantError,
   * EventChannelError, RangeError) with nothing left mapped or bound if the frontend's numbers do not hold.
   */
  attach(transport: StreamTransport): void {
    const { engine, channels } = this.#seat!;
    using stack = new DisposableStack();
    const link = stack.use(FrontendLink.open(this.domid, transport, this.services, channels));
    const slot = engine.takeSlot((event) => this.#handle(event));
    if (slot === undefined) throw new RangeError("the daemon serves as many streams as it can");
    stack.move();
    this.#link = link;
    this.#slot = slot;
    this.#connection++;
    engine.post({
      op: "attach",
      slot: this.#slot,
      domid: this.domid,
      direction: this.#chosen.policy.type,
      allowed: this.#chosen.policy.effective,
      ring: String(link.ring.address),
      eventPage: String(link.eventPage.address),
      requestPort: link.requestPort,
      eventPort: link.eventPort,
      hold: this.#settings.hold,
      settings: this.#settings,
      requests: this.services.guests.limits.requests,
      moved: this.services.guests.limits.moved,
      trace: this.#trace?.address ?? null,
    });
  }

  /** Takes the stream from the engine, unmaps all that is the guest's and closes the card. Calls while it does are merged. */
  detach(): Promise<void> {
    this.#detaching ??= this.#letGo().finally(() => this.#detaching = undefined);
    return this.#detaching;
  }

  async #letGo(): Promise<void> {
    if (!this.connected) return;
    this.#card.leave();
    this.#loans.end();
    const held = { link: this.#link, buffer: this.#buffer, trace: this.#trace };
    const xrunLog = this.#xrunLog;
    this.#xrunLog = undefined;
    const slot = this.#slot;
    // The slot is somebody else's as soon as the engine has let go of it: what is still under way must not speak for that one.
    this.#slot = -1;
    this.services.engines.changes.tell();
    this.#link = undefined;
    this.#buffer = undefined;
    const leaving = this.#engine.status(slot);
    this.#leaving.add(leaving);
    const letGo = () => {
      this.#leaving.delete(leaving);
      xrunLog?.[Symbol.dispose]();
      this.past.addAll(leaving);
      this.#release(held);
    };
    const freed = this.#engine.detach(slot, letGo).then(() => this.#work);
    if (await inTime(freed)) return;
    // Nothing is unmapped before the engine has let go of it, lest it touch that.
    this.#log.error("{device} does not come back: what it holds of the guest's stays until it does", {
      device: this.#chosen.policy.device,
    });
    // It goes on with the rest by itself; if that fails, whoever looks at the log is to know.
    freed.catch((error) => this.#log.error("{error}", { error: String(error) }));
  }

  /** Unmaps what the engine has let go of, at once, and has the card closed. */
  #release(held: {
    link: FrontendLink | undefined;
    buffer: Mapping | undefined;
    /** The engine's as well until it has let go: only so does its memory stay where it is. */
    trace: TraceReader | undefined;
  }): void {
    // Grants first: a domain that died cannot go until they are unmapped, and a card may take seconds to close.
    held.link?.[Symbol.dispose]();
    held.buffer?.[Symbol.dispose]();
    // After what is under way, and before what the next connection brings.
    this.#enqueue(async () => {
      await this.#card.close();
      await this.#chosen.device.closeProbe();
    });
  }

  /** Gives the engine back, for good. To be called after {@link detach}. */
  async [Symbol.asyncDispose](): Promise<void> {
    const seat = this.#seat;
    this.#seat = undefined;
    this.#isGivenUp = true;
    this.services.engines.changes.tell();
    this.#onEnd();
    await seat?.[Symbol.asyncDispose]();
    this.#admission?.[Symbol.dispose]();
  }

  /**
   * An operator's trigger, which holds from now on and for good; resolves when the card, if there is one, has obeyed. Throws
   * StoreError, or TypeError for a stream that {@link isGivenUp}, with nothing changed.
   */
  async trigger(trigger: OperatorTrigger): Promise<void> {
    if (this.#isGivenUp) throw new TypeError(`${this.name} is not served any more`);
    const hold = afterOperatorTrigger(trigger);
    // A resume that ends no hold changes nothing that is kept.
    if (hold !== this.#settings.hold) this.nodes.write({ ...this.#settings, hold });
    this.#settings = { ...this.#settings, hold };
    if (this.connected) await this.#engine.setHold(this.#slot, hold);
    else this.services.engines.changes.tell();
  }

  get settings(): KeptSettings {
    return this.#settings;
  }

  /** Changes what the operator has set, now and for good. Throws StoreError, with nothing changed. */
  set(changes: Partial<OperatorSettings>): void {
    const settings = { ...this.#settings, ...changes };
    this.nodes.write(settings);
    this.#settings = settings;
    if (this.connected) this.#engine.post({ op: "settings", slot: this.#slot, settings });
    this.services.engines.changes.tell();
  }

  /**
   * Has what passes written to `trace`, in this connection and in those to come, until {@link endTrace}. `onEnd` is called if
   * the stream is given up for good before. Returns false if it is being traced already.
   */
  trace(trace: TraceReader, onEnd: () => void): boolean {
    if (this.#trace !== undefined) return false;
    this.#trace = trace;
    this.#onEnd = onEnd;
    if (this.connected) this.#engine.trace(this.#slot, trace.address);
    return true;
  }

  /** Ends `trace`, if it has not ended; resolves when nothing is written to it any more. */
  async endTrace(trace: TraceReader): Promise<void> {
    if (this.#trace !== trace) return;
    this.#trace = undefined;
    this.#onEnd = () => {};
    // Its memory must stay until the engine has let go of it, whoever else has forgotten it.
    if (this.connected) await this.#engine.trace(this.#slot, null).then(() => trace);
  }

  /** Whether a guest that starts the stream now records a device: nothing of the host's stands in between. */
  get mayRecord(): boolean {
    const { policy: { type, denied }, settings: { hold, muted } } = this;
    return type === "capture" && !denied && !muted && hold === "none";
  }

  /** Whether the guest records a device at this moment. */
  get isRecording(): boolean {
    if (!this.connected || !this.mayRecord) return false;
    const row = this.#engine.status(this.#slot);
    return STREAM_STATES[row.get("state")] === "running" && row.get("cardLost") === 0;
  }

  /** Times that its card was started, over all connections. */
  get starts(): number {
    let starts = this.past.get("starts");
    for (const row of this.#leaving) starts += row.get("starts");
    return starts + (this.connected ? this.#engine.status(this.#slot).get("starts") : 0);
  }

  /** The row of numbers of the stream's connection, if it has one, and its states by name. Counters are those of {@link totals}. */
  snapshot() {
    const row = this.connected ? this.#engine.status(this.#slot).snapshot() : { state: "detached" as const };
    // What the operator has imposed, also while an engine hangs that has yet to obey.
    return { ...row, hold: this.#settings.hold, ...this.totals().counts() };
  }

  /** Counters and durations of all its connections since this daemon serves its card. */
  totals(): StatusRow {
    const totals = newRow();
    for (const row of [this.past, ...this.#leaving]) totals.addAll(row);
    if (this.connected) totals.addAll(this.#engine.status(this.#slot));
    return totals;
  }

  /** Which engine serves it, and the processor time that this has taken, as far as that can be told. */
  get engineUse(): { engine: "shared" | "own"; engineCpuSeconds?: number } | undefined {
    if (this.#seat === undefined) return undefined;
    const { isShared, engine: { cpuSeconds } } = this.#seat;
    return {
      engine: isShared ? "shared" : "own",
      ...(cpuSeconds !== undefined && { engineCpuSeconds: cpuSeconds }),
    };
  }

  #unmapBuffer(): void {
    this.#buffer?.[Symbol.dispose]();
    this.#buffer = undefined;
  }

  #endXrunLog(): void {
    this.#xrunLog?.[Symbol.dispose]();
    this.#xrunLog = undefined;
  }

  #handle(event: SlotEvent): void {
    switch (event.op) {
      case "broken":
        this.#log.error("the frontend is broken: {reason}; the stream is disconnected", {
          reason: event.reason,
        });
        this.detach().catch((error) => this.#log.error("{error}", { error: String(error) }));
        return;
      case "defect":
        this.#log.error("a defect of the engine's; the stream is disconnected, others are not: {reason}", {
          reason: event.reason,
        });
        this.detach().catch((error) => this.#log.error("{error}", { error: String(error) }));
        return;
      case "log":
        return this.#log[event.level](event.text);
      case "close":
        // The answer does not wait for the card, whose next OPEN does.
        this.#endXrunLog();
        this.#card.leave();
        this.#unmapBuffer();
        this.#answer(0);
        this.#enqueue(() => this.#chosen.device.closeProbe());
        return this.#queue(() => this.#card.close());
      case "lost":
        this.#log.error("{device} is lost ({code}): the stream goes on in silence", {
          device: this.#chosen.policy.device,
          code: errnoName(event.errno),
        });
        return this.#card.lost();
      case "openFailed":
        this.#endXrunLog();
        this.#card.leave();
        return this.#queue(async () => {
          this.#unmapBuffer();
          await this.#card.close();
          throw new PcmError(`OPEN failed: ${event.reason}`, XEN_EIO);
        });
      case "open":
        this.#endXrunLog();
        this.#card.leave();
        this.#unmapBuffer();
        return this.#queue(async (connection) => {
          try {
            await this.#open(event.open, connection);
          } catch (error) {
            await this.#chosen.device.closeProbe();
            throw error;
          }
        });
      case "query":
        return this.#queue(async (connection) => {
          await this.#changeDevice();
          const refiner = await this.#card.probe();
          if (!this.#isConnected(connection)) return;
          this.#loans.lend(refiner, this.#engine, this.#slot);
        });
      case "forgotten":
        if (!this.#loans.isLast(event.loan)) return;
        return this.#enqueue(() => this.#chosen.device.closeProbe());
    }
  }

  /** Gives the engine the card that was lost, or somebody else's; false if nobody wants it any more. */
  #replace(pcm: PcmDescriptor): boolean {
    if (this.connected) this.#engine.post({ op: "replaced", slot: this.#slot, pcm });
    return this.connected;
  }

  /** Queues work that ends in an answer; if it fails, the failure is the answer. */
  #queue(work: (connection: number) => Promise<void>): void {
    const connection = this.#connection;
    this.#enqueue(() =>
      work(connection).catch((error) => {
        this.#log.warn("{error}", { error: error instanceof Error ? error.message : String(error) });
        this.#answer(statusOf(error), connection);
      })
    );
  }

  /** Queues work that nobody waits for. */
  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => {
      this.#log.error("{error}", { error: error instanceof Error ? error.stack : String(error) });
    });
  }

  #isConnected(connection: number): boolean {
    return this.connected && this.#connection === connection;
  }

  #answer(status: number, connection = this.#connection): void {
    if (this.#isConnected(connection)) this.#engine.post({ op: "respond", slot: this.#slot, status });
  }

  async #open(open: OpenRequest, connection: number): Promise<void> {
    await this.#card.close();
    await this.#changeDevice();
    if (!this.#isConnected(connection)) return;
    const { type, effective } = this.#chosen.policy;
    const reason = judgeOpen(open, effective);
    if (reason !== undefined) throw new PcmError(`OPEN refused: ${reason}`, XEN_EINVAL);
    const buffer = mapBuffer(this.domid, open, type, effective.bufferSizeBytes, this.services);
    const frameBytes = FORMATS[open.pcmFormat].octets! * open.pcmChannels;
    this.#buffer = buffer;
    const request = {
      rate: open.pcmRate,
      channels: open.pcmChannels,
      format: open.pcmFormat,
      frameBytes,
      bufferFrames: open.bufferSz / frameBytes,
      periodFrames: open.periodSz / frameBytes,
    };
    const card = await this.#card.open(request).catch((error) => {
      this.#unmapBuffer();
      throw error;
    });
    if (!this.#isConnected(connection)) return;
    this.#card.use(request, card.isStandIn);
    this.#xrunLog = new XrunLog(this.#log, this.#engine.status(this.#slot), this.#chosen.policy.type);
    this.#engine.post({
      op: "opened",
      slot: this.#slot,
      buffer: String(buffer.address),
      mappedBytes: buffer.buffer.byteLength,
      open,
      ...card,
    });
    this.#log.info(
      "open: {rate} Hz, {format}, {channels} channels, buffer {buffer}, period {period} octets",
      {
        rate: open.pcmRate,
        format: FORMATS[open.pcmFormat].name,
        channels: open.pcmChannels,
        buffer: open.bufferSz,
        period: open.periodSz,
      },
    );
  }
}
