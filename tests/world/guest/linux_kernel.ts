// SPDX-License-Identifier: MIT
/**
 * A guest's kernel with the stock driver, of either generation: XenBus, the sound cards that programs find, suspend and resume,
 * and the account of each stream. The kernel is no process of ours: the clock drives it.
 */
import type { Direction } from "../../../lib/pcm/pcm.ts";
import type { EventIdBehaviour } from "../../../lib/sndif/mod.ts";
import type { Clock } from "../machine/clock.ts";
import type { GuestDomain } from "../xen/guest_domain.ts";
import { type Incident, StreamAccount } from "./account.ts";
import { BlockingStore } from "./blocking_store.ts";
import { type DriverKernel, type SoundCard, XenSndFront } from "./snd_xen_front.ts";
import type { XenStream } from "./stream_ops.ts";
import { type Blocking, Tasks, WaitQueue } from "./tasks.ts";
import { Xenbus } from "./xenbus.ts";

/** µs in which all programs must have been frozen (`freeze_timeout_msecs`). */
const FREEZE_MICROS = 20_000_000;

/** The node in which a kernel says that it heeds a shutdown. */
export const BOOTED = "control/feature-poweroff";

export interface KernelOptions {
  readonly generation: EventIdBehaviour;
  /** Gives each stream's frames their tag, 1 to 255: another one for each stream of the world. */
  readonly nextTag: () => number;
  /** Whether the driver registers its card at whatever index is free, as no stock kernel does. */
  readonly severalCards?: boolean;
  /** Told of what the kernel would write to its log. */
  readonly log?: (text: string) => void;
  /** Called at an oops. The guest limps on, and its cards mostly do not; many a guest is set to crash then. */
  readonly onOops?: (text: string) => void;
}

export class LinuxKernel implements DriverKernel {
  readonly tasks: Tasks;
  readonly store: BlockingStore;
  readonly xenbus: Xenbus;
  readonly generation: EventIdBehaviour;
  readonly #cards: SoundCard[] = [];
  /** Woken when a card comes (udev), or goes. */
  readonly cardsChanged = new WaitQueue();
  readonly #accounts = new Map<string, StreamAccount>();
  hasOopsed = false;
  /** What went wrong in the kernel, apart from that of the streams. */
  readonly incidents: Incident[] = [];

  constructor(readonly clock: Clock, readonly domain: GuestDomain, private readonly options: KernelOptions) {
    this.generation = options.generation;
    this.tasks = new Tasks(clock, domain);
    this.tasks.onOops = (text) => this.#oopsed(text);
    this.store = new BlockingStore(this.tasks, domain);
    this.xenbus = new Xenbus(
      this.store,
      (device) => new XenSndFront(this, device),
      (nodename, text) => this.#complain(nodename, text),
    );
  }

  /** Boots. */
  start(): void {
    // drivers/xen/manage.c: setup_shutdown_watcher. A kernel that is restored writes nothing.
    this.store.post(() => this.#announce());
    this.xenbus.begin();
  }

  *#announce(): Blocking<void> {
    yield* this.store.try((view) => view.write(BOOTED, "1"));
  }

  #complain(nodename: string, text: string): void {
    const incident = { kind: "xenbus fatal", text: `${nodename}: ${text}`, isBackends: false } as const;
    this.incidents.push({ time: this.clock.now, ...incident });
    this.log(`${nodename}: ${text}`);
  }

  #oopsed(text: string): void {
    this.hasOopsed = true;
    this.log(`oops: ${text}`);
    this.options.onOops?.(text);
  }

  log(text: string): void {
    this.options.log?.(text);
  }

  /** The accounts of all streams that there ever were. */
  get accounts(): IterableIterator<StreamAccount> {
    return this.#accounts.values();
  }

  account(nodename: string, place: string, direction: Direction): StreamAccount {
    const name = `${nodename} ${place} ${direction}`;
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = new StreamAccount(name, direction, this.options.nextTag(), this.generation);
      this.#accounts.set(name, account);
    }
    return account;
  }

  register(card: SoundCard): boolean {
    if (this.#cards.length > 0 && this.options.severalCards !== true) return false;
    this.#cards.push(card);
    this.log(`card ${card.nodename}`);
    this.cardsChanged.wakeAll();
    return true;
  }

  unregister(card: SoundCard): void {
    const place = this.#cards.indexOf(card);
    if (place < 0) return;
    this.#cards.splice(place, 1);
    this.cardsChanged.wakeAll();
  }

  /** The streams that a program could open. */
  get streams(): XenStream[] {
    return this.#cards.flatMap(({ streams }) => streams);
  }

  /** The stream at `place` (PCM/STREAM) of the card at `nodename`; undefined while there is no such card. */
  stream(nodename: string, place: string): XenStream | undefined {
    const card = this.#cards.find((found) => found.nodename === nodename);
    return card?.streams.find((stream) => stream.place === place);
  }

  /**
   * Begins a suspend (drivers/xen/manage.c, `do_suspend`): programs are frozen, streams paused. Then calls `done`. Gives up where a
   * program has a lock for too long that the suspend needs, or waits in the kernel (kernel/power/process.c, `freeze_processes`).
   */
  suspend(done: () => void): void {
    let isOver = false;
    this.tasks.freeze();
    this.tasks.domain.after(FREEZE_MICROS, () => {
      if (isOver) return;
      isOver = true;
      this.log("freezing of tasks failed");
      this.tasks.thaw();
    });
    this.tasks.spawn("suspend", false, () =>
      this.#suspend(() => {
        if (isOver) return;
        isOver = true;
        done();
      }));
  }

  *#suspend(done: () => void): Blocking<void> {
    for (const { substream } of this.streams) yield* substream.suspend();
    done();
  }

  /** Goes on after {@link suspend}, in the domain that `xl restore` has made, or in the same one if the suspend was cancelled. */
  resume(isRestored: boolean): void {
    if (isRestored) this.store.post(() => this.xenbus.resume());
    this.tasks.thaw();
  }
}
