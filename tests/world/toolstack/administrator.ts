// SPDX-License-Identifier: MIT
/**
 * The administrator of the host's daemon: writes the configuration, sends signals, starts, stops, kills and replaces daemons. A service
 * manager starts a daemon again that has failed.
 */
import type { LogRecord } from "@logtape/logtape";
import { type GuestLimits, parseGuestLimits } from "../../../lib/daemon/policy/guest_limits.ts";
import type { ServeOptions } from "../../../lib/service/serve.ts";
import { CONFIG_FILE, type DaemonRun, type Daemons } from "../daemon.ts";
import type { Clock } from "../machine/clock.ts";
import { CALL_KINDS, type Process } from "../machine/process.ts";
import type { Random } from "../machine/random.ts";
import type { VirtualFiles } from "../machine/virtual_files.ts";
import { configOf, ConfigurationInForce } from "./configuration_in_force.ts";
import { anyConfiguration, type Configuration, withDenialTurned } from "./configurations.ts";
import type { DaemonPolicy } from "./pinned.ts";

/** The unit's RestartSec= and TimeoutStopSec=, µs. */
const RESTART_MICROS = 2_000_000;
const STOP_MICROS = 20_000_000;

/** The daemon has looked at all cards so long after XenStore is there again, µs. */
const CATCH_UP_MICROS = 10_000_000;

const DEVICES = ["hw:0", "hw:1", "plughw:0", "pulse", "dummy:"];
const CAPTURE_DEVICES = ["hw:0", "pulse", "dummy:"];
const LIMITS = [
  "streams=4",
  "mapped=2,total-mapped=4",
  "engines=1,total-engines=2",
  "requests=100",
  "moved=1",
];

/** Some limits, tight ones. */
function anyLimits(random: Random): GuestLimits {
  const some = LIMITS.filter(() => random.oneIn(2));
  return parseGuestLimits((some.length > 0 ? some : [random.pick(LIMITS)]).join(","));
}

/** Options of `xsnd serve`: mostly with default devices, now and then with tight limits. */
export function anyOptions(random: Random): ServeOptions {
  const guestLimits = random.oneIn(3) ? anyLimits(random) : undefined;
  // Only streams on devices that may block have engines of their own.
  const blocks = guestLimits?.engines === 1;
  return {
    ...(!random.oneIn(12) && { defaultDevice: blocks ? "pulse" : random.pick(DEVICES) }),
    ...(!random.oneIn(3) && { defaultCaptureDevice: blocks ? "pulse" : random.pick(CAPTURE_DEVICES) }),
    ...(guestLimits !== undefined && { guestLimits }),
    ...(!random.oneIn(3) && { config: CONFIG_FILE }),
  };
}

export interface AdministratorServices {
  readonly clock: Clock;
  readonly files: VirtualFiles;
  readonly daemons: Daemons;
  readonly log: (line: string) => void;
  /** Called when what daemons may go by changes. */
  readonly changed?: () => void;
}

export class Administrator {
  /** The options of the next daemon. */
  options: ServeOptions = {};
  /** Whether a service manager starts a daemon again that has failed. */
  isSupervised = true;
  /** The texts that the file had, the latest last; a torn one counts when it is whole. */
  readonly #history: string[] = [];
  readonly #inForce = new Map<DaemonRun, ConfigurationInForce>();

  constructor(private readonly services: AdministratorServices) {}

  /** What the daemons that run may go by, for cards of xl's. */
  get policies(): readonly DaemonPolicy[] {
    this.#lookForServing();
    return this.services.daemons.running.flatMap((run) => {
      const { config, defaultDevice, defaultCaptureDevice } = run.options;
      const inForce = this.#inForce.get(run);
      const decidedSince = inForce?.decidedSince ?? run.began;
      const configs = config === undefined ? [undefined] : inForce?.candidates ?? [];
      return configs.map((config) => ({ config, defaultDevice, defaultCaptureDevice, decidedSince }));
    });
  }

  /** The file's text; undefined if there is no file. */
  get text(): string | undefined {
    return this.services.files.read(CONFIG_FILE);
  }

  /**
   * Writes a configuration: one of the list, one that the file had before, or the present one with its denials turned. Now and then
   * the file is not whole for a while.
   */
  write(random: Random): void {
    const { name, text } = this.#another(random);
    if (!random.oneIn(6)) return this.#write(name, text);
    const { clock } = this.services;
    const cut = text.slice(0, random.below(text.length + 1));
    const micros = random.below(50_000);
    this.#write(`${name}, in parts`, "", text);
    clock.after(micros, () => this.#put(cut));
    clock.after(2 * micros, () => this.#put(text));
  }

  /** `whole`: what the file is to become, if it is not `text`. */
  #write(name: string, text: string, whole = text): void {
    this.services.log(`the administrator writes the configuration: ${name}`);
    this.#put(text);
    this.#history.push(whole);
  }

  #another(random: Random): Pick<Configuration, "name" | "text"> {
    const former = this.#history.slice(0, -1);
    const present = this.#history.at(-1);
    const kind = random.below(8);
    if (kind === 0 && former.length > 0) return { name: "a former one", text: random.pick(former) };
    if (kind < 3 && former.length > 0) return { name: "the one before", text: former.at(-1)! };
    if (kind < 6 && present !== undefined && configOf(present) !== undefined) {
      return { name: "denials turned", text: withDenialTurned(present) };
    }
    return anyConfiguration(random);
  }

  /** Removes the file. */
  remove(): void {
    if (this.text === undefined) return;
    this.services.log("the administrator removes the configuration");
    this.services.files.remove(CONFIG_FILE);
    this.#fileChanged();
  }

  #put(text: string): void {
    this.services.files.write(CONFIG_FILE, text);
    this.#fileChanged();
  }

  #fileChanged(): void {
    this.#lookForServing();
    const { text } = this;
    for (const run of this.services.daemons.running) this.#inForce.get(run)?.written(text);
  }

  /** A daemon has read its file by the time that it serves. */
  #lookForServing(): void {
    for (const [run, inForce] of this.#inForce) {
      if (run.ending !== undefined) this.#inForce.delete(run);
      else if (run.servesSince !== undefined) inForce.serves();
    }
  }

  /** SIGHUP, once or several times in a row. */
  hangUp(random: Random): void {
    const { clock, daemons } = this.services;
    const run = daemons.current;
    if (run === undefined) return;
    const times = random.oneIn(4) ? random.between(2, 4) : 1;
    for (let n = 0; n < times; n++) clock.after(n * random.below(30_000), () => this.#hangUp(run));
  }

  #hangUp(run: DaemonRun): void {
    if (run.ending !== undefined) return;
    this.#lookForServing();
    this.services.daemons.hangUp(run);
    if (run.options.config !== undefined) this.#inForce.get(run)?.hangUp(this.text);
  }

  /** Edits the file and has the daemon read it; often once more, soon or a little later. */
  reload(random: Random): void {
    this.write(random);
    this.hangUp(random);
    if (random.oneIn(2)) return;
    const micros = random.below(random.oneIn(2) ? 60_000 : 4_000_000);
    this.services.clock.after(micros, () => {
      this.write(random);
      if (!random.oneIn(4)) this.hangUp(random);
    });
  }

  /** Denies the streams that were allowed, and the other way round, and thinks better of it `turns` times. */
  flip(random: Random, turns: number = random.below(4)): void {
    const former = this.text;
    if (former === undefined || configOf(former) === undefined) return this.reload(random);
    const turned = withDenialTurned(former);
    const pause = random.pick([20_000, 700_000, 700_000, 3_000_000]);
    const turn = (left: number, text: string) => {
      this.#write(text === former ? "the one before" : "denials turned", text);
      const { current } = this.services.daemons;
      if (current !== undefined) this.#hangUp(current);
      if (left === 0) return;
      this.services.clock.after(
        random.between(pause >> 2, pause),
        () => turn(left - 1, text === former ? turned : former),
      );
    };
    turn(turns, turned);
  }

  /** Starts a daemon, if none runs that is to stay. */
  start(random: Random): DaemonRun | undefined {
    const { daemons } = this.services;
    if (daemons.running.some(({ isStopping }) => !isStopping)) return undefined;
    // An administrator who changes the command line is rare.
    if (random.oneIn(12)) this.options = anyOptions(random);
    // A daemon that did not start for its configuration starts no better a second time.
    if (daemons.runs.at(-1)?.ending === "failed" && this.#isRefused()) this.write(random);
    return this.#start();
  }

  #start(): DaemonRun {
    const { clock, daemons, changed = () => {} } = this.services;
    const run = daemons.start(this.options);
    if (run.options.config !== undefined) {
      this.#inForce.set(run, new ConfigurationInForce(clock, this.text, changed));
    }
    changed();
    return run;
  }

  /** A second daemon, by mistake. It must end, and must not touch what the first one serves. */
  startSecond(): DaemonRun | undefined {
    return this.services.daemons.serving() === undefined ? undefined : this.#start();
  }

  /** SIGTERM, and SIGKILL if the daemon has not ended in time. */
  stop(): DaemonRun | undefined {
    const { clock, daemons } = this.services;
    const run = daemons.current;
    if (run === undefined) return undefined;
    daemons.stop(run);
    clock.after(STOP_MICROS, () => {
      if (run.ending === undefined) run.process.kill();
    });
    return run;
  }

  /** Stops the daemon for a while. */
  pause(random: Random): void {
    if (this.stop() === undefined || random.oneIn(8)) return;
    this.services.clock.after(random.below(8_000_000), () => void this.start(random));
  }

  /** SIGKILL: between two turns, or in the middle of one. Often another daemon is started at once. */
  kill(random: Random): void {
    const { clock, daemons } = this.services;
    const run = daemons.current;
    if (run === undefined) return;
    if (random.oneIn(4)) run.process.kill();
    else if (random.oneIn(2)) run.process.killIn(random.pick(CALL_KINDS));
    else run.process.killAfter(random.below(random.oneIn(2) ? 12 : 500));
    if (random.oneIn(2)) return;
    const micros = random.below(100_000);
    run.process.atEnd(() => clock.after(micros, () => void this.start(random)));
  }

  /** A planned replacement: SIGTERM, and another daemon when the first has ended, or while the first still ends. */
  replace(random: Random): void {
    const { clock } = this.services;
    const former = this.stop();
    if (former === undefined) return;
    if (random.oneIn(2)) {
      // The new one may find the control socket taken, and end at once: then another one is started.
      clock.after(random.below(30_000), () => void this.start(random));
    }
    const start = () => {
      if (former.ending === undefined) clock.after(10_000, start);
      else this.start(random);
    };
    clock.after(random.below(random.oneIn(4) ? 3_000_000 : 50_000), start);
  }

  /** To be called when a daemon has ended. The service manager starts another one, unless the file is one that daemons refuse. */
  ended(run: DaemonRun, random: Random): void {
    this.#inForce.delete(run);
    this.services.changed?.();
    if (!this.isSupervised || run.isStopping || run.ending === "in order") return;
    this.services.clock.after(RESTART_MICROS, () => {
      if (!this.#isRefused()) this.start(random);
    });
  }

  /** Whether a daemon would refuse to start, by the file. */
  #isRefused(): boolean {
    const { text } = this;
    return this.options.config !== undefined && (text === undefined || configOf(text) === undefined);
  }

  /** To be called with each record that a daemon logs. */
  logged(process: Process, { message }: LogRecord): void {
    const inForce = [...this.#inForce].find(([run]) => run.process === process)?.[1];
    if (inForce === undefined) return;
    const text = message.map(String).join("");
    if (text.includes(`${CONFIG_FILE} is refused`)) inForce.reloaded(false);
    else if (text.includes(`${CONFIG_FILE} is reloaded`)) {
      inForce.reloaded(true, text.includes("cards follow"));
    } else if (text.includes("XenStore is there again")) {
      this.services.clock.after(CATCH_UP_MICROS, () => inForce.caughtUp());
    }
  }
}
