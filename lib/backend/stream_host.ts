/**
 * The main thread's half of a stream: everything that may block or allocate. It maps the guest's pages, judges OPEN
 * against the policy, opens and closes the card, and tells the engine's half when things are ready.
 */
import { getLogger } from "@logtape/logtape";
import { type OpenCard, type PcmDevice, PcmError } from "../pcm/device.ts";
import { pcmDevice } from "../pcm/open_device.ts";
import { FORMATS, type OpenRequest, walkPageDirectory, XEN_EINVAL, XEN_EIO } from "../sndif/mod.ts";
import type { StreamPolicy } from "../vsnd/card.ts";
import { type EventChannels, GrantError, type GrantTable, type Mapping } from "../xen/ports.ts";
import type { EngineClient, SlotEvent } from "./engine_client.ts";
import type { OperatorNodes, OperatorSettings } from "./operator_settings.ts";
import { judgeOpen, narrow } from "./policy.ts";
import { afterOperatorTrigger, type Hold, type OperatorTrigger } from "./stream_state.ts";

/** What a frontend publishes of a stream, already found to be numbers. */
export interface StreamTransport {
  readonly ringRef: number;
  readonly eventChannel: number;
  readonly evtRingRef: number;
  readonly evtEventChannel: number;
}

/** What all streams of a daemon share. */
export interface HostServices {
  readonly engine: EngineClient;
  readonly grants: GrantTable;
  readonly channels: EventChannels;
}

/** The status that a request gets whose treatment failed with `error`: PcmError knows it, the rest is -EIO. */
const statusOf = (error: unknown) => -(error instanceof PcmError ? error.errno : XEN_EIO);

export class StreamHost {
  readonly #log;
  readonly #device: PcmDevice;
  /** What the stream is doing, one thing after the other. */
  #work: Promise<void> = Promise.resolve();
  #slot = -1;
  #ports: number[] = [];
  #pages: Mapping[] = [];
  #buffer: Mapping | undefined;
  #card: OpenCard | undefined;
  #detaching: Promise<void> | undefined;
  #hold: Hold = "none";
  #settings: OperatorSettings;

  /** @param name `domU/0/0/0`, for logs and status */
  constructor(
    readonly name: string,
    readonly domid: number,
    readonly policy: StreamPolicy,
    private readonly services: HostServices,
    private readonly nodes: OperatorNodes,
  ) {
    this.#log = getLogger(["xsnd", "stream"]).with({ stream: name });
    this.#device = pcmDevice(policy.device, policy.type);
    this.#settings = nodes.read();
  }

  /** Makes the first request as quick as those after it. */
  warmUp(): Promise<void> {
    return this.#device.warmUp();
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
    const { engine, grants, channels } = this.services;
    try {
      this.#pages.push(grants.map(this.domid, [transport.ringRef], "write"));
      this.#pages.push(grants.map(this.domid, [transport.evtRingRef], "write"));
      this.#ports.push(channels.bindInterdomain(this.domid, transport.eventChannel));
      this.#ports.push(channels.bindInterdomain(this.domid, transport.evtEventChannel));
      const slot = engine.takeSlot((event) => this.#handle(event));
      if (slot === undefined) throw new RangeError("the daemon serves as many streams as it can");
      this.#slot = slot;
    } catch (error) {
      this.#unmapTransport();
      throw error;
    }
    engine.post({
      op: "attach",
      slot: this.#slot,
      direction: this.policy.type,
      ring: String(this.#pages[0].address),
      eventPage: String(this.#pages[1].address),
      requestPort: this.#ports[0],
      eventPort: this.#ports[1],
      hold: this.#hold,
      settings: this.#settings,
    });
  }

  /** Takes the stream from the engine, unmaps all that is the guest's and closes the card. Calls while it does are merged. */
  detach(): Promise<void> {
    this.#detaching ??= this.#letGo().finally(() => this.#detaching = undefined);
    return this.#detaching;
  }

  async #letGo(): Promise<void> {
    if (!this.connected) return;
    await this.services.engine.detach(this.#slot);
    this.#slot = -1;
    // Grants first: a domain that died cannot go until they are unmapped, and a card may take seconds to close.
    this.#unmapTransport();
    await this.#work;
    this.#unmapBuffer();
    await this.#closeCard();
    await this.#device.dispose();
  }

  /** An operator's trigger; resolves when the card has obeyed. */
  trigger(trigger: OperatorTrigger): Promise<void> {
    this.#hold = afterOperatorTrigger(trigger);
    return this.services.engine.trigger(this.#slot, trigger);
  }

  get settings(): OperatorSettings {
    return this.#settings;
  }

  /** Changes what the operator has set, now and for good. Throws StoreError, with nothing changed. */
  set(changes: Partial<OperatorSettings>): void {
    const settings = { ...this.#settings, ...changes };
    this.nodes.write(settings);
    this.#settings = settings;
    if (this.connected) this.services.engine.post({ op: "settings", slot: this.#slot, settings });
  }

  /** The stream's row of numbers, and its states by name. */
  snapshot() {
    return this.connected
      ? this.services.engine.status(this.#slot).snapshot()
      : { state: "detached", hold: this.#hold };
  }

  #unmapTransport(): void {
    for (const page of this.#pages.splice(0)) page[Symbol.dispose]();
    for (const port of this.#ports.splice(0)) this.services.channels.unbind(port);
  }

  #unmapBuffer(): void {
    this.#buffer?.[Symbol.dispose]();
    this.#buffer = undefined;
  }

  async #closeCard(): Promise<void> {
    const card = this.#card;
    this.#card = undefined;
    try {
      await card?.close();
    } catch (error) {
      this.#log.warn("closing {device}: {error}", { device: this.policy.device, error: String(error) });
    }
  }

  #handle(event: SlotEvent): void {
    switch (event.op) {
      case "broken":
        this.#log.error("the frontend is broken: {reason}; the stream is disconnected", {
          reason: event.reason,
        });
        return void this.detach();
      case "log":
        return this.#log[event.level](event.text);
      case "close":
        // The answer does not wait for the card, whose next OPEN does.
        this.#unmapBuffer();
        this.#answer(0);
        return this.#queue(() => this.#closeCard());
      case "openFailed":
        return this.#queue(async () => {
          this.#unmapBuffer();
          await this.#closeCard();
          throw new PcmError(`OPEN failed: ${event.reason}`, XEN_EIO);
        });
      case "open":
        this.#unmapBuffer();
        return this.#queue(() => this.#open(event.open));
      case "query":
        return this.#queue(async () => {
          narrow(event.hwParam, this.policy.effective);
          await this.#device.refine(event.hwParam);
          if (this.connected) {
            this.services.engine.post({ op: "respond", slot: this.#slot, status: 0, hwParam: event.hwParam });
          }
        });
    }
  }

  /** Queues work that ends in an answer; if it fails, the failure is the answer. */
  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => {
      this.#log.warn("{error}", { error: error instanceof Error ? error.message : String(error) });
      this.#answer(statusOf(error));
    });
  }

  #answer(status: number): void {
    if (this.connected) this.services.engine.post({ op: "respond", slot: this.#slot, status });
  }

  async #open(open: OpenRequest): Promise<void> {
    await this.#closeCard();
    if (!this.connected) return;
    const reason = judgeOpen(open, this.policy.effective);
    if (reason !== undefined) throw new PcmError(`OPEN refused: ${reason}`, XEN_EINVAL);
    const buffer = this.#mapBuffer(open);
    const frameBytes = FORMATS[open.pcmFormat].octets! * open.pcmChannels;
    this.#buffer = buffer;
    const card = await this.#device.open({
      rate: open.pcmRate,
      channels: open.pcmChannels,
      format: open.pcmFormat,
      frameBytes,
      bufferFrames: open.bufferSz / frameBytes,
      periodFrames: open.periodSz / frameBytes,
    }).catch((error) => {
      this.#unmapBuffer();
      throw error;
    });
    this.#card = card;
    if (!this.connected) return;
    this.services.engine.post({
      op: "opened",
      slot: this.#slot,
      buffer: String(buffer.address),
      mappedBytes: buffer.buffer.byteLength,
      open,
      pcm: card.descriptor,
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

  #mapBuffer(open: OpenRequest): Mapping {
    const { grants } = this.services;
    const readPage = (gref: number, words: Uint32Array): boolean => {
      try {
        using page = grants.map(this.domid, [gref], "read");
        words.set(new Uint32Array(page.buffer));
        return true;
      } catch (error) {
        if (error instanceof GrantError) return false;
        throw error;
      }
    };
    const walk = walkPageDirectory(
      open.bufferSz,
      open.grefDirectory,
      readPage,
      this.policy.effective.bufferSizeBytes,
    );
    if ("reason" in walk) throw new PcmError(`OPEN refused: ${walk.reason}`, walk.errno);
    return grants.map(this.domid, walk.grefs, "write");
  }
}
