// SPDX-License-Identifier: MIT
/** Shared helpers of tests that run the real `xsnd` in an embedded Xen, with test sounds. */
import assert from "node:assert/strict";
import { ControlClient } from "../../lib/control/control_client.ts";
import type { StatusReport, StreamReport } from "../../lib/control/protocol.ts";
import type { ControlRequest } from "../../lib/control/protocol.ts";
import { formatByName } from "../../lib/sndif/mod.ts";
import { WavWriter } from "../../lib/wav/mod.ts";
import { Sandbox } from "../../lib/xen/embedded/sandbox.ts";

export const root = new URL("../../", import.meta.url).pathname;
export const launcher = `${root}xsnd`;

/** An environment in which the fixtures' PCMs open, with or without sound hardware. */
export const anyPcm = { ALSA_CONFIG_PATH: `${root}tests/sandbox/any_pcm.conf` };

/** How long a test waits for an event that must come, even on a busy machine. */
export const PATIENCE_MS = 20_000;

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waits until `condition` returns a truthy value; returns the value. */
export async function until<T>(what: string, condition: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert(performance.now() < deadline, `within ${PATIENCE_MS} ms it never came true: ${what}`);
    await sleep(10);
  }
}

/** A running program, and its output. */
export class Process implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly result: Promise<Result>;
  stdout = "";
  stderr = "";
  #ended = false;

  constructor(command: string, args: readonly string[], options: Deno.CommandOptions = {}) {
    this.#child = new Deno.Command(command, {
      ...options,
      args: [...args],
      cwd: options.cwd ?? root,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.result = this.#follow();
  }

  async #follow(): Promise<Result> {
    const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, add: (text: string) => void) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
    };
    const [{ code }] = await Promise.all([
      this.#child.status,
      collect(this.#child.stdout, (text) => this.stdout += text),
      collect(this.#child.stderr, (text) => this.stderr += text),
    ]);
    this.#ended = true;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  get pid(): number {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends `signal`, and waits for the process to end. */
  async end(signal: Deno.Signal): Promise<Result> {
    this.kill(signal);
    return await this.result;
  }

  kill(signal: Deno.Signal): void {
    if (this.#ended) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the process has ended, its output has not
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.end("SIGKILL");
  }
}

/** Runs `xsnd ARGS`, and waits for its end. */
export function xsnd(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  return new Process(launcher, args, { env }).result;
}

/** A stream in a status report, with the frame counts that only connected streams have. */
export interface StreamStatus extends StreamReport {
  readonly positionFrames: number;
  readonly periodFrames: number;
  readonly guestFrames: number;
}

/** A stream in a configuration file. */
export interface StreamOptions {
  readonly type: "playback" | "capture";
  readonly device: string;
  readonly [key: string]: unknown;
}

/** An embedded Xen with guests, and a directory for files. All processes started in a box end with the box. */
export class Box implements AsyncDisposable {
  readonly #processes: Process[] = [];

  private constructor(private readonly sandbox: Sandbox, readonly directory: string) {}

  static async start(...domains: string[]): Promise<Box> {
    const directory = Deno.makeTempDirSync({ prefix: "xsnd-test-" });
    return new Box(await Sandbox.start({ domains: domains.length > 0 ? domains : ["domU"] }), directory);
  }

  /** The embedded Xen's own directory, which `XSND_SANDBOX` names. */
  get xen(): string {
    return this.sandbox.directory;
  }

  get environment(): Record<string, string> {
    return this.sandbox.environment;
  }

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Starts `xsnd ARGS`. */
  spawn(...args: string[]): Process {
    return this.spawnWith({}, ...args);
  }

  spawnWith(env: Record<string, string>, ...args: string[]): Process {
    const process = new Process(launcher, args, { env: { ...this.environment, ...env } });
    this.#processes.push(process);
    return process;
  }

  /** Starts `COMMAND... xsnd ARGS`. The command must exec the program in its arguments. */
  spawnUnder([command, ...rest]: string[], ...args: string[]): Process {
    const process = new Process(command!, [...rest, launcher, ...args], { env: this.environment });
    this.#processes.push(process);
    return process;
  }

  run(...args: string[]): Promise<Result> {
    return this.spawn(...args).result;
  }

  /** Runs a command that must succeed with an empty stderr; returns its output. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, `xsnd ${args.join(" ")}`);
    return stdout;
  }

  /** Output of a Debian XenStore tool, run as dom0. */
  async xenstore(tool: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Process(`xenstore-${tool}`, args, { env: this.environment })
      .result;
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /**
   * Gives `domain` one card with a PCM for each of `pcms`, and a wide choice of rates, formats and channels. A missing device
   * only causes a warning.
   */
  async provision(domain: string, ...pcms: StreamOptions[][]): Promise<void> {
    const card = {
      "buffer-size": 1 << 20,
      "sample-rates": [8000, 44100, 48000, 96000],
      "sample-formats": ["s16_le", "s24_le", "s32_le", "float_le"],
      "channels-max": 8,
      pcms: pcms.map((streams) => ({ streams })),
    };
    const file = this.path(`${domain}.yaml`);
    Deno.writeTextFileSync(file, JSON.stringify({ domains: { [domain]: { cards: [card] } } }));
    const { code, stderr } = await this.run("provision", domain, "-f", file);
    assert.equal(code, 0, stderr);
  }

  /** Starts a daemon; resolves once the daemon answers. */
  serve(...args: string[]): Promise<Process> {
    return this.serveWith({}, ...args);
  }

  async serveWith(env: Record<string, string>, ...args: string[]): Promise<Process> {
    const daemon = this.spawnWith(env, "serve", ...args);
    await until("the daemon answers", () => {
      assert(!daemon.ended, `the daemon ended: ${daemon.stderr}`);
      return this.status().catch(() => undefined);
    });
    return daemon;
  }

  /** The daemon's status report, fetched without a process. */
  async status(): Promise<StatusReport> {
    // `connect` reads the variable before it first waits.
    Deno.env.set("XSND_CONTROL", `${this.xen}/control.sock`);
    const connecting = ControlClient.connect(0);
    Deno.env.delete("XSND_CONTROL");
    using client = await connecting;
    return await client.call({ command: "status" });
  }

  async stream(name: string): Promise<StreamStatus> {
    const found = await this.#find(name);
    assert(found !== undefined, `the daemon serves no ${name}`);
    return found;
  }

  async #find(name: string): Promise<StreamStatus | undefined> {
    const { streams } = await this.status();
    return streams.find(({ stream }) => stream === name) as StreamStatus | undefined;
  }

  /** Waits until the stream exists and its report satisfies `condition`. */
  async untilStream(name: string, condition: (report: StreamStatus) => boolean): Promise<StreamStatus> {
    let report: StreamStatus | undefined;
    await until(`${name}: ${condition}`, async () => {
      report = await this.#find(name);
      return report !== undefined && condition(report);
    });
    return report!;
  }

  /** Ends XenStore, even while processes use it. */
  stopXen(): Promise<void> {
    return this.sandbox.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes.reverse()) await process[Symbol.asyncDispose]();
    await this.sandbox.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Runs `body` in a new box. */
export async function inBox(body: (box: Box) => Promise<void>, ...domains: string[]): Promise<void> {
  await using box = await Box.start(...domains);
  await body(box);
}

/**
 * One box for all tests of a file, prepared before the first test: starting a daemon costs as much as a short test. A test must
 * undo its changes to the box.
 */
export function sharedBox(prepare: (box: Box) => Promise<void>, ...domains: string[]): () => Box {
  let box: Box;
  Deno.test.beforeAll(async () => await prepare(box = await Box.start(...domains)));
  Deno.test.afterAll(() => box[Symbol.asyncDispose]());
  return () => box;
}

/** A test that runs three of its steps at a time: for steps that mostly wait, and measure no times. */
export function testAtOnce(name: string, steps: Record<string, () => Promise<void>>): void {
  Deno.test(name, async (t) => {
    const queue = Object.entries(steps);
    const lane = async () => {
      for (let step; (step = queue.shift()) !== undefined;) {
        const [name, fn] = step;
        await t.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false });
      }
    };
    await Promise.all([lane(), lane(), lane()]);
  });
}

/** The number of connections to the daemon's control socket. */
export function controlClients(box: Box): number {
  const CONNECTED = "03";
  return Deno.readTextFileSync("/proc/net/unix").split("\n").filter((line) => {
    const [, , , , , state, , path] = line.trim().split(/ +/);
    return path === `${box.xen}/control.sock~` && state === CONNECTED;
  }).length;
}

/** Sends a request that the daemon cannot answer at once, and hangs up while the daemon waits. */
export async function askAndHangUp(box: Box, request: ControlRequest): Promise<void> {
  using client = await Deno.connect({ transport: "unix", path: `${box.xen}/control.sock` });
  await client.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
  // Once the daemon answers this request, it has read the request before.
  await box.status();
}

/** Sets a process's soft RLIMIT_NOFILE, the bound of new descriptors; returns the former limit. */
export async function descriptorLimit(pid: number, soft: string): Promise<string> {
  const prlimit = (...args: string[]) => new Process("prlimit", [`--pid=${pid}`, ...args]).result;
  const { stdout } = await prlimit("--nofile", "--output=SOFT", "--noheadings");
  const { code, stderr } = await prlimit(`--nofile=${soft}:`);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** A process's open descriptors. */
export const descriptors = (pid: number) =>
  new Set(Array.from(Deno.readDirSync(`/proc/${pid}/fd`), ({ name }) => Number(name)));

/** A process's open descriptors once they stop changing: the daemon may close a connection or a device after its answer. */
export async function settledDescriptors(pid: number): Promise<Set<number>> {
  while (true) {
    const before = descriptors(pid);
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (descriptors(pid).size === before.size) return before;
  }
}

/** The RLIMIT_NOFILE under which a process with the open descriptors `taken` may open `left` more. */
export function limitThatLeaves(left: number, taken: ReadonlySet<number>): number {
  let limit = 0;
  for (let free = 0; free < left || taken.has(limit); limit++) if (!taken.has(limit)) free++;
  return limit;
}

/** Asserts that a command failed with `code`, and printed one line of error message and nothing else. */
export function assertFails(result: Result, code: number, message: RegExp): void {
  assert.equal(result.code, code, result.stderr || result.stdout);
  assert.equal(result.stdout, "");
  assert.match(result.stderr, /^xsnd: [^\n]+\n$/, "one line");
  assert.match(result.stderr, message);
}

export interface Sound {
  /** The format's name in sndif.h. */
  readonly format: string;
  readonly channels: number;
  readonly rate: number;
  readonly frames: number;
}

/** Writes a WAV file of noise, in which no two stretches are alike; returns its path. */
export function makeWav(path: string, { format, channels, rate, frames }: Sound): string {
  using writer = new WavWriter(path, { format: formatByName(format)!, channels, rate });
  writer.writeFrames(encode(noise(frames * channels), format, formatByName(format)!.octets!));
  return path;
}

/** 32-bit numbers from a xorshift generator with a fixed seed. */
function noise(count: number): Int32Array {
  let state = 0x9e3779b9;
  return Int32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  });
}

function encode(samples: Int32Array, format: string, octets: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(samples.length * octets));
  samples.forEach((sample, i) => {
    if (format === "float_le") view.setFloat32(i * 4, sample / 2 ** 31, true);
    else if (format === "s24_le") view.setInt32(i * 4, sample >> 8, true);
    else if (octets === 4) view.setInt32(i * 4, sample, true);
    else if (octets === 2) view.setInt16(i * 2, sample >> 16, true);
    else view.setUint8(i, (sample >> 24) + 128);
  });
  return new Uint8Array(view.buffer);
}

/** The octets of a WAV file's data chunk, parsed without the code under test. */
export function samplesOf(path: string): Uint8Array {
  const octets = Deno.readFileSync(path);
  const view = new DataView(octets.buffer);
  const text = (at: number) => String.fromCharCode(...octets.subarray(at, at + 4));
  assert.deepEqual([text(0), text(8)], ["RIFF", "WAVE"], path);
  for (let at = 12; at + 8 <= octets.length;) {
    const size = view.getUint32(at + 4, true);
    if (text(at) === "data") {
      assert(at + 8 + size <= octets.length, `${path} is cut short`);
      return octets.subarray(at + 8, at + 8 + size);
    }
    at += 8 + size + size % 2;
  }
  throw new Error(`${path} has no data chunk`);
}

/** Asserts that both are the same samples; a failure is one line and no dump. */
export function assertSameSamples(actual: Uint8Array, expected: Uint8Array, what = "samples"): void {
  assert.equal(actual.length, expected.length, `${what}: octets`);
  const at = actual.findIndex((octet, i) => octet !== expected[i]);
  assert.equal(at, -1, `${what} differ from octet ${at} on`);
}
