// SPDX-License-Identifier: MIT
/**
 * A frontend that can break the protocol: it connects a card as snd_xen_front does; then tests put arbitrary requests on its
 * rings. A wait blocks the thread, so the backend must run in another process.
 */
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import {
  bufferPages,
  directoryPages,
  encodeCloseRequest,
  encodeHwParamQuery,
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  EventPageConsumer,
  EventView,
  formatByName,
  FrontRing,
  type HwParam,
  initSharedRing,
  type OpenRequest,
  ResponseView,
  Taken,
  writePageDirectory,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { frontendPath, readState, waitForState, XenbusState } from "../../lib/xenbus/mod.ts";
import { openXen } from "../../lib/xen/mod.ts";
import type { EventChannels, GrantSharer, SharedPages, Xen } from "../../lib/xen/ports.ts";
import type { Box } from "./harness.ts";

const PATIENCE_MS = 10_000;

/** One stream's ring and event page. */
export class RawStream {
  readonly ringPage: SharedPages;
  readonly eventPage: SharedPages;
  readonly requestPort: number;
  readonly eventPort: number;
  readonly ring: FrontRing;
  readonly #events: EventPageConsumer;
  readonly #response = new ResponseView();
  readonly #event = new EventView();
  readonly #poll = new PollSet(1);
  #nextId = 0;

  constructor(readonly channels: EventChannels, private readonly sharer: GrantSharer) {
    this.ringPage = sharer.share(0, 1, "write");
    this.eventPage = sharer.share(0, 1, "write");
    initSharedRing(this.ringPage.buffer);
    this.ring = new FrontRing(this.ringPage.buffer);
    this.#events = new EventPageConsumer(this.eventPage.buffer, 0, "linux-6.1");
    this.requestPort = channels.bindUnbound(0);
    this.eventPort = channels.bindUnbound(0);
    this.#poll.add(channels.fd, POLL.IN);
  }

  /** The ring's page, with the header, as 32-bit words. */
  get words(): Int32Array {
    return new Int32Array(this.ringPage.buffer);
  }

  notify(): void {
    this.channels.notify(this.requestPort);
  }

  /** Puts one request on the ring, waits for its answer, and returns the status. */
  call(encode: (view: DataView, at: number, id: number) => void): number {
    return this.answerOf(this.post(encode));
  }

  /** Puts one request on the ring; returns its id. */
  post(encode: (view: DataView, at: number, id: number) => void): number {
    const id = this.#nextId++ & 0xffff;
    encode(this.ring.view, this.ring.reserve(), id);
    if (this.ring.pushRequests()) this.notify();
    return id;
  }

  /** Waits for the next answer, which must have this `id`; returns its status. */
  answerOf(id: number): number {
    this.waitFor("an answer", () => {
      const taken = this.ring.take(this.#response);
      assert.notEqual(taken, Taken.broken, "the backend broke the ring");
      return taken === Taken.one || this.ring.finalCheckForResponses() && undefined;
    });
    assert.equal(this.#response.id, id);
    return this.#response.status;
  }

  /** Blocks until `condition` is true; evaluates the condition after each event, and at once if it returns undefined. */
  waitFor(what: string, condition: () => boolean | undefined): void {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const met = condition();
      if (met) return;
      if (met === undefined) continue;
      assert(performance.now() < deadline, `${what} did not come within ${PATIENCE_MS} ms`);
      this.#poll.wait(100);
      for (let port = this.channels.pending(); port >= 0; port = this.channels.pending()) {
        this.channels.unmask(port);
      }
    }
  }

  /** Shares a buffer of `bytes` octets, and its page directory. */
  share(bytes: number): { buffer: SharedPages; directory: SharedPages } {
    const pages = bufferPages(bytes);
    const buffer = this.sharer.share(0, pages, "write");
    const directory = this.sharer.share(0, directoryPages(pages), "write");
    writePageDirectory(new Uint32Array(directory.buffer), directory.grefs, buffer.grefs);
    return { buffer, directory };
  }

  /** Sends an HW_PARAM_QUERY; the backend's answer replaces the ranges in `param`. Returns the status. */
  query(param: HwParam): number {
    const status = this.call((view, at, id) => encodeHwParamQuery(view, at, id, param));
    if (status === 0) this.#response.readHwParam(param);
    return status;
  }

  open(open: OpenRequest): number {
    return this.call((view, at, id) => encodeOpenRequest(view, at, id, open));
  }

  close(): number {
    return this.call(encodeCloseRequest);
  }

  /** Sends READ, WRITE or any other operation, with an offset and a length. */
  request(operation: number, offset: number, length: number): number {
    return this.call((view, at, id) => encodeRwRequest(view, at, id, operation, offset, length));
  }

  trigger(type: number): number {
    return this.call((view, at, id) => encodeTriggerRequest(view, at, id, type));
  }

  /** Takes all pending events; returns their positions in octets. */
  takePositions(): number[] {
    const positions: number[] = [];
    while (this.#events.take(this.#event) === Taken.one) positions.push(this.#event.position);
    return positions;
  }
}

/** Card 0 of a domain, connected. */
export class RawCard implements AsyncDisposable {
  readonly streams: RawStream[] = [];
  readonly #path: string;

  private constructor(
    readonly xen: Xen,
    private readonly sharer: GrantSharer,
    private readonly channels: EventChannels,
  ) {
    this.#path = frontendPath(xen.domid, 0);
  }

  /** Connects the card's streams; each of `names` is `PCM/STREAM`. */
  static async connect(sandbox: string, domid: number, names: readonly string[]): Promise<RawCard> {
    const xen = await openXen({ sandbox, domid });
    const card = new RawCard(xen, xen.openGrantSharer(), xen.openEventChannels());
    card.setState(XenbusState.Initialising);
    await card.untilBackend(XenbusState.InitWait);
    for (const name of names) {
      const stream = new RawStream(card.channels, card.sharer);
      card.streams.push(stream);
      card.xen.store.write(`${card.#path}/${name}/ring-ref`, String(stream.ringPage.grefs[0]!));
      card.xen.store.write(`${card.#path}/${name}/event-channel`, String(stream.requestPort));
      card.xen.store.write(`${card.#path}/${name}/evt-ring-ref`, String(stream.eventPage.grefs[0]!));
      card.xen.store.write(`${card.#path}/${name}/evt-event-channel`, String(stream.eventPort));
    }
    card.setState(XenbusState.Initialised);
    await card.untilBackend(XenbusState.Connected);
    card.setState(XenbusState.Connected);
    return card;
  }

  setState(state: XenbusState): void {
    this.xen.store.write(`${this.#path}/state`, String(state));
  }

  async untilBackend(wanted: XenbusState): Promise<void> {
    const backend = this.xen.store.read(`${this.#path}/backend`)!;
    await waitForState(this.xen.store, backend, (state) => state === wanted, PATIENCE_MS);
  }

  get state(): XenbusState | undefined {
    return readState(this.xen.store, this.#path);
  }

  /** Disconnects as a guest's driver does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.setState(XenbusState.Closing);
    await this.untilBackend(XenbusState.InitWait);
    this.setState(XenbusState.Closed);
    this.channels[Symbol.dispose]();
    this.sharer[Symbol.dispose]();
    this.xen[Symbol.dispose]();
  }
}

/** A valid OPEN; the page directory is missing. */
export const open: OpenRequest = {
  pcmRate: 48000,
  pcmFormat: formatByName("s16_le")!.code,
  pcmChannels: 2,
  bufferSz: 8192,
  grefDirectory: 0,
  periodSz: 2048,
};
/** The streams of the card that `servedCard` provisions. */
export const STREAMS = ["0/0", "0/1", "0/2"];
/** Connects the card and calls `body` with its first two streams, playback and capture. */
export async function withRaw(
  box: Box,
  body: (card: RawCard, playback: RawStream, capture: RawStream) => void | Promise<void>,
) {
  await using card = await RawCard.connect(box.xen, 1, STREAMS);
  await body(card, card.streams[0]!, card.streams[1]!);
}

/** Asserts that the stream works: it opens, plays, reports a position and closes. */
export function assertWorks(stream: RawStream): void {
  const { buffer, directory } = stream.share(open.bufferSz);
  assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, 4096), 0);
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_START), 0);
  let positions: number[] = [];
  stream.waitFor("a position", () => (positions = positions.concat(stream.takePositions())).length > 0);
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_STOP), 0);
  assert.equal(stream.close(), 0);
  buffer[Symbol.dispose]();
  directory[Symbol.dispose]();
}
