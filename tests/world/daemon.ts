// SPDX-License-Identifier: MIT
/**
 * The daemons of a world, one after the other: `xsnd serve` by its real code, each in a process of its own. An administrator starts,
 * stops and kills them, edits the configuration, and sends signals.
 */
import { serve, type ServeOptions } from "../../lib/service/serve.ts";
import { DaemonLog } from "./daemon_log.ts";
import type { Host } from "./host.ts";
import { isOfDeath, type Process } from "./machine/process.ts";

/** The configuration's file, which a daemon may be started with. */
export const CONFIG_FILE = "/world/etc/xsnd.yaml";

/** How a daemon's process ended. */
export type Ending = "in order" | "failed" | "killed";

export interface DaemonRun {
  readonly process: Process;
  readonly options: ServeOptions;
  readonly log: DaemonLog;
  readonly began: number;
  /** When the daemon announced that it serves. */
  servesSince: number | undefined;
  ending: Ending | undefined;
  /** When the process ended. */
  endedAt: number | undefined;
  /** Whether it has been told to end. */
  isStopping: boolean;
}

/** µs from the end of `serve` to that of its process: what `serve` has ended ends. Also on a busy host. */
const [EXIT_MICROS, BUSY_EXIT_MICROS] = [10_000, 300_000];

export class Daemons {
  readonly runs: DaemonRun[] = [];

  constructor(
    private readonly host: Host,
    private readonly log: (text: string) => void,
    /** Called when a daemon has ended. */
    private readonly ended: (run: DaemonRun) => void,
  ) {}

  /** The nodes that announce the daemon have changed. */
  announcementChanged(status: string | undefined): void {
    const run = this.current;
    if (status !== "running" || run === undefined || run.servesSince !== undefined) return;
    run.servesSince = this.host.clock.now;
  }

  /** The daemon that serves, and has done so for `micros` µs. */
  serving(micros = 0): DaemonRun | undefined {
    const run = this.current;
    if (run?.servesSince === undefined || run.isStopping || this.running.length > 1) return undefined;
    return run.servesSince + micros <= this.host.clock.now ? run : undefined;
  }

  /** The daemon that runs, if one does; the latest, if two do. */
  get current(): DaemonRun | undefined {
    return this.runs.findLast(({ ending }) => ending === undefined);
  }

  get running(): readonly DaemonRun[] {
    return this.runs.filter(({ ending }) => ending === undefined);
  }

  start(options: ServeOptions): DaemonRun {
    const { clock } = this.host;
    const process = this.host.process(`xsnd-${this.runs.length + 1}`);
    const run: DaemonRun = {
      process,
      options,
      log: new DaemonLog(process.main),
      began: clock.now,
      servesSince: undefined,
      ending: undefined,
      endedAt: undefined,
      isStopping: false,
    };
    this.runs.push(run);
    this.log(`${process.name}: xsnd serve ${JSON.stringify(options)}`);
    process.atEnd(() => {
      run.ending ??= "killed";
      run.endedAt = clock.now;
      this.log(`${process.name}: ${run.ending}`);
      this.ended(run);
    });
    const ends = (ending: Ending) => {
      if (process.isDead) return;
      run.ending = ending;
      run.log[Symbol.dispose]();
      const stall = Math.max(0, process.poolStallsUntil - clock.now);
      const exit = () => {
        // The process ends when nothing keeps it, and has closed what it opened. Calls of the pool's threads come back first.
        if (process.poolReturns > 0) return void clock.after(EXIT_MICROS, exit);
        if (ending === "in order" && process.files.size > 0) {
          process.failed(`${process.files.size} descriptors are open after the end`);
        }
        process.kill();
      };
      clock.after(stall + (this.host.isBusy ? BUSY_EXIT_MICROS : EXIT_MICROS), exit);
    };
    process.main.post(process.latency(), () => {
      serve(options).then(() => ends("in order"), (error) => {
        if (process.isDead || isOfDeath(error)) return;
        this.log(`${process.name}: error: ${error instanceof Error ? error.message : error}`);
        ends("failed");
      });
    }, 30);
    return run;
  }

  /** SIGTERM. */
  stop(run: DaemonRun): void {
    run.isStopping = true;
    if ((run.process.signals.get("SIGTERM")?.size ?? 0) > 0) run.process.signal("SIGTERM");
    else run.process.kill();
  }

  /** SIGHUP. */
  hangUp(run: DaemonRun): void {
    if ((run.process.signals.get("SIGHUP")?.size ?? 0) > 0) run.process.signal("SIGHUP");
    else run.process.kill();
  }
}
