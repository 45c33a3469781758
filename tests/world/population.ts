// SPDX-License-Identifier: MIT
/** The guests of a world: each domain's kernel, of either generation of the driver, and the programs that run in it. */
import type { EventIdBehaviour } from "../../lib/sndif/mod.ts";
import type { StreamAccount } from "./guest/account.ts";
import type { AccountCheck } from "./guest/checks.ts";
import { HostileGuest } from "./guest/hostile.ts";
import { LinuxKernel } from "./guest/linux_kernel.ts";
import { chooseProgram, type Program } from "./guest/programs.ts";
import type { Random } from "./machine/random.ts";
import type { GuestBuilder } from "./toolstack/xen_services.ts";
import type { StreamPlace } from "./toolstack/policy_history.ts";
import type { ShutdownReason } from "./toolstack/services.ts";
import type { Domain } from "./xen/domain.ts";
import type { GuestKernel } from "./xen/guest_kernel.ts";
import type { XenMachine } from "./xen/machine.ts";

/** Tags that frames can have: one octet, and 0 is silence. */
const TAGS = 255;
/** µs that a kernel takes from its domain's first breath to its drivers, and from a wish to its shutdown. */
const BOOT_MICROS = 200_000;
const SHUTDOWN_MICROS = 20_000;

/** A domain with a kernel. */
export class Guest {
  readonly programs = new Set<Program>();
  /** Whether the guest was saved and restored: the stock driver does not get over that with its PCM open. */
  wasSaved = false;
  /** The accounts of the streams, each with what is checked of it. */
  readonly checks = new Map<StreamAccount, AccountCheck>();

  constructor(
    readonly name: string,
    readonly domain: Domain,
    readonly xen: GuestKernel,
    readonly kernel: LinuxKernel,
    /** What the guest does beside its kernel, if it is no honest one. */
    readonly hostile: HostileGuest | undefined,
  ) {}

  get isHonest(): boolean {
    return this.hostile === undefined;
  }

  /** Programs that run. */
  get running(): Program[] {
    for (const program of this.programs) if (program.isOver) this.programs.delete(program);
    return [...this.programs];
  }
}

export interface PopulationServices {
  readonly xen: XenMachine;
  readonly log: (text: string) => void;
  /** The toolstack's side of a kernel's shutdown. */
  readonly shutsDown: (domain: Domain, reason: ShutdownReason) => void;
}

export class Population implements GuestBuilder {
  readonly #guests = new Map<Domain, Guest>();
  /** The guest that was given each tag last. */
  readonly #owners = new Map<number, Guest>();
  #lastTag = 0;
  /** One guest of so many is hostile. */
  oneHostileIn = 5;
  /** Whether the next guest is hostile in any case. */
  isNextHostile = false;
  /** Whether all programs play frame after frame, each of four octets. */
  isPlain = false;
  /** As in `HostileOptions`, for a guest in `domain`. */
  meter: (domain: Domain, operation: number) => (answers: number) => void = () => () => {};

  constructor(private readonly services: PopulationServices) {}

  /** All guests whose domains live, saved ones included. */
  get all(): readonly Guest[] {
    for (const [domain] of this.#guests) if (!domain.isAlive) this.#guests.delete(domain);
    return [...this.#guests.values()];
  }

  /** Honest guests that could run something now. */
  get present(): readonly Guest[] {
    return this.running.filter(({ isHonest }) => isHonest);
  }

  /** Guests in domains that the hypervisor has. */
  get running(): readonly Guest[] {
    const { hypervisor } = this.services.xen;
    return this.all.filter(({ domain }) => hypervisor.domain(domain.domid) === domain);
  }

  of(domain: Domain): Guest | undefined {
    return this.#guests.get(domain);
  }

  build(domain: Domain, name: string): void {
    const { xen, log } = this.services;
    const guestXen = xen.kernel(domain);
    const generation: EventIdBehaviour = guestXen.random.oneIn(2) ? "linux-6.1" : "linux-7.2";
    const kernel: LinuxKernel = new LinuxKernel(xen.clock, guestXen, {
      generation,
      severalCards: guestXen.random.oneIn(2),
      nextTag: () => {
        this.#lastTag = this.#lastTag % TAGS + 1;
        this.#owners.set(this.#lastTag, guest);
        return this.#lastTag;
      },
      log: (text) => log(`${name}(${domain.domid}): ${text}`),
    });
    const isHostile = guestXen.random.oneIn(this.oneHostileIn) || this.isNextHostile;
    this.isNextHostile = false;
    const hostile = isHostile ? this.#hostile(guestXen, name) : undefined;
    const guest: Guest = new Guest(name, domain, guestXen, kernel, hostile);
    this.#guests.set(domain, guest);
    domain.later(BOOT_MICROS, () => {
      if (hostile === undefined) kernel.start();
      else hostile.start();
      this.#obey(guest);
    });
  }

  #hostile(xen: GuestKernel, name: string): HostileGuest {
    const { log } = this.services;
    return new HostileGuest(xen, `device/vsnd/${xen.random.oneIn(4) ? 1 : 0}`, {
      foreignGrefs: () => this.all.flatMap(({ domain }) => [...domain.grants.keys()].slice(0, 8)),
      log: (text) => log(`${name}(${xen.domid}): ${text}`),
      meter: (operation) => {
        const domain = this.services.xen.hypervisor.domain(xen.domid);
        return domain === undefined ? () => {} : this.meter(domain, operation);
      },
    });
  }

  loaded(domain: Domain): void {
    const guest = this.#guests.get(domain);
    if (guest === undefined) return;
    guest.wasSaved = true;
    guest.kernel.resume(true);
  }

  resumed(domain: Domain): void {
    this.#guests.get(domain)?.kernel.resume(false);
  }

  /** Follows the toolstack's wishes (drivers/xen/manage.c). */
  #obey({ kernel, domain, xen }: Guest): void {
    const look = () => {
      const wish = read(xen);
      if (wish !== "poweroff" && wish !== "reboot" && wish !== "suspend") return;
      tryStore(() => xen.store.write("control/shutdown", ""));
      const done = () => this.services.shutsDown(domain, wish);
      if (wish === "suspend") kernel.suspend(() => domain.later(SHUTDOWN_MICROS, done));
      else domain.later(SHUTDOWN_MICROS, done);
    };
    tryStore(() => void xen.store.watch("control/shutdown", look));
  }

  /** Starts a program on a stream of the guest's, by chance. Returns undefined if there is no stream to use. */
  startProgram(guest: Guest, random: Random): Program | undefined {
    const { streams } = guest.kernel;
    if (streams.length === 0) return undefined;
    const stream = random.pick(streams);
    const nodename = stream.account.name.split(" ")[0]!;
    const program = chooseProgram(guest.kernel, nodename, stream, random, this.isPlain);
    if (program === undefined) return undefined;
    guest.programs.add(program);
    return program.start();
  }

  /** The account of an honest guest's stream, and the times in which the guest stood still. */
  streamOf({ domid, card, pcm, stream }: StreamPlace) {
    const guest = this.present.find(({ domain }) => domain.domid === domid);
    const account = [...guest?.kernel.accounts ?? []].find(({ name }) =>
      name.startsWith(`device/vsnd/${card} ${pcm}/${stream} `)
    );
    return guest && account && { account, pauses: guest.domain.pauses };
  }

  /** The guest and the account to which frames of `tag` belong. */
  accountOf(tag: number): { readonly guest: Guest; readonly account: StreamAccount } | undefined {
    const guest = this.#owners.get(tag);
    const account = [...guest?.kernel.accounts ?? []].find((found) => found.tag === tag);
    return guest && account && { guest, account };
  }
}

function read(xen: GuestKernel): string | undefined {
  try {
    return xen.store.read("control/shutdown");
  } catch {
    return undefined; // XenStore is away: the kernel looks again at the next change
  }
}

function tryStore(body: () => void): void {
  try {
    body();
  } catch {
    // XenStore is away, and what was to be written is not.
  }
}
