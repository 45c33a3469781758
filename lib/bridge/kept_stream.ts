// SPDX-License-Identifier: MIT
/**
 * What a daemon that starts later needs of an open stream, and cannot read from the guest's own pages: a block of numbers in a file of
 * this host's, which outlives the daemon, however it ends. The engine writes it as it goes: each number is one aligned 64-bit store.
 *
 * The numbers of the OPEN have a checksum, and count only while the state is one of an open stream: the state is "closed" while several
 * numbers change that belong together.
 */
import { fnv1a } from "../base/fnv.ts";
import type { OpenRequest } from "../sndif/mod.ts";
import { STREAM_STATES, type StreamState } from "../stream/stream_state.ts";

/** The block is a page: it is mapped. */
export const KEPT_BYTES = 4096;

/** The layout of the block. A daemon that does not know it has the guest open its stream anew. */
const VERSION = 1;

/** Whose stream it is: what a frontend has published, and the hash of what tells its domain from others of the number. */
const OWNER = ["domain", "ringRef", "evtRingRef", "eventChannel", "evtEventChannel"] as const;
/** The OPEN, and the index on the event page at that time. */
const OPENED = [
  "pcmRate",
  "pcmFormat",
  "pcmChannels",
  "bufferSz",
  "grefDirectory",
  "periodSz",
  "eventBase",
] as const;
const POSITIONS = ["position", "guestFrames", "told", "unwoken", "beginning"] as const;
const WORDS = ["version", "checksum", "state", ...OWNER, ...OPENED, ...POSITIONS] as const;
type Word = typeof WORDS[number];
const PLACE = Object.fromEntries(WORDS.map((name, i) => [name, i])) as Record<Word, number>;

/** Where owner and OPEN stand. */
const OPENED_BYTES = {
  from: PLACE.domain * Float64Array.BYTES_PER_ELEMENT,
  to: PLACE.position * Float64Array.BYTES_PER_ELEMENT,
};

export type StreamOwner = Readonly<Record<typeof OWNER[number], number>>;

/** Frames since OPEN. */
export interface KeptPositions {
  /** The end of what has passed the device (playback), or was taken from the device (capture). */
  readonly position: number;
  /** The end of what the guest has written (read). */
  readonly guestFrames: number;
  /** The position that the guest was told. */
  readonly told: number;
  /** Frames that the guest was told since its driver last woke it. */
  readonly unwoken: number;
  /** The guest's first frame since its last STOP. */
  readonly beginning: number;
}

/** A stream as a former daemon left it. */
export interface KeptOpen extends KeptPositions {
  readonly open: OpenRequest;
  /** `EventPageProducer.base` */
  readonly eventBase: number;
  readonly state: "prepared" | "running" | "paused";
}

/** Numbers that no stream reaches: 2^53 octets. */
const MOST_FRAMES = 2 ** 48;

/** The block. After construction only {@link opened} and {@link read} allocate. */
export class KeptStream {
  readonly #words: Float64Array<ArrayBuffer>;
  #isFrozen = false;

  /** @param buffer {@link KEPT_BYTES}, mapped; without it nothing is kept */
  constructor(buffer: ArrayBuffer = new ArrayBuffer(KEPT_BYTES)) {
    this.#words = new Float64Array(buffer);
  }

  /** A new connection begins, and nothing is open. */
  begin(owner: StreamOwner): void {
    this.setState("closed");
    for (const name of OWNER) this.#set(name, owner[name]);
  }

  /** The guest has opened the stream. It counts as kept from {@link setState} on. */
  opened(open: OpenRequest, eventBase: number): void {
    this.setState("closed");
    for (const name of OPENED) this.#set(name, name === "eventBase" ? eventBase : open[name]);
    for (const name of POSITIONS) this.#set(name, 0);
    this.#set("version", VERSION);
    this.#set("checksum", this.#sum());
  }

  setState(state: StreamState): void {
    this.#set("state", STREAM_STATES.indexOf(state));
  }

  setPosition(frames: number): void {
    this.#set("position", frames);
  }

  setGuestFrames(frames: number): void {
    this.#set("guestFrames", frames);
  }

  setTold(frames: number): void {
    this.#set("told", frames);
  }

  setUnwoken(frames: number): void {
    this.#set("unwoken", frames);
  }

  /**
   * The guest has stopped the stream, whose frames begin at `at` from now on. What the guest was told stays: its page may have had no
   * room for `at`.
   */
  stopped(at: number): void {
    this.setState("closed");
    this.#set("position", at);
    this.#set("guestFrames", at);
    this.#set("beginning", at);
    this.setState("prepared");
  }

  /** The block stays as it is: a daemon that ends leaves the stream to the next one, or has yet to go on with the stream. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** Ends {@link freeze}. */
  thaw(): void {
    this.#isFrozen = false;
  }

  /** The open stream that the block holds, if it is `owner`'s and nothing contradicts itself. */
  read(owner: StreamOwner): KeptOpen | undefined {
    const get = (name: Word) => this.#words[PLACE[name]]!;
    const state = STREAM_STATES[get("state")];
    if (state !== "prepared" && state !== "running" && state !== "paused") return undefined;
    const isWhole = get("version") === VERSION && get("checksum") === this.#sum() &&
      OWNER.every((name) => get(name) === owner[name]);
    const isSane = POSITIONS.every((name) =>
      Number.isInteger(get(name)) && get(name) >= 0 && get(name) < MOST_FRAMES
    );
    if (!isWhole || !isSane) return undefined;
    const { eventBase, ...open } = Object.fromEntries(OPENED.map((name) => [name, get(name)])) as Record<
      typeof OPENED[number],
      number
    >;
    return {
      open,
      eventBase,
      state,
      // The pointer was read before the guest was told.
      position: Math.max(get("position"), get("told")),
      guestFrames: get("guestFrames"),
      told: get("told"),
      unwoken: get("unwoken"),
      beginning: get("beginning"),
    };
  }

  #set(name: Word, value: number): void {
    if (!this.#isFrozen) this.#words[PLACE[name]] = value;
  }

  /** Of the numbers that change at OPEN alone. */
  #sum(): number {
    const octets = new Uint8Array(this.#words.buffer);
    return fnv1a(octets.subarray(OPENED_BYTES.from, OPENED_BYTES.to));
  }
}
