// SPDX-License-Identifier: MIT
/**
 * A world: a host with Xen, sound devices and the real daemon; guests, a toolstack, operators and an administrator around it. A
 * script says what happens, an event after the other, and all else follows from its seeds.
 */
import "./machine/preload.ts";
import { addressSpace } from "./xen/address_space.ts";
import type { LogRecord } from "@logtape/logtape";
import { announcementPath } from "../../lib/daemon/announcement.ts";
import { CONFIG_FILE, type DaemonRun, Daemons } from "./daemon.ts";
import { beginCalm } from "./calm.ts";
import { EVENTS } from "./events/events.ts";
import { createGuest } from "./events/toolstack_events.ts";
import { Excuses } from "./excuses.ts";
import { Host, recordText } from "./host.ts";
import { Admission } from "./invariants/admission.ts";
import { Demand } from "./invariants/demand.ts";
import { Refusals } from "./invariants/refusals_told.ts";
import { heardProblem } from "./invariants/allowed.ts";
import { CHECKS, type Violation } from "./invariants/invariants.ts";
import { cardsLately, hasTightBudgets, refusalProblem } from "./invariants/limits.ts";
import { Takes } from "./invariants/takes.ts";
import { leaveProblem, Publications } from "./invariants/connections_kept.ts";
import { ClosedCards } from "./invariants/closed_cards.ts";
import { Connections } from "./invariants/connections.ts";
import { FullHearing } from "./invariants/heard_in_full.ts";
import { COUNTABLE, Ledger } from "./invariants/ledger.ts";
import type { StreamAccount } from "./guest/account.ts";
import { CounterWitness } from "./invariants/counters.ts";
import { OperatorWitness } from "./invariants/operators.ts";
import { Loudness, settingsOracle } from "./invariants/settings.ts";
import { waitProblem } from "./invariants/waits.ts";
import type { Process } from "./machine/process.ts";
import { mix, Random } from "./machine/random.ts";
import { Moments } from "./moments.ts";
import { Operators } from "./operator/commands.ts";
import type { SettingsOracle } from "./operator/oracle.ts";
import { Population } from "./population.ts";
import { isBusy, isCalm, isStalled, isStoried } from "./script.ts";
import { Account } from "./toolstack/account.ts";
import { Administrator, anyOptions } from "./toolstack/administrator.ts";
import { Nodes } from "./toolstack/nodes.ts";
import { PolicyHistory } from "./toolstack/policy_history.ts";
import { Provisioner } from "./toolstack/provisioner.ts";
import { xenServices } from "./toolstack/xen_services.ts";
import { type SavedDomain, Xl } from "./toolstack/xl.ts";
import { WorldLog } from "./world_log.ts";
import { StoreFollower } from "./xen/store_follower.ts";

/** In a world of stories one guest of so many is hostile. */
const STORIES_HOSTILE_IN = 100;
/** Few ids, so that a domain soon has one that another domain had. */
const GREATEST_DOMID = 12;
/** µs that a daemon may take from its announcement until it has answered what came before. */
const SETTLING_MICROS = 1_000_000;
/** µs that the world has, at its end, to come to rest. */
const REST_MICROS = 120_000_000;

export class World {
  readonly log: WorldLog;
  readonly host: Host;
  readonly population: Population;
  readonly account = new Account(() => this.history?.changed(), () => this.now);
  /** What each stream was allowed at each time. */
  readonly history: PolicyHistory;
  readonly services;
  readonly xl: Xl;
  readonly provisioner: Provisioner;
  readonly daemons: Daemons;
  readonly administrator: Administrator;
  readonly operators: Operators;
  /** Events that have happened to the host and its devices. */
  #disturbingEvents = 0;
  /** When the daemon was last given few descriptors, µs. */
  descriptorsLackedAt = -Infinity;
  readonly counters = new CounterWitness({
    now: () => this.now,
    cardOf: (domid, card) => this.account.card(domid, card),
    streamOf: (place) => this.population.streamOf(place),
    heardOf: (account) => this.#heardOf(account),
    disturbances: () => this.#disturbances,
    isOnHardware: (place) => this.history.isOnHardware(place),
    dryMoments: () => this.ledger.dryMoments,
    descriptorsLackedAt: () => this.descriptorsLackedAt,
    hasTightBudgets: () => hasTightBudgets(this),
    movesSince: (device, direction) => {
      const found = this.host.sound.find(device, direction);
      return typeof found === "number" ? undefined : found.end.standsUntil;
    },
    freeSince: (device, direction) => {
      const found = this.host.sound.find(device, direction);
      if (typeof found === "number") return undefined;
      const { end } = found;
      end.look(this.now);
      return end.freeSince === undefined ? undefined : Math.max(end.freeSince, end.disturbedAt);
    },
  });
  readonly operatorWitness = new OperatorWitness(
    () => this.operators.asked,
    () => this.operators.running.length,
    (asked) => waitProblem(this, asked),
  );
  /** What operators' settings may be. */
  readonly settings: SettingsOracle;
  readonly ledger: Ledger;
  /** Of a calm world. */
  readonly fullHearing: FullHearing | undefined;
  /** Domains in files. */
  readonly saved: SavedDomain[] = [];
  /** The first defect that the machine has noticed, or an invariant. */
  violation: Omit<Violation, "event"> | undefined;
  readonly loudness = new Loudness(this);
  readonly excuses = new Excuses(() => this.now);
  readonly connections = new Connections(() => this.now, SETTLING_MICROS);
  readonly moments = new Moments();
  readonly #publications = new Publications(this);
  readonly #closedCards = new ClosedCards(this);
  #isEnding = false;

  constructor(readonly seed: number) {
    this.log = new WorldLog(() => this.host?.clock.now ?? 0);
    const log = (text: string) => this.log.write(text);
    const takes = isCalm(seed) ? new Takes() : undefined;
    this.ledger = new Ledger(
      (tag) => this.population.accountOf(tag),
      (name, text) => this.violated(name, text),
      log,
      takes,
    );
    this.fullHearing = takes && new FullHearing(takes, log, isStalled(seed));
    this.host = new Host(mix(seed, 7), {
      log,
      record: (process, record) => this.#record(process, record),
      sound: this.ledger,
      defect: (what) => this.violated("noDefect", what),
    }, isBusy(seed));
    this.host.xen.hypervisor.greatestDomid = GREATEST_DOMID;
    this.population = new Population({
      xen: this.host.xen,
      log,
      shutsDown: (domain, reason) => this.services.controls.shutsDown(domain, reason),
    });
    this.services = xenServices(this.host.xen, this.population, log);
    this.xl = new Xl(this.services, this.account);
    const startProcess = (name: string) => this.host.process(name);
    this.provisioner = new Provisioner({ newProcess: startProcess, log }, this.account);
    this.daemons = new Daemons(this.host, log, (run) => this.#daemonEnded(run));
    this.administrator = new Administrator({
      clock: this.host.clock,
      files: this.host.files,
      daemons: this.daemons,
      log,
      changed: () => this.history.changed(),
    });
    this.history = new PolicyHistory({
      now: () => this.now,
      account: this.account,
      policies: () => this.administrator.policies,
      nodes: () => this.nodes,
    });
    this.ledger.onHeard = (guest, account, pcm, frames, from, until) => {
      const problem = heardProblem(this, guest, account, pcm, frames, from, until);
      if (problem !== undefined) this.violated("heardWhereAllowed", problem);
      this.loudness.heard(guest, account, frames, from);
    };
    // A WRITE after a rewind that is served late looks like one that jumps on: see hasRewound. Then what the buffer holds is played.
    this.ledger.mayRepeat = (account) => account.hasRewound && hasTightBudgets(this);
    this.ledger.onStarted = () => this.moments.came("started");
    this.settings = settingsOracle(this);
    this.operators = new Operators({ clock: this.host.clock, startProcess, log }, (observation) => {
      this.settings.sees(observation);
      this.counters.sees(observation);
    });
  }

  /**
   * In a calm world each frame that a device plays can be told, if it has four octets. A sound server drops frames of a stream that stops,
   * which its pointer has passed. A guest that jumps leaves in its buffer what nobody has numbered.
   */
  #heardOf(account: StreamAccount): number | undefined {
    const isCountable = account.direction === "playback" && isCalm(this.seed) &&
      this.administrator.options.defaultDevice !== "pulse" &&
      account.hasFramesOf(COUNTABLE) && !account.hasJumpedOn && !account.hasRewound;
    return isCountable ? this.ledger.of(account).count : undefined;
  }

  /** What every world begins with: mostly a daemon, and a guest or two. */
  begin(): void {
    this.host.enter();
    new StoreFollower(this.host.xen.xenstored, "/local/domain", (path) => {
      this.#publications.nodeChanged(path);
      const problem = this.#closedCards.problem(path);
      if (problem !== undefined) this.violated("statesKnown", problem);
      this.moments.nodeChanged(path);
      this.settings.nodeChanged(path);
    });
    this.host.xen.xenstored.onPathAsked = (process) => {
      // It waits for its watches, and has no other use for the answer.
      if (process === this.daemons.current?.process) this.moments.came("connecting");
    };
    this.#followMappings();
    const random = new Random(mix(this.seed, 3));
    this.excuses.begin("no daemon");
    this.#followAnnouncement();
    if (isCalm(this.seed)) return beginCalm(this, random);
    const isStory = isStoried(this.seed);
    this.administrator.options = { ...anyOptions(random), ...(isStory && { config: CONFIG_FILE }) };
    if (isStory) this.population.oneHostileIn = STORIES_HOSTILE_IN;
    this.administrator.isSupervised = !random.oneIn(8);
    if (random.oneIn(2) || this.administrator.options.config !== undefined) this.administrator.write(random);
    if (!random.oneIn(8)) this.administrator.start(random);
    for (let guests = random.between(1, 3); guests > 0; guests--) createGuest(this, random, true);
  }

  #followMappings(): void {
    const { hypervisor } = this.host.xen;
    hypervisor.onSignal = () => this.moments.came("signal");
    hypervisor.onMapped = (mapping) => {
      this.connections.mapped(mapping);
      this.moments.came("mapped");
    };
    hypervisor.onUnmapping = (mapping) => {
      const problem = leaveProblem(this, mapping);
      if (problem !== undefined) this.violated("connectionsKept", problem);
      this.connections.unmapped(mapping);
      this.moments.came("unmapping");
    };
  }

  #followAnnouncement(): void {
    const path = `${announcementPath(0)}/status`;
    const { xenstored } = this.host.xen;
    new StoreFollower(xenstored, path, () => {
      this.daemons.announcementChanged(xenstored.peek(path));
      this.history.changed();
      const { current } = this.daemons;
      if (current?.servesSince === undefined) return;
      this.excuses.end("no daemon", SETTLING_MICROS);
      cardsLately(this, current.process);
    });
  }

  #daemonEnded(run: DaemonRun): void {
    if (run.ending === "killed") this.ledger.died(run.process, this.now);
    this.administrator.ended(run, new Random(mix(this.seed, 11, this.daemons.runs.length)));
    if (this.daemons.current === undefined || run.servesSince !== undefined) this.excuses.begin("no daemon");
  }

  /** XenStore as it is now. */
  get nodes(): Nodes {
    return new Nodes(this.host.xen.xenstored.xenstore.database.snapshot.root);
  }

  get now(): number {
    return this.host.clock.now;
  }

  violated(name: Violation["name"], text: string): void {
    if (this.violation !== undefined) return;
    this.violation = { name, text };
    this.log.write(`violation: ${name}: ${text}`);
  }

  #record(process: Process, record: LogRecord): void {
    this.moments.came("log");
    this.administrator.logged(process, record);
    const text = recordText(record);
    this.daemons.runs.findLast((run) => run.process === process)?.log.push(text);
    this.log.write(`${process.name}: ${text}`);
    Demand.of(this).logged(process, text);
    Refusals.of(this).logged(record, this.now);
    this.#closedCards.logged(process, text);
    const refusal = refusalProblem(process, text) ?? Admission.of(this).refusalProblem(text);
    if (refusal !== undefined) this.violated("withinLimits", refusal);
    const unheard = this.#publications.refusalProblem(process, text);
    if (unheard !== undefined) this.violated("connectionsKept", unheard);
    if (/\bdefect of the engine|\n +at /.test(text)) this.violated("noDefect", text);
  }

  /** Carries out an event of `kind`, and lets `wait` µs pass before. */
  async step(wait: number, kind: string, seed: number): Promise<void> {
    await this.host.clock.runUntil(this.now + wait);
    const random = new Random(seed);
    this.host.random.restart(random.word());
    this.log.write(`event: ${kind} ${seed.toString(16).padStart(8, "0")}`);
    this.#run(kind, random);
    // What the event starts at once belongs to it.
    await this.host.clock.runUntil(this.now);
    for (const { ends } of this.host.sound.cards) for (const end of ends) end.look(this.now);
    this.check("event");
  }

  /** Does something in `micros` µs, unless the world ends before. */
  later(micros: number, deed: () => void): void {
    this.host.clock.after(micros, () => {
      if (!this.#isEnding && this.violation === undefined) deed();
    });
  }

  /** An event happens in the midst of others. Nothing does any more once the world ends. */
  happens(kind: string, seed: number): void {
    if (this.#isEnding || this.violation !== undefined) return;
    this.log.write(`meanwhile: ${kind} ${seed.toString(16).padStart(8, "0")}`);
    this.#run(kind, new Random(seed));
  }

  #run(kind: string, random: Random): void {
    const event = EVENTS[kind];
    if (event === undefined) throw new RangeError(`a world has no events of the kind ${kind}`);
    if (/^(sound|host)\./.test(kind)) this.disturbs();
    event.run(this, random);
  }

  /** Something happens to the host or its devices. */
  disturbs(): void {
    this.#disturbingEvents++;
  }

  /** How often something has happened to the host or its devices: events, and calls that have failed. */
  get #disturbances(): number {
    return this.host.sound.cards.flatMap(({ ends }) => ends)
      .reduce((sum, { faults }) => sum + faults.failures, this.#disturbingEvents);
  }

  check(when: "event" | "end"): void {
    if (this.violation !== undefined) return;
    for (const { name, check } of CHECKS) {
      const problem = check(this, when);
      if (problem !== undefined) return this.violated(name, problem);
    }
  }

  /** Everybody goes home, and what is left must be what there was at the beginning. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const { host, population } = this;
    const random = new Random(mix(this.seed, 5));
    for (const guest of population.all) for (const program of guest.running) program.kill();
    this.operators.killAll();
    await host.clock.runUntil(this.now + REST_MICROS);
    this.check("end");
    for (const { domain } of population.running) this.xl.destroy(domain.domid, random);
    this.saved.length = 0;
    await host.clock.runUntil(this.now + REST_MICROS);
    if (this.violation === undefined) this.check("end");
    if (this.fullHearing !== undefined) this.log.write(this.fullHearing.summary);
    for (const run of this.daemons.running) this.daemons.stop(run);
    await host.clock.runUntil(this.now + REST_MICROS);
    if (this.violation === undefined) this.check("end");
  }

  /** Gives the machine's memory back. */
  close(): void {
    for (const process of [...this.host.processes]) process.kill();
    this.host.xen.end();
    addressSpace.checkPoison();
  }
}
