// SPDX-License-Identifier: MIT
/**
 * The host of a world: dom0's machine with Xen, files, sockets and sound devices, and the processes on it. The platform is replaced
 * once for the whole program, and then belongs to the host that is entered.
 */
import { configure, type LogRecord } from "@logtape/logtape";
import { textLines } from "../../lib/log/format.ts";
import { Clock } from "./machine/clock.ts";
import { virtualLibc } from "./machine/libc.ts";
import { installPlatform, real, reportUnhandled } from "./machine/platform.ts";
import { isOfDeath, Process, runningThread } from "./machine/process.ts";
import { Random } from "./machine/random.ts";
import { installSockets, UnixSockets } from "./machine/unix_sockets.ts";
import { installFiles, VirtualFiles } from "./machine/virtual_files.ts";
import { libcSymbols } from "../../ffi/libc/libc.ts";
import { HostCards, ORDINARY, PULSE } from "./sound/host_cards.ts";
import { virtualLibasound } from "./sound/libasound.ts";
import type { SoundReports } from "./sound/reports.ts";
import { addressSpace, installViewWatch } from "./xen/address_space.ts";
import { mappedFiles } from "./xen/mapped_files.ts";
import { virtualLibxenevtchn } from "./xen/libxenevtchn.ts";
import { virtualLibxengnttab } from "./xen/libxengnttab.ts";
import { virtualLibxenstore } from "./xen/libxenstore.ts";
import { enterXen, XenMachine } from "./xen/machine.ts";

/** µs until a thread that has been woken runs: mostly a moment. On a busy host each of two waits for others. */
const [QUICK_MICROS, SLOW_MICROS, BUSY_MICROS] = [80, 3000, 20_000];

/** No interrupt of a device's comes later than that, µs. */
const LATE_MICROS = 3500;

export interface HostListener {
  /** A line for the world's log. */
  log(text: string): void;
  /** A record of a process's own log. */
  record(process: Process, record: LogRecord): void;
  /** What the devices play and record. */
  readonly sound: Omit<SoundReports, "violated">;
  /** A defect: what a thread has thrown and nobody caught, a misuse of memory or of a library. */
  defect(what: string): void;
}

export class Host {
  readonly clock = new Clock();
  /** The source of all chance of the machine: latencies. */
  readonly random: Random;
  readonly files = new VirtualFiles();
  readonly sockets = new UnixSockets(this.files);
  readonly xen: XenMachine;
  readonly sound: HostCards;
  #lastPid = 400;
  readonly processes = new Set<Process>();
  /** Turns of all threads so far. */
  turns = 0;

  /** @param isBusy whether threads mostly wait for a processor */
  constructor(seed: number, readonly listener: HostListener, readonly isBusy = false) {
    this.random = new Random(seed);
    this.xen = new XenMachine(this.clock, seed, (what) => listener.defect(what));
    this.sound = new HostCards(this.clock, reportsTo(listener));
    addCards(this.sound, this.random);
  }

  /** Has the platform belong to this host. */
  enter(): void {
    current = this;
    enterXen(this.xen);
    installFiles(this.files);
    installSockets(this.sockets);
  }

  #latency(): number {
    const { random } = this;
    if (this.isBusy && random.oneIn(2)) return random.below(BUSY_MICROS);
    return random.below(random.oneIn(20) ? SLOW_MICROS : QUICK_MICROS);
  }

  /** A new process of dom0. */
  process(name: string): Process {
    const process = new Process(this.clock, name, {
      domid: 0,
      pid: ++this.#lastPid,
      latency: () => this.#latency(),
      turned: () => void this.turns++,
      failed: (error) => this.listener.defect(`${name}: ${describe(error)}`),
    });
    this.processes.add(process);
    process.atEnd(() => this.processes.delete(process));
    return process;
  }
}

/** What the devices tell, for `listener`. (A spread of an object leaves out the methods of its class.) */
function reportsTo(listener: HostListener): SoundReports {
  const { sound } = listener;
  return {
    opened: (...report) => sound.opened?.(...report),
    closed: (...report) => sound.closed?.(...report),
    written: (...report) => sound.written?.(...report),
    played: (...report) => sound.played?.(...report),
    read: (...report) => sound.read?.(...report),
    started: (...report) => sound.started?.(...report),
    stopped: (...report) => sound.stopped?.(...report),
    unread: (...report) => sound.unread?.(...report),
    violated: (what) => listener.defect(`libasound: ${what}`),
  };
}

/** The host's devices: two of hardware, each with its clock, and a sound server. */
function addCards(sound: HostCards, random: Random): void {
  const seed = random.word();
  sound.addNull();
  const drift = () => random.between(-200, 200);
  const first = sound.add({
    name: "hw:0",
    type: "HW",
    playback: ORDINARY,
    capture: ORDINARY,
    driftPpm: drift(),
    jitterMicros: random.pick([100, 400, LATE_MICROS]),
    seed,
  });
  sound.addPlug("plughw:0", first);
  sound.add({
    name: "hw:1",
    type: "HW",
    playback: { ...ORDINARY, canPause: false },
    driftPpm: drift(),
    jitterMicros: random.below(LATE_MICROS),
    granularityFrames: random.pick([1, 1, 32]),
    seed: seed + 10 | 0,
  });
  sound.add({
    name: "pulse",
    type: "IOPLUG",
    playback: PULSE,
    capture: PULSE,
    driftPpm: drift(),
    seed: seed + 20 | 0,
  });
}

let current: Host | undefined;

/** The host that is entered. Throws if there is none. */
export function currentHost(): Host {
  if (current === undefined) throw new Error("no host is entered");
  return current;
}

/** Replaces the platform by the hosts' machine, for the rest of this program. To be called once, before production code runs. */
export async function install(): Promise<void> {
  const realLibc = real.dlopen("libc.so.6", libcSymbols).symbols;
  installPlatform({
    "libc.so": () => virtualLibc(realLibc, addressSpace, mappedFiles),
    libxenstore: virtualLibxenstore,
    libxengnttab: virtualLibxengnttab,
    libxenevtchn: virtualLibxenevtchn,
    libasound: (symbols) => virtualLibasound(symbols, () => currentHost().sound),
  });
  installViewWatch();
  reportUnhandled((error) => {
    if (!isOfDeath(error)) {
      current?.listener.defect(`a promise's rejection that nobody takes: ${describe(error)}`);
    }
  });
  await configure({
    sinks: {
      world: (record) => {
        const process = runningThread()?.process;
        if (process !== undefined && !process.isDead) current?.listener.record(process, record);
      },
    },
    loggers: [
      { category: "xsnd", lowestLevel: "info", sinks: ["world"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["world"] },
    ],
  });
  Deno.env.set("XSND_CONTROL", "/world/run/xsnd/control.sock");
}

/** A log record's lines, as `xsnd serve` writes them. */
export function recordText(record: LogRecord): string {
  return textLines(record).join("\n");
}

export function describe(error: unknown): string {
  // Paths of this machine make no log that another machine could have.
  return error instanceof Error
    ? (error.stack ?? error.message).replaceAll(/file:\/\/\S*\/(?=lib|ffi|tests)/g, "")
    : String(error);
}
