// SPDX-License-Identifier: MIT
/** What a hostile guest does for a second or more: enough to use its budget up, or a limit. */
import {
  DIRECTORY_PAGE_WORDS,
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  formatByName,
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

/** The largest buffer that a guest shares, in octets. */
const MOST_BUFFER = 1 << 21;
/** Notifications of one alarm. */
const NOTIFICATIONS = 20_000;
/** µs until a backend has opened a device. */
const OPENING_MICROS = 100_000;

/** An OPEN with the largest buffer that the stream's nodes offer, at `grefDirectory`. */
interface Offer {
  readonly pcmRate: number;
  readonly pcmFormat: number;
  readonly pcmChannels: number;
  readonly bytes: number;
}

/** What the nodes of the stream, its PCM and its card say that it may be opened with. */
function offerOf(guest: HostileGuest, { place }: RawStream): Offer {
  const [pcm] = place.split("/");
  const node = (name: string) => {
    const directories = [`${place}/`, `${pcm}/`, ""];
    const found = directories.map((d) =>
      guest.try(() => guest.domain.store.read(`${guest.nodename}/${d}${name}`))
    );
    return found.find((value) => value !== undefined);
  };
  const first = (name: string, otherwise: string) => (node(name) ?? otherwise).split(",")[0]!;
  const format = formatByName(first("sample-formats", "s16_le"));
  const pcmChannels = Math.min(8, Number(node("channels-max") ?? 2) || 2);
  const frame = (format?.octets ?? 2) * pcmChannels;
  const most = Math.min(MOST_BUFFER, Number(node("buffer-size") ?? 65_536) || 65_536);
  return {
    pcmRate: Number(first("sample-rates", "48000")) || 48_000,
    pcmFormat: format?.code ?? 2,
    pcmChannels,
    bytes: most - most % (4 * frame),
  };
}

/** OPENs the stream with a buffer of the guest's. Returns the buffer's octets; undefined if the guest has no memory. */
function open(
  guest: HostileGuest,
  stream: RawStream,
  prepare = (_directory: Int32Array) => {},
): number | undefined {
  const { bytes, ...offer } = offerOf(guest, stream);
  if (guest.try(() => (stream.share(bytes, guest.backendDomid), true)) !== true) return undefined;
  prepare(RawStream.words(stream.directory));
  const grefDirectory = stream.directory!.grefs[0]!;
  const request = { ...offer, bufferSz: bytes, grefDirectory, periodSz: bytes >> 2 };
  stream.put((view, at, id) => encodeOpenRequest(view, at, id, request));
  return bytes;
}

/** Keeps the ring full for `micros` µs: calls `ask` whenever there is room. `answered` hears of each answers. */
function keepFull(
  guest: HostileGuest,
  stream: RawStream,
  random: Random,
  ask: () => void,
  answered: (count: number) => void = () => {},
): void {
  if (guest.isFlooding) return;
  guest.isFlooding = true;
  let seen = stream.answers ?? 0;
  const interval = random.between(50, 400);
  const next = (left: number) => {
    const { answers = NaN, room } = stream;
    const more = answers - seen;
    if (left < 0 || room < 0 || !(more >= 0 && more <= 64)) return void (guest.isFlooding = false);
    seen = answers;
    answered(more);
    while (stream.room > 0) ask();
    guest.domain.after(interval, () => next(left - interval));
  };
  next(random.between(500_000, 2_500_000));
}

const OPERATIONS = [XENSND_OP_GET_VOLUME, XENSND_OP_CLOSE, XENSND_OP_TRIGGER, XENSND_OP_HW_PARAM_QUERY];

const NAMED = {
  /** The same request without end. */
  flood: (guest, stream, random) => {
    if (stream === undefined) return;
    const operation = random.pick(OPERATIONS);
    const ask = () => stream.put((view, at, id) => encodeRwRequest(view, at, id, operation, 0, 0));
    keepFull(guest, stream, random, ask, guest.meter(operation));
  },
  /** Sound without end: a buffer is filled, and started and stopped, again and again. */
  spin: (guest, stream, random) => {
    if (stream === undefined || guest.isFlooding) return;
    const bytes = open(guest, stream);
    if (bytes === undefined) return;
    guest.domain.after(OPENING_MICROS, () => {
      let turn = 0;
      keepFull(guest, stream, random, () =>
        stream.put((view, at, id) => {
          const step = turn++ % 3;
          if (step === 0) encodeRwRequest(view, at, id, XENSND_OP_WRITE, 0, bytes);
          else {
            encodeTriggerRequest(view, at, id, step === 1 ? XENSND_OP_TRIGGER_START : XENSND_OP_TRIGGER_STOP);
          }
        }));
    });
  },
  /** A large buffer that is one page, named again and again. */
  samePage: (guest, stream) => {
    if (stream === undefined) return;
    open(guest, stream, (directory) => {
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
