// SPDX-License-Identifier: MIT
/** What a hostile guest does for a second or more: enough to use its budget up, or a limit. */
import {
  DIRECTORY_PAGE_WORDS,
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  XENSND_OP_CLOSE,
  XENSND_OP_GET_VOLUME,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_TRIGGER,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import type { Random } from "../machine/random.ts";
import type { Attack } from "./attacks.ts";
import type { HostileGuest } from "./hostile.ts";
import { RawStream } from "./raw_stream.ts";

/** s16_le */
const FORMAT = 2;
/** Octets of the buffers that a guest shares: what few cards allow, and what all do. */
const [LARGE, SMALL] = [1 << 21, 1 << 16];
/** Notifications of one alarm. */
const NOTIFICATIONS = 20_000;
/** µs until a backend has opened a device. */
const OPENING_MICROS = 100_000;

/** OPENs the stream as most cards allow, with a buffer of `bufferSz` octets. */
function open(
  guest: HostileGuest,
  stream: RawStream,
  random: Random,
  bufferSz: number,
  prepare = (_directory: Int32Array) => {},
): void {
  if (guest.try(() => (stream.share(bufferSz, guest.backendDomid), true)) !== true) return;
  prepare(RawStream.words(stream.directory));
  const request = {
    pcmRate: random.pick([48_000, 48_000, 8000]),
    pcmFormat: FORMAT,
    pcmChannels: random.pick([2, 2, 1]),
    bufferSz,
    grefDirectory: stream.directory!.grefs[0]!,
    periodSz: bufferSz >> 2,
  };
  stream.put((view, at, id) => encodeOpenRequest(view, at, id, request));
}

/** A stream for playback, if the guest has one that is connected. */
function aPlayback(guest: HostileGuest, random: Random): RawStream | undefined {
  const isPlayback = ({ place }: RawStream) =>
    guest.try(() => guest.domain.store.read(`${guest.nodename}/${place}/type`)) === "p";
  const found = guest.streams.filter(isPlayback);
  return found.length === 0 ? undefined : random.pick(found);
}

/** Keeps the ring full for `micros` µs: calls `ask` whenever there is room. `answered` hears of each answers. */
function keepFull(
  guest: HostileGuest,
  stream: RawStream,
  random: Random,
  ask: () => void,
  answered: (count: number) => void = () => {},
): void {
  let seen = stream.answers ?? 0;
  const interval = random.between(50, 400);
  const next = (left: number) => {
    const { answers = NaN, room } = stream;
    const more = answers - seen;
    if (left < 0 || room < 0 || !(more >= 0 && more <= 64)) return;
    seen = answers;
    answered(more);
    while (stream.room > 0) ask();
    guest.domain.after(interval, () => next(left - interval));
  };
  next(random.between(300_000, 1_200_000));
}

/** The same request without end. */
function flood(guest: HostileGuest, stream: RawStream | undefined, random: Random, operation: number): void {
  if (stream === undefined) return;
  const ask = () => stream.put((view, at, id) => encodeRwRequest(view, at, id, operation, 0, 0));
  keepFull(guest, stream, random, ask, guest.meter(operation));
}

/** Fills the buffer, starts the stream and stops it, without end. */
function spin(guest: HostileGuest, stream: RawStream, random: Random, bytes: number): void {
  let step = 0;
  keepFull(guest, stream, random, () =>
    stream.put((view, at, id) => {
      step = (step + 1) % 3;
      if (step === 1) encodeRwRequest(view, at, id, XENSND_OP_WRITE, 0, bytes);
      else encodeTriggerRequest(view, at, id, step === 2 ? XENSND_OP_TRIGGER_START : XENSND_OP_TRIGGER_STOP);
    }));
}

const OPERATIONS = [XENSND_OP_GET_VOLUME, XENSND_OP_TRIGGER, XENSND_OP_HW_PARAM_QUERY];

const NAMED = {
  /** A request that the engine answers, without end. */
  flood: (guest, stream, random) => flood(guest, stream, random, random.pick(OPERATIONS)),
  /** The dearest request without end. */
  closes: (guest, stream, random) => flood(guest, stream, random, XENSND_OP_CLOSE),
  /** Sound without end: a buffer is filled, and started and stopped, again and again. */
  spin: (guest, _stream, random) => {
    const stream = aPlayback(guest, random);
    if (stream === undefined) return;
    open(guest, stream, random, LARGE);
    guest.domain.after(OPENING_MICROS, () => {
      const isOpen = stream.lastStatus === 0;
      if (!isOpen) open(guest, stream, random, SMALL);
      guest.domain.after(OPENING_MICROS, () => spin(guest, stream, random, isOpen ? LARGE : SMALL));
    });
  },
  /** A large buffer that is one page, named again and again. */
  samePage: (guest, stream, random) => {
    if (stream === undefined) return;
    open(guest, stream, random, SMALL, (directory) => {
      for (let i = 2; i < DIRECTORY_PAGE_WORDS && (directory[i] ?? 0) !== 0; i++) {
        directory[i] = directory[1]!;
      }
    });
  },
  /** Events without end, and nothing behind them. */
  alarm: (guest, stream, random) => {
    if (stream === undefined) return;
    const port = random.pick(stream.ports);
    guest.storm(NOTIFICATIONS, random.between(20, 60), () => guest.domain.notify(port));
  },
  /** One node of the card is written without end. */
  rewrite: (guest, stream, random) => {
    const name = stream === undefined || random.oneIn(2) ? "state" : `${stream.place}/ring-ref`;
    const value = guest.try(() => guest.domain.store.read(`${guest.nodename}/${name}`));
    if (value === undefined) return;
    guest.storm(random.between(1000, 3000), random.between(100, 500), () => guest.write(name, value));
  },
} satisfies Record<string, Attack>;

export type LongAttackName = keyof typeof NAMED;

/** All long attacks, by name. */
export const LONG_ATTACKS: readonly (readonly [LongAttackName, Attack])[] = Object.entries(NAMED) as [
  LongAttackName,
  Attack,
][];
