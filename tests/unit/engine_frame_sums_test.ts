// SPDX-License-Identifier: MIT
/**
 * A stream of the engine goes through any order of requests, commands, losses and failures, over OPENs and connections. After
 * each, both sums of {@link frameSums} close, and no counter has fallen. The clock is the test's.
 */
import assert from "node:assert/strict";
import { TraceRing } from "../../lib/bridge/trace_ring.ts";
import fc from "fast-check";
import { addressOf } from "../../ffi/libc/pointers.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import type { Address, EngineCommand } from "../../lib/bridge/messages.ts";
import { COUNTERS, createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { EngineStream } from "../../lib/engine/engine_stream.ts";
import { GuestBudget, mainThreadCost } from "../../lib/engine/guest_budget.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import {
  encodeCloseRequest,
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  formatByName,
  FrontRing,
  initSharedRing,
  ResponseView,
  Taken,
  XENSND_OP_READ,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import type { Hold } from "../../lib/stream/stream_state.ts";
import { STREAM_STATES } from "../../lib/stream/stream_state.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/model/card.ts";
import type { EventChannels } from "../../lib/xen/ports.ts";
import { frameSums } from "../frame_sums.ts";

const RATE = 48_000;
const FRAME_BYTES = 4;
const BUFFER_FRAMES = 1024;
const FORMAT = formatByName("s16_le")!.code;

type Device = "hosts" | "standIn" | "denied";

type Step =
  | { readonly open: Device; readonly hasEvents: boolean }
  | { readonly close: true }
  /** A READ or WRITE of that many frames, that many after the last one. */
  | { readonly move: number; readonly skip: number }
  | { readonly trigger: number }
  | { readonly hold: Hold }
  /** Milliseconds pass; `wakes`: and the device interrupts. */
  | { readonly ms: number; readonly wakes: boolean }
  | { readonly events: true }
  | { readonly lost: true }
  | { readonly giveBack: true }
  | { readonly replace: Device }
  /** The device's next calls of that name fail. */
  | { readonly fails: typeof CALLS[number]; readonly result: number; readonly times: number }
  | { readonly reconnect: true };

const CALLS = ["position", "pointer", "next", "write", "read", "start", "prepare", "pause"] as const;
const RESULTS = [-32, -86, -19, -5, -11, 0];

const address = (memory: Uint8Array<ArrayBuffer>): Address =>
  String(Deno.UnsafePointer.value(addressOf(memory)));

/** A guest, and the daemon's main thread. */
class Rig {
  readonly #records = new TraceRing();
  readonly #row = new StatusRow(createStatusTable(1), 0);
  /** Counters of the connections that have ended, as the daemon keeps them. */
  readonly #past = new StatusRow(createStatusTable(1), 0);
  #before = this.#past.counts();
  readonly #page = new Uint8Array(4096);
  readonly #events = new Uint8Array(4096);
  readonly #buffer = new Uint8Array(BUFFER_FRAMES * FRAME_BYTES);
  readonly #response = new ResponseView();
  #ring!: FrontRing;
  #stream!: EngineStream;
  #hold: Hold = "none";
  #id = 0;
  #at = 0;

  /** @param moved as in `GuestBudget` */
  constructor(
    private readonly direction: Direction,
    private readonly clock: { now: number },
    private readonly moved = 100_000,
  ) {
    this.#connect();
  }

  #connect(): void {
    this.#page.fill(0);
    this.#events.fill(0);
    initSharedRing(this.#page.buffer);
    this.#ring = new FrontRing(this.#page.buffer);
    this.#row.clear();
    const channels = { notify: () => 0 } as unknown as EventChannels;
    const attach: EngineCommand & { op: "attach" } = {
      op: "attach",
      slot: 0,
      domid: 0,
      direction: this.direction,
      allowed: { ...DEFAULT_PARAMS, rates: [RATE] },
      ring: address(this.#page),
      eventPage: address(this.#events),
      requestPort: 1,
      eventPort: 2,
      hold: this.#hold,
      requests: 1_000_000,
      moved: this.moved,
      settings: { volume: 0, muted: false },
      trace: this.#records.address,
      kept: null,
      resumes: false,
    };
    const services = { channels, post: () => {}, pollSetChanged: () => {} };
    this.#stream = new EngineStream(attach, services, this.#row, new GuestBudget(1_000_000, this.moved));
  }

  #pcm() {
    const params = {
      direction: this.direction,
      rate: RATE,
      channels: 2,
      format: FORMAT,
      frameBytes: FRAME_BYTES,
      bufferFrames: BUFFER_FRAMES / 2,
      periodFrames: BUFFER_FRAMES / 8,
    };
    return { kind: "dummy", params, fd: -1 } as const;
  }

  take(step: Step): void {
    if ("open" in step) this.#open(step.open, step.hasEvents);
    else if ("close" in step) this.#close();
    else if ("move" in step) this.#move(step.move, step.skip);
    else if ("trigger" in step) {
      encodeTriggerRequest(this.#ring.view, this.#ring.reserve(), this.#nextId(), step.trigger);
      this.#serve();
    } else if ("hold" in step) {
      this.#hold = step.hold;
      this.#stream.execute({ op: "hold", slot: 0, hold: step.hold, ticket: 0 });
    } else if ("ms" in step) {
      this.clock.now += step.ms;
      if (step.wakes) this.#stream.servePcm(POLL.IN);
    } else if ("events" in step) {
      const words = new Int32Array(this.#events.buffer);
      words[0] = words[1]!;
    } else if ("lost" in step) this.#stream.servePcm(POLL.ERR);
    else if ("giveBack" in step) this.#stream.execute({ op: "giveBackDevice", slot: 0, ticket: 0 });
    else if ("replace" in step) {
      const isDenied = step.replace === "denied";
      this.#stream.execute({ op: "replaced", slot: 0, pcm: this.#pcm(), isDenied });
    } else if ("fails" in step) failNext(step.fails, step.result, step.times);
    else this.#reconnect();
    this.check();
  }

  #nextId(): number {
    return this.#id = this.#id + 1 & 0xffff;
  }

  #serve(): void {
    this.#ring.pushRequests();
    this.#stream.serveRing();
    this.#answered();
  }

  #answered(): void {
    assert.equal(this.#ring.take(this.#response), Taken.one);
    this.#ring.finalCheckForResponses();
  }

  #open(device: Device, hasEvents: boolean): void {
    const open = {
      pcmRate: RATE,
      pcmFormat: FORMAT,
      pcmChannels: 2,
      bufferSz: this.#buffer.length,
      periodSz: hasEvents ? this.#buffer.length / 4 : 0,
      grefDirectory: 0,
    };
    encodeOpenRequest(this.#ring.view, this.#ring.reserve(), this.#nextId(), open);
    this.#ring.pushRequests();
    this.#stream.serveRing();
    this.check();
    this.#stream.execute({
      op: "opened",
      slot: 0,
      buffer: address(this.#buffer),
      mappedBytes: this.#buffer.length,
      open,
      pcm: this.#pcm(),
      isStandIn: device === "standIn",
      isDenied: device === "denied",
    });
    this.#answered();
    this.#at = 0;
  }

  #close(): void {
    encodeCloseRequest(this.#ring.view, this.#ring.reserve(), this.#nextId());
    this.#ring.pushRequests();
    this.#stream.serveRing();
    this.#stream.execute({ op: "respond", slot: 0, status: 0 });
    this.#answered();
  }

  #move(wanted: number, skip: number): void {
    const operation = this.direction === "playback" ? XENSND_OP_WRITE : XENSND_OP_READ;
    this.#at = (this.#at + skip) % BUFFER_FRAMES;
    const frames = Math.min(wanted, BUFFER_FRAMES - this.#at);
    const [offset, length] = [this.#at * FRAME_BYTES, frames * FRAME_BYTES];
    encodeRwRequest(this.#ring.view, this.#ring.reserve(), this.#nextId(), operation, offset, length);
    this.#serve();
    if (this.#response.status === 0) this.#at = (this.#at + frames) % BUFFER_FRAMES;
  }

  /** A READ of `frames` frames and a CLOSE in one turn; returns what they cost, µs. */
  readAndClose(frames: number): number {
    this.#stream.takeCost();
    const length = frames * FRAME_BYTES;
    encodeRwRequest(this.#ring.view, this.#ring.reserve(), this.#nextId(), XENSND_OP_READ, 0, length);
    encodeCloseRequest(this.#ring.view, this.#ring.reserve(), this.#nextId());
    this.#ring.pushRequests();
    this.#stream.serveRing();
    this.#answered();
    assert.equal(this.#response.status, 0);
    return this.#stream.takeCost();
  }

  #reconnect(): void {
    this.#stream.detach();
    this.check();
    this.#past.addAll(this.#row);
    this.#connect();
  }

  check(): void {
    const isOpen = ["prepared", "running", "paused"].includes(STREAM_STATES[this.#row.get("state")]!);
    for (const { name, left, right } of frameSums(this.direction, (name) => this.#row.get(name), isOpen)) {
      assert.equal(left, right, `${name}: ${JSON.stringify(this.#row.snapshot())}`);
    }
    const totals = new StatusRow(createStatusTable(1), 0);
    for (const row of [this.#past, this.#row]) totals.addAll(row);
    const now = totals.counts();
    // As the connection's row is cleared only after it was added, no total may fall.
    for (const name of COUNTERS) assert(now[name] >= this.#before[name], `${name} has fallen`);
    this.#before = now;
  }

  end(): void {
    this.#stream.detach();
    this.check();
    for (const { name, left, right } of frameSums(this.direction, (name) => this.#past.get(name), false)) {
      assert.equal(left, right, `${name} of all connections that have ended`);
    }
  }
}

const failing = new Map<string, { result: number; times: number }>();

function failNext(call: typeof CALLS[number], result: number, times: number): void {
  failing.set(call, { result, times });
}

/** Runs `body` on its own clock, with {@link failNext}. */
function withFaults(body: (clock: { now: number }) => void): void {
  const now = performance.now;
  const clock = { now: 1000 };
  performance.now = () => clock.now;
  const prototype = DummyPcm.prototype as unknown as Record<string, (...args: number[]) => number>;
  const real = CALLS.map((call) => [call, prototype[call]!] as const);
  for (const [call, method] of real) {
    prototype[call] = function (...args) {
      const fault = failing.get(call);
      if (fault === undefined || fault.times-- <= 0) return method.apply(this, args);
      return fault.result;
    };
  }
  try {
    body(clock);
  } finally {
    failing.clear();
    for (const [call, method] of real) prototype[call] = method;
    performance.now = now;
  }
}

const device = fc.constantFrom<Device>("hosts", "hosts", "standIn", "denied");
const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  {
    weight: 12,
    arbitrary: fc.record({
      move: fc.nat(BUFFER_FRAMES / 2),
      skip: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(BUFFER_FRAMES)),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      ms: fc.oneof({ weight: 9, arbitrary: fc.nat(8) }, fc.nat(2500)),
      wakes: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 5, arbitrary: fc.record({ events: fc.constant(true as const) }) },
  { weight: 4, arbitrary: fc.record({ trigger: fc.constantFrom(0, 0, 0, 1, 2, 3) }) },
  { weight: 2, arbitrary: fc.record({ hold: fc.constantFrom<Hold>("none", "none", "paused", "stopped") }) },
  { weight: 1, arbitrary: fc.record({ open: device, hasEvents: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ close: fc.constant(true as const) }) },
  { weight: 1, arbitrary: fc.record({ lost: fc.constant(true as const) }) },
  { weight: 1, arbitrary: fc.record({ giveBack: fc.constant(true as const) }) },
  { weight: 2, arbitrary: fc.record({ replace: device }) },
  {
    weight: 1,
    arbitrary: fc.record({
      fails: fc.constantFrom(...CALLS),
      result: fc.constantFrom(...RESULTS),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ reconnect: fc.constant(true as const) }) },
);

for (const direction of ["playback", "capture"] as const) {
  Deno.test(`both sums of frames close after each event of a stream of ${direction}, and no counter falls`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) =>
        withFaults((clock) => {
          const rig = new Rig(direction, clock);
          rig.take({ open: "hosts", hasEvents: true });
          rig.take({ trigger: 0 });
          for (const step of steps) rig.take(step);
          failing.clear();
          rig.end();
        })),
      { numRuns: 100 },
    );
  });
}

Deno.test("a guest pays for what was moved just before its CLOSE", () =>
  withFaults((clock) => {
    const rig = new Rig("capture", clock, 1);
    rig.take({ open: "hosts", hasEvents: true });
    rig.take({ trigger: 0 });
    rig.take({ ms: 5, wakes: true });
    const octets = 200 * FRAME_BYTES;
    assert.equal(rig.readAndClose(200), 2 + mainThreadCost() + octets);
  }));
