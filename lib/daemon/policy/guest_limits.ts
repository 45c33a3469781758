// SPDX-License-Identifier: MIT
/** The limits of what one guest, and all guests together, may use of the daemon; and the count of what each guest uses. */
import type { Mapping } from "../../xen/ports.ts";

export interface GuestLimits {
  /** Streams that are served for one guest. */
  readonly streams: number;
  /** Engines, and so threads, of its own, for streams on PCMs that may block. More streams share those engines. */
  readonly engines: number;
  /** The same for all guests together. */
  readonly totalEngines: number;
  /** MiB that the daemon holds for one guest: mapped pages of the guest, and the daemon's copies of its sound. */
  readonly mapped: number;
  /** The same for all guests together. */
  readonly totalMapped: number;
  /** Requests a second, in the long run. Requests beyond the limit are served later. */
  readonly requests: number;
  /** MB of sound moved a second, in the long run. Sound beyond the limit is moved later. */
  readonly moved: number;
  /**
   * Log lines a minute about one stream or card, for each level. Lines beyond the limit are counted. Ten times as many are allowed
   * about all streams and cards of a guest: lib/log/rate_limit.ts.
   */
  readonly logLines: number;
}

export const DEFAULT_LIMITS: GuestLimits = {
  streams: 64,
  engines: 8,
  totalEngines: 32,
  // Each mapped grant takes one of the domain's some 262 000 handles, which disks and networks need too. All guests' pages together
  // take a quarter of the handles at most.
  mapped: 64,
  totalMapped: 256,
  requests: 10_000,
  moved: 128,
  logLines: 20,
};

/** The limits by their names in `--guest-limits`, each with its least and greatest value. */
const KEYS: ReadonlyMap<string, [key: keyof GuestLimits, least: number, most: number]> = new Map(
  Object.entries({
    "streams": ["streams", 1, 256],
    "engines": ["engines", 1, 256],
    "total-engines": ["totalEngines", 1, 1024],
    "mapped": ["mapped", 1, 1 << 20],
    "total-mapped": ["totalMapped", 1, 1 << 20],
    "requests": ["requests", 100, 1_000_000],
    "moved": ["moved", 1, 100_000],
    "log-lines": ["logLines", 1, 10_000],
  }),
);

/** Parses `streams=8,mapped=64`; a limit that is not named keeps its default. Throws RangeError. */
export function parseGuestLimits(text: string): GuestLimits {
  const limits: { -readonly [key in keyof GuestLimits]: number } = { ...DEFAULT_LIMITS };
  for (const part of text.split(",")) {
    const [, name = "", digits] = /^\s*([a-z-]+)=(\d{1,9})\s*$/.exec(part) ?? [];
    const known = KEYS.get(name);
    if (known === undefined) {
      const names = [...KEYS.keys()].join("=N, ");
      throw new RangeError(`unknown limit ${JSON.stringify(part)}: expected one of ${names}=N.`);
    }
    const [key, least, most] = known;
    if (Number(digits) < least || Number(digits) > most) {
      throw new RangeError(`${name} is from ${least} to ${most}.`);
    }
    limits[key] = Number(digits);
  }
  return limits;
}

/** A guest asks for more than its limit. */
export class LimitError extends RangeError {
  override name = "LimitError";
}

/** Counts what all guests use. Each method takes a share for a guest, until the share is disposed, or throws {@link LimitError}. */
export class GuestUse {
  readonly #streams: Quota;
  readonly #engines: Quota;
  readonly #memory: Quota;

  constructor(readonly limits: GuestLimits = DEFAULT_LIMITS) {
    const count = (n: number) => String(n);
    const kib = (octets: number) => `${octets / 1024} KiB`;
    const octets = (mib: number) => mib * (1 << 20);
    this.#streams = new Quota("streams", count, limits.streams);
    this.#engines = new Quota("engines", count, limits.engines, limits.totalEngines);
    this.#memory = new Quota("mapped", kib, octets(limits.mapped), octets(limits.totalMapped));
  }

  stream(domid: number): Disposable {
    return this.#streams.take(domid, 1);
  }

  engine(domid: number): Disposable {
    return this.#engines.take(domid, 1);
  }

  /** Takes `octets` of memory, be it the guest's pages or the daemon's. */
  memory(domid: number, octets: number): Disposable {
    return this.#memory.take(domid, octets);
  }
}

/** One resource, with a limit for each guest and one for all guests together. */
class Quota {
  readonly #used = new Map<number, number>();
  #usedByAll = 0;

  /** @param name of the limit, as in {@link KEYS} */
  constructor(
    private readonly name: string,
    private readonly format: (amount: number) => string,
    private readonly each: number,
    private readonly all = Infinity,
  ) {}

  take(domid: number, amount: number): Disposable {
    const used = this.#used.get(domid) ?? 0;
    this.#require("its guest has", this.name, used, amount, this.each);
    this.#require("all guests together have", `total-${this.name}`, this.#usedByAll, amount, this.all);
    this.#add(domid, amount);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#add(domid, -amount);
      },
    };
  }

  #require(who: string, limit: string, used: number, amount: number, most: number): void {
    if (used + amount <= most) return;
    const [has, more, may] = [used, amount, most].map(this.format);
    throw new LimitError(
      `${who} ${has}; ${more} more is above the ${may} that --guest-limits ${limit}= allows`,
    );
  }

  #add(domid: number, amount: number): void {
    const used = (this.#used.get(domid) ?? 0) + amount;
    if (used === 0) this.#used.delete(domid);
    else this.#used.set(domid, used);
    this.#usedByAll += amount;
  }
}

/** `mapping`, which gives back `share` when it is disposed. */
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
