// SPDX-License-Identifier: MIT
/**
 * A minimal backend for the tests of the guests: one card, devices that play and capture by the clock alone. It answers each
 * request after a fixed time, remembers the words that it plays, and captures successive numbers.
 */
import assert from "node:assert/strict";
import {
  BackRing,
  directoryPages,
  encodeHwParamResponse,
  encodeResponse,
  EventPageProducer,
  HwParam,
  positionHigh,
  positionLow,
  RequestView,
  Taken,
  walkPageDirectory,
  XEN_EAGAIN,
  XEN_EIO,
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER,
  XENSND_OP_TRIGGER_PAUSE,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import type { Entry } from "../machine/clock.ts";
import type { Domain } from "../xen/domain.ts";
import type { GuestStore } from "../xen/guest_domain.ts";
import type { ForeignMapping } from "../xen/hypervisor.ts";
import type { XenMachine } from "../xen/machine.ts";
import type { Port } from "../xen/ports.ts";

const PAGE = 4096;
/** µs from a request to its answer. */
const ANSWER = 150;

class Pages {
  readonly #mapping: ForeignMapping;
  readonly buffer: ArrayBuffer;

  constructor(private readonly xen: XenMachine, domid: number, grefs: readonly number[]) {
    const mapping = xen.hypervisor.map(0, domid, grefs, true);
    if (typeof mapping === "number") throw new Error(`cannot map pages of domain ${domid}: ${mapping}`);
    this.#mapping = mapping;
    const pointer = Deno.UnsafePointer.create(BigInt(mapping.range.address))!;
    this.buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, grefs.length * PAGE);
  }

  unmap(): void {
    this.buffer.transfer(0);
    this.xen.hypervisor.unmap(this.#mapping);
  }
}

interface Opened {
  readonly pages: Pages;
  readonly words: Uint32Array;
  readonly bufferFrames: number;
  readonly frameBytes: number;
  readonly tickFrames: number;
  readonly rate: number;
}

/** One stream of the backend. */
export class BackendStream {
  readonly #pages: Pages[];
  readonly #ring: BackRing;
  readonly #events: EventPageProducer;
  readonly #request = new RequestView();
  readonly #ports: Port[];
  #open: Opened | undefined;
  #guestFrames = 0;
  #position = 0;
  #tick: Entry | undefined;
  /** Playback: the words that were played, 0 for silence. */
  readonly played: number[] = [];
  /** Statuses to answer the next requests of an operation with. */
  readonly refusals = new Map<number, number>();
  operations: number[] = [];

  constructor(private readonly backend: ScriptedBackend, readonly place: string, isPlayback: boolean) {
    this.isPlayback = isPlayback;
    const { xen, guest, store } = backend;
    const node = (name: string) => Number(store.read(`${backend.frontend}/${place}/${name}`));
    this.#pages = ["ring-ref", "evt-ring-ref"].map((name) => new Pages(xen, guest.domid, [node(name)]));
    this.#ring = BackRing.attach(this.#pages[0]!.buffer);
    this.#events = new EventPageProducer(this.#pages[1]!.buffer);
    const dom0 = xen.hypervisor.domain(0)!;
    this.#ports = ["event-channel", "evt-event-channel"].map((name) => {
      const port = dom0.ports.bindInterdomain(guest.ports, node(name), {
        raise: (raised) => backend.clock.after(ANSWER, () => this.#raised(raised)),
      });
      if (typeof port === "number") throw new Error(`cannot bind ${name}: ${port}`);
      return port;
    });
  }

  readonly isPlayback: boolean;

  #raised(port: Port): void {
    if (!port.isOpen) return;
    port.begin();
    if (!this.backend.isStalled && port === this.#ports[0]) this.serve();
  }

  serve(): void {
    do {
      for (;;) {
        const taken = this.#ring.take(this.#request);
        assert.notEqual(taken, Taken.broken);
        if (taken === Taken.none) break;
        const { id, operation } = this.#request;
        this.operations.push(operation);
        const status = this.#refusal(operation) ?? this.#serve(operation);
        const at = this.#ring.reserve();
        if (operation === XENSND_OP_HW_PARAM_QUERY && status === 0) {
          const param = new HwParam();
          this.#request.readHwParam(param);
          encodeHwParamResponse(this.#ring.view, at, id, param);
        } else encodeResponse(this.#ring.view, at, id, operation, status);
      }
      this.#ring.pushResponses();
      this.#notify(0);
    } while (this.#ring.finalCheckForRequests());
  }

  #refusal(operation: number): number | undefined {
    const status = this.refusals.get(operation);
    this.refusals.delete(operation);
    return status;
  }

  #notify(which: number): void {
    this.#ports[which]!.peer?.signal();
  }

  #serve(operation: number): number {
    const request = this.#request;
    switch (operation) {
      case XENSND_OP_OPEN:
        return this.#opened();
      case XENSND_OP_CLOSE:
        this.#closed();
        return 0;
      case XENSND_OP_WRITE:
      case XENSND_OP_READ:
        return this.#transfer(request.offset, request.length);
      case XENSND_OP_TRIGGER:
        return this.#trigger(request.triggerType);
    }
    return 0;
  }

  #opened(): number {
    this.#closed();
    const { pcmRate, pcmFormat, pcmChannels, bufferSz, periodSz, grefDirectory } = this.#request;
    const { xen, guest } = this.backend;
    const read = (gref: number, words: Uint32Array) => {
      const page = new Pages(xen, guest.domid, [gref]);
      words.set(new Uint32Array(page.buffer));
      page.unmap();
      return true;
    };
    const found = walkPageDirectory(bufferSz, grefDirectory, read, 1 << 20);
    if ("errno" in found) return -found.errno;
    assert.equal(found.directoryGrefs.length, directoryPages(found.grefs.length));
    const pages = new Pages(xen, guest.domid, found.grefs);
    const frameBytes = (pcmFormat === 10 ? 4 : 2) * pcmChannels;
    this.#open = {
      pages,
      words: new Uint32Array(pages.buffer, 0, bufferSz >> 2),
      bufferFrames: bufferSz / frameBytes,
      frameBytes,
      tickFrames: Math.max(1, Math.floor(periodSz / frameBytes / 4)),
      rate: pcmRate,
    };
    this.#events.opened();
    this.#position = this.#guestFrames = 0;
    return 0;
  }

  #closed(): void {
    this.#stop();
    this.#open?.pages.unmap();
    this.#open = undefined;
  }

  #transfer(offset: number, length: number): number {
    const open = this.#open;
    if (open === undefined) return -XEN_EIO;
    const { words, bufferFrames, frameBytes } = open;
    const [at, frames] = [offset / frameBytes, length / frameBytes];
    if (this.isPlayback) {
      const from = Math.max(this.#guestFrames, this.#position);
      this.#guestFrames = Math.max(this.#guestFrames, from - from % bufferFrames + at + frames);
      return 0;
    }
    if (this.#guestFrames + frames > this.#position) return -XEN_EAGAIN;
    for (let i = 0; i < frames; i++) words[at + i] = this.#guestFrames + i;
    this.#guestFrames += frames;
    return 0;
  }

  #trigger(type: number): number {
    if (this.#open === undefined) return -XEN_EIO;
    this.#stop();
    if (type === XENSND_OP_TRIGGER_STOP) {
      const { bufferFrames } = this.#open;
      this.#guestFrames = Math.ceil(this.#position / bufferFrames) * bufferFrames;
      this.#moveTo(this.#guestFrames, true);
    } else if (type !== XENSND_OP_TRIGGER_PAUSE) this.#run();
    return 0;
  }

  #run(): void {
    const { tickFrames, rate } = this.#open!;
    this.#tick = this.backend.clock.after(Math.ceil(tickFrames / rate * 1e6), () => {
      if (!this.backend.isStalled) this.#moveTo(this.#position + tickFrames, false);
      this.#run();
    });
  }

  #stop(): void {
    this.backend.clock.cancel(this.#tick);
    this.#tick = undefined;
  }

  #moveTo(position: number, isJump: boolean): void {
    const { words, bufferFrames, frameBytes } = this.#open!;
    if (position === this.#position) return;
    for (; this.isPlayback && !isJump && this.#position < position; this.#position++) {
      const isThere = this.#position < this.#guestFrames;
      this.played.push(isThere ? words[this.#position % bufferFrames]! : 0);
    }
    this.#position = position;
    this.publish(position * frameBytes);
  }

  /** Publishes a position of `bytes` octets. */
  publish(bytes: number): void {
    if (this.#events.publishCurPos(positionLow(bytes), positionHigh(bytes))) this.#notify(1);
  }

  end(): void {
    this.#closed();
    const dom0 = this.backend.xen.hypervisor.domain(0)!;
    for (const port of this.#ports) dom0.ports.close(port);
    for (const pages of this.#pages) pages.unmap();
  }
}

export class ScriptedBackend {
  readonly #path: string;
  readonly #streams = new Map<string, BackendStream>();
  /** Answers nothing, and moves no position. */
  isStalled = false;
  /** How often the card has connected. */
  connections = 0;
  readonly #unwatch: () => void;

  /** @param places PCM/STREAM of each stream, with its direction */
  constructor(
    readonly xen: XenMachine,
    readonly guest: Domain,
    readonly store: GuestStore,
    readonly places: Readonly<Record<string, "p" | "c">>,
    params: Readonly<Record<string, string>> = {},
  ) {
    this.#path = `/local/domain/0/backend/vsnd/${guest.domid}/0`;
    store.transaction((view) => {
      const access = (path: string, owner: number, reader: number) => {
        view.mkdir(path);
        view.setPermissions(path, [{ domid: owner, access: "none" }, { domid: reader, access: "read" }]);
      };
      view.remove(this.frontend);
      view.remove(this.#path);
      access(this.frontend, guest.domid, 0);
      access(this.#path, 0, guest.domid);
      view.write(`${this.#path}/frontend`, this.frontend);
      view.write(`${this.#path}/frontend-id`, String(guest.domid));
      view.write(`${this.#path}/state`, "1");
      view.write(`${this.frontend}/backend`, this.#path);
      view.write(`${this.frontend}/backend-id`, "0");
      for (const [node, value] of Object.entries(params)) view.write(`${this.frontend}/${node}`, value);
      for (const [place, type] of Object.entries(places)) view.write(`${this.frontend}/${place}/type`, type);
      view.write(`${this.frontend}/state`, "1");
    });
    this.#unwatch = store.watch(`${this.frontend}/state`, () => this.#frontendChanged());
  }

  get clock() {
    return this.xen.clock;
  }

  get frontend(): string {
    return `/local/domain/${this.guest.domid}/device/vsnd/0`;
  }

  get frontendState(): string | undefined {
    return this.store.read(`${this.frontend}/state`);
  }

  setState(state: number): void {
    this.store.write(`${this.#path}/state`, String(state));
  }

  stream(place: string): BackendStream {
    return this.#streams.get(place)!;
  }

  #frontendChanged(): void {
    if (this.isStalled) return;
    const state = this.frontendState;
    if (state === "3" && this.#streams.size === 0) {
      for (const [place, type] of Object.entries(this.places)) {
        this.#streams.set(place, new BackendStream(this, place, type === "p"));
      }
      this.connections++;
      this.setState(4);
    } else if (state === "5" || state === "6") this.restart();
  }

  /** As a backend that ends and begins anew: back to InitWait. */
  restart(): void {
    this.disconnect();
    this.setState(2);
  }

  disconnect(): void {
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
  }

  end(): void {
    this.#unwatch();
    this.disconnect();
  }
}
