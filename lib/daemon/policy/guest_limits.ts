// SPDX-License-Identifier: MIT
/** What one guest may have of the daemon at a time, and what it has: so that none takes what the others need. */
import type { Mapping } from "../../xen/ports.ts";

export interface GuestLimits {
  /** Streams that are served. */
  readonly streams: number;
  /** Threads of its own, for streams on PCMs that may wait; streams beyond that share them. */
  readonly engines: number;
  /** The same of all guests together. */
  readonly totalEngines: number;
  /** MiB that the daemon holds for it: its pages that are mapped, and what the daemon's own copies of its sound take. */
  readonly mapped: number;
  /** The same of all guests together. */
  readonly totalMapped: number;
  /** Requests a second, in the long run; those above are served later. */
  readonly requests: number;
  /** MB of sound that are moved a second, in the long run; what is above is moved later. */
  readonly moved: number;
  /**
   * Lines of the log a minute about one stream, or card, of one level; those above are counted. Ten times as many about all of a
   * guest's streams and cards: see lib/log/rate_limit.ts.
   */
  readonly logLines: number;
}

export const DEFAULT_LIMITS: GuestLimits = {
  streams: 64,
  engines: 8,
  totalEngines: 32,
  // A grant that is mapped takes one of some 262 000 handles of the domain's, which disks and networks need too. All guests' pages
  // together take a quarter of those, at most.
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

/** Reads `streams=8,mapped=64`; what is not there is as by default. Throws RangeError. */
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

/** What a guest asks for is more than it may have. */
export class LimitError extends RangeError {
  override name = "LimitError";
}

/** What all guests have. Each of these gives a guest something until that is disposed, or throws {@link LimitError}. */
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

  /** Octets to be held for it, be they its own pages or the daemon's memory. */
  memory(domid: number, octets: number): Disposable {
    return this.#memory.take(domid, octets);
  }
}

/** One thing of which there is so much for each guest, and for all. */
class Quota {
  readonly #used = new Map<number, number>();
  #usedByAll = 0;

  /** @param name of the limit, as {@link KEYS} has it */
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
