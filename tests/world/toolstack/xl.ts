// SPDX-License-Identifier: MIT
/**
 * What xl does with domains that have vsnd cards. Each verb is a {@link Program} of its own: the world goes on between any two of its
 * steps, and whoever starts a verb can kill xl at any of them. What a killed xl leaves behind stays until another verb takes it away.
 */
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import type { StoreView } from "../../../lib/xen/ports.ts";
import type { Random } from "../machine/random.ts";
import type { Account } from "./account.ts";
import { builtNodes, domainNodes, domainPaths } from "./domain_nodes.ts";
import { Libxl } from "./libxl.ts";
import type { Services, ShutdownReason } from "./services.ts";
import { gap, Program, ProgramError, Signal, sleep, type Steps } from "./steps.ts";
import type { XlCard } from "./xl_card.ts";

/** How long a guest may take to suspend itself, µs. */
const SUSPEND_TIMEOUT = 60_000_000;
/** xl waits so long before it makes a rebooted domain again, µs. */
const REBOOT_PAUSE = 2_000_000;

/** What xl keeps of a domain: libxl's domain configuration. */
export interface DomainConfig {
  readonly name: string;
  readonly uuid: string;
  /** By number. */
  readonly cards: ReadonlyMap<number, XlCard>;
}

/** A domain in a file. */
export interface SavedDomain {
  readonly config: DomainConfig;
  readonly memory: unknown;
}

export interface CreateOptions {
  /** The number of the new domain. libxl takes the number of a domain that went a minute ago only if it is told to. */
  readonly domid?: number;
  /** Leave the domain paused. */
  readonly isPaused?: boolean;
}

interface Making extends CreateOptions {
  /** The memory of a saved domain; undefined: a kernel that has not run. */
  readonly memory?: unknown;
  readonly isRestored?: boolean;
}

export class Xl {
  /** libxl's configurations of domains (`/var/lib/xen/userdata-d.*`). */
  readonly configs = new Map<number, DomainConfig>();
  /** The xl processes that wait for a domain to die, each with the domain. */
  readonly monitors = new Map<Program<void>, number>();
  /** How many destroyers each domain has. */
  readonly #destroyers = new Map<number, number>();
  readonly #locked = new Set<number>();
  #uuids = 0;

  constructor(private readonly services: Services, private readonly account: Account) {}

  #run<T>(
    name: string,
    random: Random,
    verb: (libxl: Libxl) => Steps<T>,
  ): Program<T> {
    const { clock, log } = this.services;
    log(`${name}`);
    const program = new Program(name, verb(new Libxl(this.services, this.account, random)), clock);
    return program.whenEnded((outcome) =>
      log(`${name}: ${outcome.kind}${outcome.kind === "failed" ? `: ${outcome.reason}` : ""}`)
    );
  }

  /** `xl create`: resolves to the new domain's number. xl goes on as the domain's monitor. */
  create(
    name: string,
    cards: readonly XlCard[],
    random: Random,
    options: CreateOptions = {},
  ): Program<number> {
    const uuid = `00000000-0000-4000-8000-${(++this.#uuids).toString(16).padStart(12, "0")}`;
    const config = { name, uuid, cards: new Map(cards.entries()) };
    return this.#run(`xl create ${name}`, random, (libxl) => this.#createAndUnpause(libxl, config, options))
      .whenEnded((outcome) => {
        if (outcome.kind === "done") this.#monitor(outcome.value, random);
      });
  }

  /** `xl vsnd-attach`: the card's number. */
  attach(domid: number, card: XlCard, random: Random): Program<number> {
    return this.#run(`xl vsnd-attach ${domid}`, random, (libxl) => this.#attach(libxl, domid, card));
  }

  /** `xl vsnd-detach`. */
  detach(domid: number, devid: number, random: Random): Program<void> {
    return this.#run(
      `xl vsnd-detach ${domid} ${devid}`,
      random,
      (libxl) => this.#detach(libxl, domid, devid),
    );
  }

  /** `xl destroy`. */
  destroy(domid: number, random: Random): Program<void> {
    return this.#run(`xl destroy ${domid}`, random, (libxl) => this.#destroy(libxl, domid));
  }

  /** `xl shutdown` and `xl reboot`: ask the guest's kernel, and no more. */
  shutdown(domid: number, reason: "poweroff" | "reboot", random: Random): Program<void> {
    return this.#run(`xl ${reason} ${domid}`, random, (libxl) => this.#ask(libxl, domid, reason));
  }

  /** `xl rename`. */
  rename(domid: number, name: string, random: Random): Program<void> {
    return this.#run(`xl rename ${domid} ${name}`, random, (libxl) => this.#rename(libxl, domid, name));
  }

  /** `xl pause`. */
  pause(domid: number, random: Random): Program<void> {
    return this.#run(`xl pause ${domid}`, random, (libxl) => this.#setPaused(libxl, domid, true));
  }

  /** `xl unpause`. */
  unpause(domid: number, random: Random): Program<void> {
    return this.#run(`xl unpause ${domid}`, random, (libxl) => this.#setPaused(libxl, domid, false));
  }

  /** `xl save`: the domain is gone then. */
  save(domid: number, random: Random): Program<SavedDomain> {
    return this.#run(`xl save ${domid}`, random, (libxl) => this.#save(libxl, domid));
  }

  /** `xl save -c`: the domain goes on after the copy. */
  checkpoint(domid: number, random: Random): Program<SavedDomain> {
    return this.#run(`xl save -c ${domid}`, random, (libxl) => this.#checkpoint(libxl, domid));
  }

  /** `xl restore`: the new domain's number. */
  restore({ config, memory }: SavedDomain, random: Random, options: CreateOptions = {}): Program<number> {
    const making = { ...options, memory, isRestored: true };
    return this.#run(
      `xl restore ${config.name}`,
      random,
      (libxl) => this.#createAndUnpause(libxl, config, making),
    )
      .whenEnded((outcome) => {
        if (outcome.kind === "done") this.#monitor(outcome.value, random);
      });
  }

  /** `xl migrate` from this host to itself: the new domain's number. */
  migrate(domid: number, random: Random): Program<number> {
    return this.#run(`xl migrate ${domid} localhost`, random, (libxl) => this.#migrate(libxl, domid))
      .whenEnded((outcome) => {
        if (outcome.kind === "done") this.#monitor(outcome.value, random);
      });
  }

  /** `xl migrate-receive`: a domain comes from another host, whose xl sends `saved`. */
  receive(saved: SavedDomain, random: Random): Program<number> {
    return this.#run(
      `xl migrate-receive ${saved.config.name}`,
      random,
      (libxl) => this.#receive(libxl, saved),
    )
      .whenEnded((outcome) => {
        if (outcome.kind === "done") this.#monitor(outcome.value, random);
      });
  }

  *#createAndUnpause(libxl: Libxl, config: DomainConfig, options: Making): Steps<number> {
    const domid = yield* this.#make(libxl, config, options);
    if (!options.isPaused) {
      yield* libxl.pause();
      this.#requireDomain(domid);
      this.services.hypervisor.unpauseDomain(domid);
    }
    return domid;
  }

  /** Makes a paused domain with its cards. If anything fails, the domain is destroyed again. */
  *#make(libxl: Libxl, config: DomainConfig, options: Making): Steps<number> {
    const { hypervisor, store } = this.services;
    yield* libxl.work(10_000, 40_000);
    this.#requireFree(config.name);
    const domid = this.#createDomain(options.domid);
    try {
      yield* this.#makeNodes(libxl, domid, config);
      yield* libxl.work(50_000, 300_000);
      if (options.isRestored) this.services.guests.load(domid, options.memory);
      else this.services.guests.build(domid, config.name);
      for (const node of builtNodes(domid)) yield* libxl.writeNode(store, node);
      yield* libxl.pause();
      store.introduce(domid);
      for (const [devid, card] of config.cards) yield* libxl.addDevice(domid, devid, card);
      yield* libxl.awaitConnection(domid, [...config.cards.keys()]);
      this.#requireDomain(domid);
    } catch (error) {
      if (hypervisor.domainInfo(domid) !== undefined) yield* this.#destroy(libxl, domid);
      else {
        // Another xl has destroyed the domain, and did not know of the nodes that came afterwards. An administrator removes those.
        yield* this.#removeNodes(libxl, domid);
        this.account.domainGone(domid, false);
      }
      throw error;
    }
    const domain = this.account.domain(domid);
    if (domain?.phase === "making") domain.phase = "whole";
    return domid;
  }

  #createDomain(wanted: number | undefined): number {
    // libxl keeps the numbers of destroyed domains, so that no late removal meets another domain of the same number.
    if (wanted !== undefined && this.#destroyers.has(wanted)) {
      throw new ProgramError("domain id recently used");
    }
    return this.services.hypervisor.createDomain(wanted);
  }

  /** Throws if another domain than `domid` has the name. */
  #requireFree(name: string, domid?: number, view: StoreView = this.services.store): void {
    const domids = (view.list("/local/domain") ?? []).map(Number);
    const holder = domids.find((domid) => view.read(`/local/domain/${domid}/name`) === name);
    if (holder !== undefined && holder !== domid) {
      throw new ProgramError(`domain with name "${name}" already exists`);
    }
  }

  /** The transaction of `libxl__domain_make`. */
  *#makeNodes(libxl: Libxl, domid: number, config: DomainConfig): Steps<void> {
    const paths = domainPaths(domid, config.uuid);
    const requireFree = (view: StoreView) => this.#requireFree(config.name, domid, view);
    const body = function* (view: StoreView): Steps<void> {
      for (const path of [paths.home, paths.vm, paths.libxl]) yield* libxl.remove(view, path);
      requireFree(view);
      for (const node of domainNodes(domid, config.uuid, config.name)) yield* libxl.writeNode(view, node);
    };
    yield* libxl.transaction(body, () => {
      this.account.domainMade(domid, config.name, config.uuid);
      this.configs.set(domid, config);
    });
  }

  *#attach(libxl: Libxl, domid: number, card: XlCard): Steps<number> {
    yield* libxl.work(10_000, 40_000);
    let devid: number;
    yield* this.#lock(libxl, domid);
    try {
      const config = this.#configOf(domid);
      const taken = (this.services.store.list(`/libxl/${domid}/device/vsnd`) ?? []).map(Number);
      devid = Math.max(-1, ...taken) + 1;
      yield* libxl.addDevice(domid, devid, card);
      this.configs.set(domid, { ...config, cards: new Map(config.cards).set(devid, card) });
    } finally {
      this.#locked.delete(domid);
    }
    // What fails from here on leaves the card as it is: libxl removes nothing.
    yield* libxl.awaitConnection(domid, [devid]);
    return devid;
  }

  /** Takes libxl's lock of the domain's configuration. */
  *#lock(libxl: Libxl, domid: number): Steps<void> {
    while (this.#locked.has(domid)) yield* libxl.work(1000, 5000);
    this.#locked.add(domid);
  }

  #configOf(domid: number): DomainConfig {
    const config = this.configs.get(domid);
    if (config === undefined) throw new ProgramError(`domain ${domid} has no configuration`);
    return config;
  }

  #requireDomain(domid: number): void {
    const info = this.services.hypervisor.domainInfo(domid);
    if (info === undefined) throw new ProgramError(`domain ${domid} does not exist`);
  }

  *#detach(libxl: Libxl, domid: number, devid: number): Steps<void> {
    yield* libxl.work(10_000, 40_000);
    const devices = yield* libxl.devicesOf(domid);
    const address = devices.find(({ card }) => card === devid);
    if (address === undefined) throw new ProgramError(`device ${devid} is not connected`);
    this.#requireDomain(domid);
    yield* libxl.removeDevices([address], "auto");
  }

  *#destroy(libxl: Libxl, domid: number): Steps<void> {
    this.#destroyers.set(domid, (this.#destroyers.get(domid) ?? 0) + 1);
    try {
      yield* this.#destroyDomain(libxl, domid);
    } finally {
      const left = this.#destroyers.get(domid)! - 1;
      if (left === 0) this.#destroyers.delete(domid);
      else this.#destroyers.set(domid, left);
    }
  }

  /** `libxl__destroy_domid`. */
  *#destroyDomain(libxl: Libxl, domid: number): Steps<void> {
    const { hypervisor } = this.services;
    yield* libxl.work(5_000, 20_000);
    this.#requireDomain(domid);
    const domain = this.account.domain(domid);
    if (domain !== undefined) domain.phase = "going";
    hypervisor.pauseDomain(domid);
    const leftVm = yield* this.#removeNodes(libxl, domid);
    yield* this.#lock(libxl, domid);
    this.configs.delete(domid);
    this.#locked.delete(domid);
    yield* libxl.work(1_000, 30_000);
    hypervisor.destroyDomain(domid);
    this.account.domainGone(domid, leftVm);
  }

  /** Removes the domain's cards, and then its nodes. Returns whether the nodes in /vm could not be found. */
  *#removeNodes(libxl: Libxl, domid: number): Steps<boolean> {
    const { store } = this.services;
    const devices = yield* libxl.devicesOf(domid);
    try {
      yield* libxl.removeDevices(devices, "on");
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      this.services.log(`xl: ${error.message}`);
    }
    const home = `/local/domain/${domid}`;
    const vm = yield* libxl.read(store, `${home}/vm`);
    for (const path of [...(vm === undefined ? [] : [vm]), home, `/libxl/${domid}`]) {
      yield* libxl.remove(store, path);
    }
    return vm === undefined;
  }

  /** Writes the wish for the guest's kernel (`libxl__domain_pvcontrol`). */
  *#ask(libxl: Libxl, domid: number, wish: ShutdownReason): Steps<void> {
    yield* libxl.work(10_000, 40_000);
    this.#requireDomain(domid);
    yield* libxl.write(this.services.store, `/local/domain/${domid}/control/shutdown`, wish);
  }

  *#rename(libxl: Libxl, domid: number, name: string): Steps<void> {
    yield* libxl.work(10_000, 40_000);
    this.#requireDomain(domid);
    const home = `/local/domain/${domid}`;
    const requireFree = (view: StoreView) => this.#requireFree(name, domid, view);
    const body = function* (view: StoreView): Steps<void> {
      requireFree(view);
      if ((yield* libxl.read(view, `${home}/name`)) === undefined) {
        throw new ProgramError(`domain ${domid} has no name`);
      }
      yield* libxl.write(view, `${home}/name`, name);
      const vm = yield* libxl.read(view, `${home}/vm`);
      if (vm !== undefined && view.read(vm) !== undefined) yield* libxl.write(view, `${vm}/name`, name);
    };
    yield* libxl.transaction(body, () => {
      this.account.domainRenamed(domid, name);
      const config = this.configs.get(domid);
      if (config !== undefined) this.configs.set(domid, { ...config, name });
    });
  }

  *#setPaused(libxl: Libxl, domid: number, isPaused: boolean): Steps<void> {
    yield* libxl.work(5_000, 20_000);
    this.#requireDomain(domid);
    if (isPaused) this.services.hypervisor.pauseDomain(domid);
    else this.services.hypervisor.unpauseDomain(domid);
  }

  /** Has the guest suspend itself, and copies it. */
  *#suspend(libxl: Libxl, domid: number): Steps<SavedDomain> {
    const { store, guests } = this.services;
    const control = `/local/domain/${domid}/control/shutdown`;
    yield* this.#ask(libxl, domid, "suspend");
    const reason = yield* this.#shutDownOf(libxl, domid, SUSPEND_TIMEOUT);
    if (reason !== "suspend") {
      if ((yield* libxl.read(store, control)) === "suspend") yield* libxl.write(store, control, "");
      throw new ProgramError(
        reason === undefined
          ? `domain ${domid} did not suspend in time`
          : `domain ${domid} has ended: ${reason}`,
      );
    }
    const config = this.#present(domid);
    yield* libxl.work(100_000, 1_000_000);
    this.#requireDomain(domid);
    return { config, memory: guests.save(domid) };
  }

  /** The domain's configuration with the cards that the domain still has (`libxl_retrieve_domain_configuration`). */
  #present(domid: number): DomainConfig {
    const { store } = this.services;
    const config = this.#configOf(domid);
    const isThere = (devid: number) =>
      store.read(cardPaths({ domid, card: devid, backendDomid: 0 }).libxl) !== undefined;
    return { ...config, cards: new Map([...config.cards].filter(([devid]) => isThere(devid))) };
  }

  /** Waits until the domain has shut down or is gone ("crash"); undefined after `timeout` µs. */
  *#shutDownOf(libxl: Libxl, domid: number, timeout: number): Steps<ShutdownReason | undefined> {
    const { clock, store, hypervisor } = this.services;
    const news = new Signal();
    const until = clock.now + timeout;
    const end = store.watch("@releaseDomain", () => news.raise());
    try {
      for (;;) {
        yield* libxl.pause();
        const info = hypervisor.domainInfo(domid);
        if (info === undefined || info.isDying) return "crash";
        if (info.shutdown !== undefined) return info.shutdown;
        if (clock.now >= until) return undefined;
        yield news.until(clock, until, 0);
        news.take();
      }
    } finally {
      end();
    }
  }

  *#save(libxl: Libxl, domid: number): Steps<SavedDomain> {
    const saved = yield* this.#suspend(libxl, domid);
    yield* this.#destroy(libxl, domid);
    return saved;
  }

  *#checkpoint(libxl: Libxl, domid: number): Steps<SavedDomain> {
    const saved = yield* this.#suspend(libxl, domid);
    yield* libxl.pause();
    this.#requireDomain(domid);
    this.services.hypervisor.resumeDomain(domid);
    return saved;
  }

  *#receive(libxl: Libxl, { config, memory }: SavedDomain): Steps<number> {
    const incoming = { ...config, name: `${config.name}--incoming` };
    const domid = yield* this.#make(libxl, incoming, { memory, isRestored: true });
    yield* libxl.work(1_000, 300_000);
    yield* this.#rename(libxl, domid, config.name);
    yield* libxl.pause();
    this.#requireDomain(domid);
    this.services.hypervisor.unpauseDomain(domid);
    return domid;
  }

  *#migrate(libxl: Libxl, domid: number): Steps<number> {
    const { hypervisor } = this.services;
    const { config, memory } = yield* this.#suspend(libxl, domid);
    const incoming = { ...config, name: `${config.name}--incoming` };
    let copy: number;
    const source = this.account.domain(domid);
    if (source !== undefined) source.phase = "going";
    try {
      copy = yield* this.#make(libxl, incoming, { memory, isRestored: true });
    } catch (error) {
      if (hypervisor.domainInfo(domid) !== undefined) hypervisor.resumeDomain(domid);
      throw error;
    }
    yield* this.#rename(libxl, domid, `${config.name}--migratedaway`);
    yield* this.#rename(libxl, copy, config.name);
    yield* libxl.pause();
    this.#requireDomain(copy);
    hypervisor.unpauseDomain(copy);
    yield* this.#destroy(libxl, domid);
    return copy;
  }

  /** xl waits for the domain's end, takes the domain away then, and makes another one if the guest has rebooted. */
  #monitor(domid: number, random: Random): void {
    const program: Program<void> = this.#run(
      `xl (monitor of ${domid})`,
      random,
      (libxl) => this.#follow(libxl, domid, random, (domid) => this.monitors.set(program, domid)),
    );
    this.monitors.set(program, domid);
    program.whenEnded(() => this.monitors.delete(program));
  }

  *#follow(
    libxl: Libxl,
    first: number,
    random: Random,
    follows: (domid: number) => void,
  ): Steps<void> {
    for (let domid = first;;) {
      const reason = yield* this.#shutDownOf(libxl, domid, Infinity);
      const info = this.services.hypervisor.domainInfo(domid);
      if (info === undefined || info.isDying || reason === "suspend") return;
      if (reason !== "reboot") return yield* this.#destroy(libxl, domid);
      const config = this.#present(domid);
      yield* this.#destroy(libxl, domid);
      yield sleep(this.services.clock, REBOOT_PAUSE + gap(random));
      // A toolstack that gives numbers by itself may give the same one again.
      const options = random.oneIn(8) ? { domid } : {};
      domid = yield* this.#createAndUnpause(libxl, config, options);
      follows(domid);
    }
  }
}
