// SPDX-License-Identifier: MIT
/** The devices of the host, by their names. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import { FORMATS } from "../../../lib/sndif/mod.ts";
import type { Clock } from "../machine/clock.ts";
import type { Process } from "../machine/process.ts";
import {
  HostCard,
  type HostCardOptions,
  type HostEnd,
  type HostServices,
  type Opening,
} from "./host_card.ts";
import type { HostPcm } from "./host_pcm.ts";
import type { Capabilities } from "./hw_space.ts";
import type { SoundReports } from "./reports.ts";

type Pointer = NonNullable<Deno.PointerValue>;

const LINEAR = FORMATS.filter(({ kind }) => kind === "linear" || kind === "float").map((one) =>
  one.alsaFormat
);
const S16_S32 = [2, 10];

/** What an ordinary card can do. */
export const ORDINARY: Capabilities = {
  alternatives: [{ formats: S16_S32, rates: [8000, 192000], channels: [1, 8] }],
  bufferFrames: [64, 65536],
  periodFrames: [32, 32768],
  wholePeriods: true,
  canPause: true,
};

/** What plugins convert from, and what the null PCM takes. */
export const ANYTHING: Capabilities = {
  alternatives: [{ formats: LINEAR, rates: [4000, 384000], channels: [1, 32] }],
  bufferFrames: [32, 1 << 20],
  periodFrames: [16, 1 << 19],
  canPause: true,
};

/** What alsa-plugins' pulse takes. */
export const PULSE: Capabilities = {
  alternatives: [{ formats: [1, 2, 3, 10, 11, 14, 15, 20, 21], rates: [1, 384000], channels: [1, 32] }],
  bufferFrames: [96, 1 << 20],
  periodFrames: [32, 1 << 19],
};

export class HostCards {
  readonly #cards = new Map<string, HostCard>();
  /** How each name opens each card, beside the card's own name. */
  readonly #plugins = new Map<string, { card: HostCard; type: "PLUG"; capabilities: Capabilities }>();
  readonly #services: HostServices;
  #lastId = 0;
  /** All handles by their addresses. */
  readonly #handles = new Map<bigint, HostPcm>();
  /** A cache: hot paths call with the same pointer objects again and again. */
  readonly #byPointer = new WeakMap<Pointer, HostPcm>();

  constructor(readonly clock: Clock, readonly reports: SoundReports) {
    this.#services = { clock, reports, nextId: () => ++this.#lastId };
  }

  /** Adds a device. */
  add(options: HostCardOptions): HostCard {
    const card = new HostCard(this.#services, options);
    this.#cards.set(card.name, card);
    return card;
  }

  /** ALSA's null PCM, as the configuration of every host has it. */
  addNull(): HostCard {
    const bounds = { playback: ANYTHING, capture: ANYTHING, openMicros: [0, 0] } as const;
    return this.add({ name: "null", type: "NULL", ...bounds, seed: 0 });
  }

  /** Makes the device of `card` known also as `name`, with all conversions. */
  addPlug(name: string, card: HostCard): void {
    this.#plugins.set(name, { card, type: "PLUG", capabilities: ANYTHING });
  }

  /** The device called `name`. Throws if there never was one. */
  card(name: string): HostCard {
    const card = this.#cards.get(name) ?? this.#plugins.get(name)?.card;
    if (card === undefined) throw new RangeError(`the host has no device ${name}`);
    return card;
  }

  get cards(): readonly HostCard[] {
    return [...this.#cards.values()];
  }

  /** The handles that are open. */
  get open(): readonly HostPcm[] {
    return this.cards.flatMap(({ ends }) => ends.flatMap(({ pcms }) => [...pcms]));
  }

  /** Reports what has been played by now. */
  settle(): void {
    for (const card of this.#cards.values()) for (const end of card.ends) end.settle();
  }

  /** What snd_pcm_open finds by a name: an end and how to open it, or a negative errno. */
  find(name: string, direction: Direction): { end: HostEnd; opening: Opening } | number {
    const plugin = this.#plugins.get(name);
    const card = plugin?.card ?? this.#cards.get(name);
    // A card's number leads to a file that is missing; a card's name leads nowhere.
    if (card === undefined) return /^(plug)?hw:[^\d]/.test(name) ? -ERRNO.ENODEV : -ERRNO.ENOENT;
    const [end, own] = [card[direction], card.options[direction]];
    if (end === undefined || own === undefined) return -ERRNO.ENOENT;
    const { type, capabilities } = plugin ?? { type: card.type, capabilities: own };
    return { end, opening: { name, type, capabilities } };
  }

  /** Opens a handle; a negative errno. The handle is closed when the process ends. */
  openPcm(end: HostEnd, opening: Opening, process: Process): HostPcm | number {
    const pcm = end.open(opening, process);
    if (typeof pcm === "number") return pcm;
    this.#handles.set(addressOf(pcm), pcm);
    pcm.forget = process.atEnd(() => {
      end.close(pcm);
      end.release(pcm);
    });
    this.reports.opened?.(pcm, this.clock.now);
    return pcm;
  }

  /** The handle at `pointer`, open or closed. */
  at(pointer: Deno.PointerValue): HostPcm {
    if (pointer === null) throw new TypeError("libasound got a NULL handle");
    let pcm = this.#byPointer.get(pointer);
    if (pcm === undefined) {
      pcm = this.#handles.get(Deno.UnsafePointer.value(pointer));
      if (pcm === undefined) throw new TypeError("libasound got a pointer that is no handle");
      this.#byPointer.set(pointer, pcm);
    }
    return pcm;
  }
}

/** The address of a handle, in a part of the address space that no memory is in. */
export function addressOf(pcm: HostPcm): bigint {
  return 0x5a00_0000_0000n + BigInt(pcm.id) * 0x1000n;
}
