/** What one guest may have of the daemon at a time, and what it has: so that none takes what the others need. */
import type { Mapping } from "../xen/ports.ts";
import { XEN_PAGE_SIZE } from "../xen/ports.ts";

export interface GuestLimits {
  /** Streams that are connected. */
  readonly streams: number;
  /** MiB of its pages that are mapped. */
  readonly mapped: number;
  /** Requests a second of one stream, in the long run; those above are served later. */
  readonly requests: number;
  /**
   * Lines of the log a minute about one stream, or card, of one level; those above are counted. Ten times as many about all of a
   * guest's streams and cards: see lib/log/rate_limit.ts.
   */
  readonly logLines: number;
}

export const DEFAULT_LIMITS: GuestLimits = { streams: 64, mapped: 256, requests: 10_000, logLines: 20 };

/** As `--guest-limits` has them, and the least and most that each may be. */
const KEYS: Readonly<Record<string, [key: keyof GuestLimits, least: number, most: number]>> = {
  "streams": ["streams", 1, 256],
  "mapped": ["mapped", 1, 1 << 20],
  "requests": ["requests", 100, 1_000_000],
  "log-lines": ["logLines", 1, 10_000],
};

/** Reads `streams=8,mapped=64`; what is not there is as by default. Throws RangeError. */
export function parseGuestLimits(text: string): GuestLimits {
  const limits: { -readonly [key in keyof GuestLimits]: number } = { ...DEFAULT_LIMITS };
  for (const part of text.split(",")) {
    const [, name, digits] = /^\s*([a-z-]+)=(\d{1,9})\s*$/.exec(part) ?? [];
    const known = KEYS[name];
    if (known === undefined) {
      throw new RangeError(`${JSON.stringify(part)} is none: they are ${Object.keys(KEYS).join("=N, ")}=N.`);
    }
    const [key, least, most] = known;
    if (Number(digits) < least || Number(digits) > most) {
      throw new RangeError(`${name} is from ${least} to ${most}.`);
    }
    limits[key] = Number(digits);
  }
  return limits;
}

/** What a guest asks for is more than it may have. */
export class LimitError extends RangeError {
  override name = "LimitError";
}

/** What all guests have. */
export class GuestUse {
  readonly #used = new Map<number, { streams: number; pages: number }>();

  constructor(readonly limits: GuestLimits = DEFAULT_LIMITS) {}

  /** Gives a guest one more stream, with `pages` pages, until that is disposed. Throws {@link LimitError}. */
  stream(domid: number, pages: number): Disposable {
    return this.#take(domid, 1, pages);
  }

  /** Gives a guest `pages` more that are mapped, until that is disposed. Throws {@link LimitError}. */
  pages(domid: number, pages: number): Disposable {
    return this.#take(domid, 0, pages);
  }

  #take(domid: number, streams: number, pages: number): Disposable {
    const used = this.#used.get(domid) ?? { streams: 0, pages: 0 };
    const { limits } = this;
    if (used.streams + streams > limits.streams) {
      throw new LimitError(`its guest has ${used.streams} streams connected, and may have ${limits.streams}`);
    }
    if ((used.pages + pages) * XEN_PAGE_SIZE > limits.mapped * (1 << 20)) {
      throw new LimitError(
        `its guest has ${used.pages * 4} KiB mapped, and with ${
          pages * 4
        } more would have more than ${limits.mapped} MiB`,
      );
    }
    this.#used.set(domid, { streams: used.streams + streams, pages: used.pages + pages });
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        const { streams: s, pages: p } = this.#used.get(domid)!;
        if (s === streams && p === pages) this.#used.delete(domid);
        else this.#used.set(domid, { streams: s - streams, pages: p - pages });
      },
    };
  }
}

/** `mapping`, which gives back `share` when it goes. */
export function sharing(mapping: Mapping, share: Disposable): Mapping {
  const { buffer, address, pages } = mapping;
  return {
    buffer,
    address,
    pages,
    [Symbol.dispose]: () => {
      mapping[Symbol.dispose]();
      share[Symbol.dispose]();
    },
  };
}
