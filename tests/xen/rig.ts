// SPDX-License-Identifier: MIT
/** Common parts of the cases with xsnd: the daemon in dom0, guests' cards, and the comparison of sound. */
import assert from "node:assert/strict";
import { LabError } from "./lab/command.ts";
import { type Domain, quote } from "./lab/domain.ts";
import type { Guest } from "./lab/guest.ts";
import type { Lab } from "./lab/lab.ts";
import type { Job, Outcome } from "./lab/machine.ts";

/** A card to provision: the limits of its streams, and each PCM's streams. */
export interface CardSpec {
  readonly "sample-formats"?: readonly string[];
  readonly "sample-rates"?: readonly number[];
  readonly "channels-min"?: number;
  readonly "channels-max"?: number;
  readonly "buffer-size"?: number;
  readonly pcms: readonly (readonly { readonly type: "playback" | "capture"; readonly device: string }[])[];
}

/** The sample parameters of a raw file, for aplay and arecord. */
export interface Shape {
  readonly format: "S16_LE" | "S32_LE";
  readonly rate: number;
  readonly channels: number;
}

/** The card of cases that hear what a guest plays: one PCM, on the loopback. */
export const LOOPBACK = {
  "sample-formats": ["s16_le", "s32_le"],
  "sample-rates": [44100, 48000, 96000],
  "channels-max": 8,
  "buffer-size": 262144,
  pcms: [[{ type: "playback", device: "hw:5,0" }, { type: "capture", device: "hw:5,0" }]],
} as const satisfies CardSpec;

/** The card of cases with a hardware device; its second PCM is on the loopback. */
export const AC97 = {
  "sample-formats": ["s16_le"],
  "sample-rates": [44100, 48000],
  "buffer-size": 65536,
  pcms: [[{ type: "playback", device: "hw:0,0" }], [{ type: "playback", device: "hw:5,0" }]],
} as const satisfies CardSpec;

export const CD: Shape = { format: "S16_LE", rate: 48000, channels: 2 };

export function frameOctets({ format, channels }: Shape): number {
  return (format === "S16_LE" ? 2 : 4) * channels;
}

export function shapeOptions({ format, rate, channels }: Shape): string {
  return `-t raw -f ${format} -r ${rate} -c ${channels}`;
}

/** `seconds` of noise: every lost, repeated or shifted sample in it is noticed. */
export function noise(shape: Shape, seconds: number): Uint8Array<ArrayBuffer> {
  return randomOctets(Math.round(seconds * shape.rate) * frameOctets(shape));
}

export function randomOctets(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/** The octet offset of `part` in `whole`, searched from `from` on in steps of `step`; -1 if there is none. */
export function find(whole: Uint8Array, part: Uint8Array, step: number, from = 0): number {
  for (let at = from; at + part.length <= whole.length; at += step) {
    let i = 0;
    while (i < part.length && whole[at + i] === part[i]) i++;
    if (i === part.length) return at;
  }
  return -1;
}

/** The number of octets that identify a place in noise. */
const PROBE = 64;

/** Asserts that `recorded` contains all of `played`, without loss or repetition. Returns the offset of its end. */
export function assertHolds(recorded: Uint8Array, played: Uint8Array, step: number, from = 0): number {
  const at = find(recorded, played.subarray(0, PROBE), step, from);
  assert.notEqual(at, -1, `the beginning was not heard in ${recorded.length} octets from ${from} on`);
  const heard = recorded.subarray(at, at + played.length);
  const difference = played.findIndex((octet, i) => octet !== heard[i]);
  assert.equal(difference, -1, `what was heard differs from frame ${Math.floor(difference / step)} on`);
  return at + played.length;
}

/**
 * Asserts that `recorded` contains all of `played`, each frame once and in order, with silence at `most` places at most. Returns how
 * many frames of silence there were at each place.
 */
export function assertHoldsButGaps(
  recorded: Uint8Array,
  played: Uint8Array,
  step: number,
  most: number,
): number[] {
  let at = find(recorded, played.subarray(0, PROBE), step);
  assert.notEqual(at, -1, `the beginning was not heard in ${recorded.length} octets`);
  const isSilent = (from: number) => recorded.subarray(from, from + step).every((octet) => octet === 0);
  const gaps: number[] = [];
  for (let done = 0; done < played.length;) {
    const heard = recorded.subarray(at);
    const rest = played.subarray(done);
    const difference = rest.findIndex((octet, i) => octet !== heard[i]);
    if (difference === -1) break;
    const same = difference - difference % step;
    done += same;
    at += same;
    const from = at;
    while (at < recorded.length && isSilent(at)) at += step;
    assert(at > from && gaps.length < most, `what was heard differs from frame ${done / step} on`);
    gaps.push((at - from) / step);
  }
  return gaps;
}

/** The daemon in dom0. */
export class Daemon {
  private constructor(private readonly lab: Lab, private readonly job: Job, readonly pid: number) {}

  /** @param xsnd the command; this tree's by default */
  static async start(lab: Lab, options = "", xsnd = "xsnd"): Promise<Daemon> {
    const daemon = await Daemon.#begin(lab, options, xsnd);
    await daemon.serves();
    return daemon;
  }

  /** A daemon that stands by. */
  static async standBy(lab: Lab): Promise<Daemon> {
    const daemon = await Daemon.#begin(lab, "--standby", "xsnd");
    await daemon.says(/standing by/);
    return daemon;
  }

  static async #begin(lab: Lab, options: string, xsnd: string): Promise<Daemon> {
    const job = await lab.dom0.start(`echo $$; exec ${xsnd} serve ${options}`);
    while (await job.output("stdout") === "") await new Promise((resolve) => setTimeout(resolve, 50));
    return new Daemon(lab, job, Number(await job.output("stdout")));
  }

  /**
   * Resolves when the daemon serves. The start takes some 10 s, and several times as long on a busy machine. The daemon writes its number
   * when it has taken the cards over; a daemon that was killed has left another.
   */
  async serves(): Promise<void> {
    const { pid } = this;
    const number = "$(xenstore-read /local/domain/0/data/xsnd/pid 2>/dev/null)";
    await this.lab.dom0.run(`until [ "${number}" = ${pid} ]; do kill -0 ${pid} && sleep 0.2 || exit; done`, {
      timeout: 180,
    });
  }

  /** Resolves when a line of the daemon's log matches `pattern`. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(await this.log())) await new Promise((resolve) => setTimeout(resolve, 500));
  }

  /** The daemon's log so far. */
  log(): Promise<string> {
    return this.job.output("stderr");
  }

  /** Ends the daemon; returns its exit code. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    await this.lab.dom0.run(`kill -${signal.slice(3)} ${this.pid}`);
    return (await this.job.outcome).code;
  }

  /** CPU seconds of all the daemon's threads so far, user and system together. */
  async cpuSeconds(): Promise<number> {
    const stat = await this.lab.dom0.run(`cut -d' ' -f14,15 /proc/${this.pid}/stat; getconf CLK_TCK`);
    const [user, system, ticks] = stat.split(/\s+/).map(Number);
    return (user! + system!) / ticks!;
  }

  async residentMegabytes(): Promise<number> {
    return Number(await this.lab.dom0.run(`awk '/^VmRSS/ { print $2 }' /proc/${this.pid}/status`)) / 1024;
  }
}

/**
 * Runs `xsnd demo` in dom0: on real Xen, bit-exact, without an xrun. The demo itself accepts position errors up to a quarter of a
 * period. An emulated processor, which first reads the program from a disk, cannot always keep this limit: here it is a whole
 * period.
 *
 * @param command the beginning of the command line
 */
export async function assertDemo(lab: Lab, command: string): Promise<void> {
  const { code, stdout, stderr } = await lab.dom0.attempt(`${command} demo --json`, { timeout: 120 });
  assert([0, 1].includes(code), stderr);
  const { xen, bitExact, xruns, maxPositionErrorFrames, periodFrames } = JSON.parse(stdout);
  assert.deepEqual([xen, bitExact, xruns], ["native", true, 0], stdout);
  assert(maxPositionErrorFrames < periodFrames, stdout);
}

/** The card that each guest was given last, as JSON. */
const given = new WeakMap<Guest, string>();

/**
 * Gives `guest` this card and no other, and waits until the guest's kernel has made the card. A guest that has the card already
 * keeps it: each command takes some 10 s in an emulator, and a card must last anyway.
 */
export async function give(lab: Lab, guest: Guest, spec: CardSpec): Promise<void> {
  const { pcms, ...params } = spec;
  let id = 0;
  const card = {
    ...params,
    pcms: pcms.map((streams) => ({
      streams: streams.map((stream) => ({ ...stream, "unique-id": `s${id++}` })),
    })),
  };
  const text = JSON.stringify({ domains: { [guest.name]: { cards: [card] } } });
  if (given.get(guest) !== text) {
    await take(lab, guest);
    const file = `/tmp/${guest.name}.yaml`;
    await lab.dom0.put(file, text);
    await lab.dom0.run(`xsnd provision -f ${file}`);
    given.set(guest, text);
  }
  await waitForCard(lab, guest);
}

/** Removes all of `guest`'s cards. */
export async function take(lab: Lab, guest: Guest): Promise<void> {
  given.delete(guest);
  await lab.dom0.run(
    `if [ -n "$(xenstore-list /libxl/${guest.domid}/device/vsnd 2>/dev/null)" ]; then xsnd deprovision ${guest.domid} --force; fi`,
  );
  await until(guest, "! [ -d /proc/asound/card0 ]", "the guest to lose its card");
}

/** Waits until both ends are connected and the guest's kernel has made the card. */
export async function waitForCard(lab: Lab, guest: Guest): Promise<void> {
  const [frontend, backend] = [
    `/local/domain/${guest.domid}/device/vsnd/0/state`,
    `/local/domain/0/backend/vsnd/${guest.domid}/0/state`,
  ];
  const connected = `[ "$(xenstore-read ${frontend} ${backend} | tr -d '\\n')" = 44 ]`;
  await until(lab.dom0, connected, `the card of ${guest.name} to be connected`, 40);
  await until(guest, "[ -d /proc/asound/card0 ] && ls /dev/snd/pcm* >/dev/null", "a card in the guest");
}

/** Work that the case awaits later; its failure is no unhandled rejection until then. */
export function background<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Waits until the shell condition holds in `domain`. */
export async function until(domain: Domain, condition: string, what: string, seconds = 20): Promise<void> {
  const { code, stdout, stderr } = await domain.attempt(
    `i=0; until { ${condition}; } 2>/dev/null; do i=$((i+1)); [ $i -gt ${
      seconds * 10
    } ] && exit 9; sleep 0.1; done`,
    { timeout: seconds * 4 },
  );
  if (code !== 0) {
    throw new LabError(`waited ${seconds} s for ${what}, in ${domain.name}\n${stdout}${stderr}`);
  }
}

/** Records all sound at `hw:5,1` (substream `sub`) while `body` runs, and for half a second after. */
export async function recordLoopback(
  lab: Lab,
  shape: Shape,
  body: () => Promise<void>,
  sub = 0,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = `/tmp/loopback-${sub}`;
  const job = await lab.dom0.start(
    `exec arecord -q -D hw:5,1,${sub} ${shapeOptions(shape)} --buffer-size=65536 --period-size=4096 ${file}`,
  );
  await until(lab.dom0, `grep -q RUNNING /proc/asound/card5/pcm1c/sub${sub}/status`, "the recording to run");
  try {
    await body();
    await new Promise((resolve) => setTimeout(resolve, 500));
  } finally {
    await job.kill("SIGINT");
  }
  const { stderr } = await job.outcome;
  assert.doesNotMatch(
    stderr,
    /overrun/,
    "dom0's own recording lost samples: the machine is too busy to tell",
  );
  return await lab.dom0.get(file);
}

/** Plays `bytes` with aplay in `domain`, within `seconds`; returns its stderr. */
export async function aplay(
  domain: Domain,
  bytes: Uint8Array,
  shape: Shape,
  seconds = 90,
): Promise<string> {
  const { code, stderr } = await domain.attempt(`aplay -q -D hw:0,0 ${shapeOptions(shape)} -`, {
    stdin: bytes,
    timeout: seconds,
  });
  assert.equal(code, 0, `aplay: ${stderr}`);
  return stderr;
}

/** Interrupts `guest`'s aplay, which `playing` waits for and which must still be playing. */
export async function endPlay(guest: Guest, playing: Promise<Outcome>): Promise<Outcome> {
  await guest.run("killall -INT aplay");
  return await playing;
}

export function countUnderruns(stderr: string): number {
  return stderr.match(/underrun/g)?.length ?? 0;
}

export { quote };
