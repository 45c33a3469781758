// SPDX-License-Identifier: MIT
/**
 * What guests get of the daemon in the long run: answers, sound, wake-ups of engines, looks at XenStore. Each is a bucket that
 * leaks at the rate that a guest may claim. What stands in the bucket above a bound was more than a guest's budget allows.
 */
import {
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_TRIGGER,
} from "../../../lib/sndif/mod.ts";
import { DEFAULT_LIMITS, type GuestLimits } from "../../../lib/daemon/policy/guest_limits.ts";
import { type Process, runningThread, type Thread } from "../machine/process.ts";
import type { World } from "../world.ts";
import { addressSpace, type Range } from "../xen/address_space.ts";
import type { StreamAccount } from "../guest/account.ts";
import { Domain } from "../xen/domain.ts";
import type { ForeignMapping } from "../xen/hypervisor.ts";
import { channelsOf } from "../xen/libxenevtchn.ts";
import { placeOf } from "./allowed.ts";

/** What a request costs beside its share of the requests a second, µs: the table of `lib/engine/guest_budget.ts`. */
const EXTRA_MICROS: Readonly<Record<number, number>> = {
  [XENSND_OP_OPEN]: 5000,
  [XENSND_OP_CLOSE]: 5000,
  [XENSND_OP_TRIGGER]: 1000,
  [XENSND_OP_HW_PARAM_QUERY]: 200,
};
/** A budget's capacity, µs. */
const CAPACITY = 1_000_000;
/** Requests and octets of one stream that a turn may serve when a budget is all but used up. */
const TURN_REQUESTS = 64;
const TURN_OCTETS = 3 << 18;
/** Octets that an engine moves to or from one buffer in one turn: a stream is served at most three times in a turn. */
const MOST_OCTETS = 3 << 18;
/** Devices that the host gives to streams under their guests, a second. Each takes what the former had yet to play once more. */
const DEVICES = 0.25;
const NEW_DEVICE = /: \S+ is (used from now on|there again)$/;
/** Events with nothing behind them that one port may bring a second, and in one burst, of the budget's price for them. */
const IDLE_SIGNALS = 250;
const IDLE_BURST = 1500;
/** Times that the daemon reads a card's state at its guest's end: a second, and in one burst. */
const LOOKS = 400;
const LOOK_BURST = 400;
/** Connections of a stream, one after the other, that an honest guest sends nothing by: a second, and in one burst. */
const IDLE_CONNECTIONS = 1;
const CONNECTION_BURST = 12;
/** Such connections in a row before the first pause. A card that a reload changes is made anew, and offered at once. */
const SHORT_CONNECTIONS = 3;
const RELOADED = /: \S+ is reloaded: (.*)$/;
/** What each operator's command may ask for besides. */
const OPERATORS_LOOKS = 20;

/** µs for which copies are remembered, and how many of a guest's are before the older ones are forgotten. */
const [KEPT_MICROS, MOST_KEPT] = [20_000_000, 4096];

const FRONTEND_STATE = /^\/local\/domain\/\d+\/device\/vsnd\/\d+\/state$/;

/** What has come in beyond a rate. */
class Bucket {
  #level = 0;
  #at = 0;

  /** @param rate that leaks a µs. Returns what is in the bucket. */
  add(now: number, amount: number, rate: number): number {
    this.#level = Math.max(0, this.#level - (now - this.#at) * rate) + amount;
    this.#at = now;
    return this.#level;
  }

  take(amount: number): void {
    this.#level = Math.max(0, this.#level - amount);
  }
}

export class Demand {
  #complaint: string | undefined;
  /** For each process, the buckets of each kind and guest. */
  readonly #buckets = new WeakMap<object, Map<string, Bucket>>();
  /** The copies to and from each range in the present turn of a thread: octets in all, and the last one's place. */
  readonly #copied = new Map<
    Range,
    { readonly octets: number; readonly from: number; readonly to: number }
  >();
  /** {@link enginesOf} in that turn. */
  readonly #engines = new Map<number, number>();
  #turn: { readonly thread: Thread; readonly number: number } | undefined;
  /** The copies of the last {@link KEPT_MICROS}, for each guest. */
  readonly #copies = new WeakMap<Domain, { readonly time: number; readonly octets: number }[]>();
  /** The last request of each stream as it was last connected. */
  readonly #lastRequests = new WeakMap<StreamAccount, unknown>();
  /** The requests of each hostile guest that allow it a signal. */
  readonly #puts = new WeakMap<Domain, number>();

  private constructor(private readonly world: World) {
    const { host: { xen }, population } = world;
    addressSpace.onCopy = (range, ...copy) => this.#copy(range, ...copy);
    const { onSignal } = xen.hypervisor;
    xen.hypervisor.onSignal = (process, domid) => {
      onSignal(process, domid);
      this.#signalled(process, domid);
    };
    const { onMapped } = xen.hypervisor;
    xen.hypervisor.onMapped = (mapping) => {
      onMapped(mapping);
      this.#mapped(mapping);
    };
    xen.xenstored.onRead = (process, path) => this.#reads(process, path);
    population.meter = (domain, operation) => this.#meter(domain, operation);
  }

  static readonly #all = new WeakMap<World, Demand>();

  /** The demand of a world's guests, from the first call on. */
  static of(world: World): Demand {
    let demand = Demand.#all.get(world);
    if (demand === undefined) Demand.#all.set(world, demand = new Demand(world));
    return demand;
  }

  /** A process has logged `text`. */
  logged(process: Process, text: string): void {
    if (NEW_DEVICE.test(text)) this.#bucket(process, "devices").add(this.world.now, 1, DEVICES / 1e6);
    const changed = RELOADED.exec(text)?.[1];
    if (changed !== undefined) this.#reloaded(process, changed);
  }

  #reloaded(process: Process, changed: string): void {
    for (const guest of this.world.population.present) {
      for (const account of guest.kernel.accounts) {
        if (!changed.includes(`${guest.name}/${placeOf(guest, account).card}, `)) continue;
        this.#bucket(process, `${guest.domain.domid} ${account.name}`).take(SHORT_CONNECTIONS);
      }
    }
  }

  /** What is wrong, and was not said before. */
  take(): string | undefined {
    const complaint = this.#complaint;
    this.#complaint = undefined;
    return complaint;
  }

  #bucket(process: object, name: string): Bucket {
    let buckets = this.#buckets.get(process);
    if (buckets === undefined) this.#buckets.set(process, buckets = new Map());
    let bucket = buckets.get(name);
    if (bucket === undefined) buckets.set(name, bucket = new Bucket());
    return bucket;
  }

  /** The limits by which a process serves; undefined if it is no daemon. */
  #limits(process: object): GuestLimits | undefined {
    const run = this.world.daemons.running.find((run) => run.process === process);
    return run && (run.options.guestLimits ?? DEFAULT_LIMITS);
  }

  /** A guest's answers to its own request without end. */
  #meter(domain: Domain, operation: number): (answers: number) => void {
    const process = this.world.daemons.current?.process;
    const limits = process && this.#limits(process);
    if (limits === undefined) return () => {};
    const price = Math.floor(1e6 / limits.requests) + (EXTRA_MICROS[operation] ?? 0);
    const bucket = new Bucket();
    return (answers) => {
      if (this.world.daemons.current?.process !== process) return;
      const engines = enginesOf(process!, domain.domid);
      const most = engines * CAPACITY + TURN_REQUESTS * price;
      const level = bucket.add(this.world.now, answers * price, engines);
      if (level <= most) return;
      this.#complaint ??=
        `domain ${domain.domid} gets more answers to operation ${operation} than ${limits.requests} requests a second allow: ` +
        `${level} µs of ${most}`;
    };
  }

  #copy(range: Range, from: number, length: number): void {
    const thread = runningThread();
    if (thread === undefined || !(range.owner instanceof Domain)) return;
    const limits = this.#limits(thread.process);
    if (limits === undefined) return;
    if (this.#turn?.thread !== thread || this.#turn.number !== thread.turns) {
      this.#copied.clear();
      this.#engines.clear();
      this.#turn = { thread, number: thread.turns };
    }
    this.#keep(range.owner, length);
    // What a device has not taken is copied once more, and counts once.
    const last = this.#copied.get(range) ?? { octets: 0, from: 0, to: 0 };
    const again = from > last.from && from < last.to ? last.to - from : 0;
    const octets = last.octets + length - again;
    this.#copied.set(range, { octets, from, to: from + length });
    if (octets > MOST_OCTETS) {
      this.#complaint ??=
        `${thread.name} moves ${octets} octets of ${range.name} in one turn; the bound is ${MOST_OCTETS}`;
    }
    const { domid } = range.owner;
    const engines = this.#engines.get(domid) ?? enginesOf(thread.process, domid);
    this.#engines.set(domid, engines);
    const devices = this.#bucket(thread.process, "devices").add(this.world.now, 0, DEVICES / 1e6);
    const most = engines * limits.moved * CAPACITY + (2 + devices) * TURN_OCTETS;
    const level = this.#bucket(thread.process, `sound ${domid}`).add(
      this.world.now,
      length - again,
      engines * limits.moved,
    );
    if (level > most) {
      this.#complaint ??=
        `domain ${domid} has more sound moved than ${limits.moved} MB a second: ${level} octets of ${most}`;
    }
  }

  #keep(domain: Domain, octets: number): void {
    const { now: time } = this.world;
    let copies = this.#copies.get(domain);
    if (copies === undefined) this.#copies.set(domain, copies = []);
    copies.push({ time, octets });
    if (copies.length < MOST_KEPT) return;
    const first = copies.findIndex((copy) => copy.time > time - KEPT_MICROS);
    copies.splice(0, first < 0 ? copies.length : first);
  }

  /** Octets that were copied to and from the guest's buffers from `from` to `until`. */
  copied(domain: Domain, from: number, until: number): number {
    const copies = this.#copies.get(domain) ?? [];
    return copies.reduce((sum, { time, octets }) => from <= time && time <= until ? sum + octets : sum, 0);
  }

  /** A guest's event wakes an engine. Each comes with a request, or at the price of one that has nothing behind it. */
  #signalled(process: object, domid: number): void {
    const domain = this.world.host.xen.hypervisor.domain(domid);
    const hostile = domain && this.world.population.of(domain)?.hostile;
    if (hostile === undefined || this.#limits(process) === undefined) return;
    const puts = hostile.puts - (this.#puts.get(domain!) ?? 0);
    this.#puts.set(domain!, hostile.puts);
    const ports = channelsOf(process as Process).reduce((sum, counts) => sum + (counts.get(domid) ?? 0), 2);
    const level = this.#bucket(process, `signals ${domid}`).add(
      this.world.now,
      Math.max(0, 1 - puts),
      ports * IDLE_SIGNALS / 1e6,
    );
    if (level > IDLE_BURST) {
      this.#complaint ??=
        `domain ${domid} wakes engines ${level} times more often than its requests and budget allow`;
    }
  }

  /** A ring is mapped. A frontend that leaves as soon as it is connected would go on with that for ever. */
  #mapped({ domain, grants, isWritable }: ForeignMapping): void {
    const guest = this.world.population.of(domain);
    const process = this.world.daemons.current?.process;
    if (!isWritable || grants.length !== 1 || guest?.isHonest !== true || process === undefined) return;
    const account = [...guest.kernel.accounts].find(({ ringRef }) => ringRef === grants[0]!.gref);
    if (account === undefined) return;
    const last = account.requests.at(-1);
    const isIdle = this.#lastRequests.get(account) === last;
    this.#lastRequests.set(account, last);
    const level = this.#bucket(process, `${guest.domain.domid} ${account.name}`)
      .add(this.world.now, isIdle ? 1 : 0, IDLE_CONNECTIONS / 1e6);
    if (level > CONNECTION_BURST) {
      this.#complaint ??=
        `${guest.name}(${domain.domid}) ${account.name} is connected again and again, and sends nothing`;
    }
  }

  #reads(process: object, path: string): void {
    if (!FRONTEND_STATE.test(path) || this.#limits(process) === undefined) return;
    const level = this.#bucket(process, path).add(this.world.now, 1, LOOKS / 1e6);
    if (level > LOOK_BURST + OPERATORS_LOOKS * this.world.operators.running.length) {
      this.#complaint ??= `${path} is read more than ${LOOKS} times a second, and ${LOOK_BURST} in one burst`;
    }
  }
}

/** Engines that serve the domain: each has a budget of its own for it. */
function enginesOf(process: Process, domid: number): number {
  return Math.max(1, channelsOf(process).filter((counts) => counts.has(domid)).length);
}
