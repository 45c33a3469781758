// SPDX-License-Identifier: MIT
/**
 * The demo: provisions a card, serves it, plays a file into it as a guest does, and compares what the device played with the
 * file. Without Xen it starts a sandbox; on real Xen domain 0 is its own guest.
 */
import { dirname } from "node:path";
import { ACCESS, libc } from "../../ffi/libc/libc.ts";
import { cString } from "../../ffi/base/c_string.ts";
import { ControlClient } from "../control/control_client.ts";
import { controlSocketPath } from "../control/protocol.ts";
import { Exit, XsndError } from "../base/error.ts";
import { startDaemon } from "./daemon_here.ts";
import { runSession } from "../guest/run_session.ts";
import type { SessionListener, SessionReport, SessionStream } from "../guest/session.ts";
import type { EventIdBehaviour } from "../sndif/mod.ts";
import type { CardConfig } from "../vsnd/model/card.ts";
import { deprovisionCard } from "../vsnd/provision/deprovision.ts";
import { cardRecords } from "../vsnd/nodes/inventory.ts";
import { provision } from "../vsnd/provision/plan.ts";
import { type AudioReader, WavReader } from "../wav/mod.ts";
import { domainName } from "../xenbus/mod.ts";
import { withSandbox } from "../xen/embedded/sandbox.ts";
import { openXen } from "../xen/mod.ts";
import { SANDBOX_VARIABLE } from "../base/environment.ts";
import type { Xen } from "../xen/ports.ts";

const GUEST = "demo";

export interface DemoOptions {
  /** A WAV file to play. */
  readonly input: string;
  /** The file that keeps what the device played; by default a temporary one. */
  readonly output?: string;
  readonly behaviour: EventIdBehaviour;
  readonly periodFrames?: number;
  readonly bufferFrames?: number;
}

export interface DemoReport extends SessionReport {
  readonly xen: "native" | "embedded";
  /** Whether the device played exactly the samples of the file. */
  readonly bitExact: boolean;
  /**
   * Bit-exact, without xruns, and with positions within a quarter of a period. A busy machine is allowed as many frames more as its
   * slowest ping-pong between threads takes.
   */
  readonly passed: boolean;
}

/** Runs the demo. The report says whether the sound was right. Throws {@link XsndError} if the demo cannot run. */
export async function runDemo(
  options: DemoOptions,
  listener: SessionListener,
  signal: AbortSignal,
): Promise<DemoReport> {
  using input = new WavReader(options.input);
  const directory = Deno.makeTempDirSync({ dir: directoryOfDaemon(), prefix: "xsnd-demo-" });
  try {
    const output = Deno.realPathSync(directory) + "/played.wav";
    const report = await inXen((xen, domid) =>
      playThrough(xen, domid, input, output, options, listener, signal)
    );
    const bitExact = sameSamples(options.input, output);
    if (options.output !== undefined) copyOutput(output, options.output);
    const lateFrames = (report.pingPongMicros?.max ?? 0) * report.rate / 1e6;
    const isInTime = report.maxPositionErrorFrames <= report.periodFrames / 4 + lateFrames;
    const passed = bitExact && report.xruns === 0 && isInTime;
    return { ...report, bitExact, passed };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The directory that a daemon outside of a sandbox may write; undefined if this process may not. */
function directoryOfDaemon(): string | undefined {
  const directory = dirname(controlSocketPath());
  const isThere = !Deno.env.has(SANDBOX_VARIABLE) && libc().access(cString(directory), ACCESS.W_OK) === 0;
  return isThere ? directory : undefined;
}

/** Runs `body` in the sandbox that this process is in, otherwise in the real Xen, otherwise in a new sandbox. */
async function inXen<T>(body: (xen: Xen, domid: number) => Promise<T>): Promise<T> {
  if (Deno.env.has(SANDBOX_VARIABLE) || hasRealXen()) {
    using xen = await openXen();
    return await body(xen, xen.domid);
  }
  return await withSandbox({ domains: [GUEST] }, async ({ environment }) => {
    for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
    using xen = await openXen();
    return await body(xen, 1);
  });
}

/** Whether this domain can serve: it has the device nodes of event channels and grants. */
function hasRealXen(): boolean {
  return ["/dev/xen/evtchn", "/dev/xen/gntdev"].every((path) =>
    libc().access(cString(path), ACCESS.F_OK) === 0
  );
}

async function playThrough(
  xen: Xen,
  domid: number,
  input: AudioReader,
  output: string,
  options: DemoOptions,
  listener: SessionListener,
  signal: AbortSignal,
): Promise<Omit<DemoReport, "bitExact" | "passed">> {
  const domain = domainName(xen.store, domid);
  await using _daemon = await daemonFor(xen);
  const card = addCard(xen, domid, domain, cardFor(input, `dummy:${output}`));
  try {
    const stream: SessionStream = { name: `${domain}/${card}/0/0`, domain, domid, card, pcm: 0, stream: 0 };
    const { behaviour, bufferFrames, periodFrames } = options;
    const file = { path: options.input };
    const report = await runSession(
      { kind: "play", file, stream, behaviour, bufferFrames, periodFrames, baseline: true },
      listener,
      signal,
    );
    return { ...report, xen: xen.kind };
  } finally {
    const record = cardRecords(xen.store, domid).find(({ address }) => address.card === card);
    if (record !== undefined) await deprovisionCard(xen.store, record, { timeoutMs: 5000, force: false });
  }
}

/** Provisions `config` under the domain's first free card number, which it returns. */
function addCard(xen: Xen, domid: number, domain: string, config: CardConfig): number {
  let card = 0;
  provision(xen.store, (view) => {
    const taken = new Set(cardRecords(view, domid).map(({ address }) => address.card));
    card = 0;
    while (taken.has(card)) card++;
    return [{
      domain: { domid, name: domain },
      address: { domid, card, backendDomid: xen.domid },
      card: config,
    }];
  });
  return card;
}

/** A card with one playback stream, for the parameters of the file. */
function cardFor({ params: { rate, channels }, formats }: AudioReader, device: string): CardConfig {
  const params = {
    rates: [rate],
    formats: formats.map(({ name }) => name),
    channelsMin: channels,
    channelsMax: channels,
    bufferSizeBytes: 4 << 20,
  };
  const stream = { type: "playback", uniqueId: "demo", device, declared: {}, effective: params } as const;
  return {
    shortName: "xsnd demo",
    declared: params,
    pcms: [{ name: "Demo", declared: {}, streams: [stream] }],
  };
}

/** A daemon for the length of the demo, unless a running daemon serves the card. */
async function daemonFor(xen: Xen): Promise<AsyncDisposable> {
  try {
    using _client = await ControlClient.connect(0);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  } catch (error) {
    if (!(error instanceof XsndError && error.exitCode === Exit.noDaemon)) throw error;
  }
  return await startDaemon(xen);
}

/** Whether both files hold the same frames with the same parameters. */
export function sameSamples(a: string, b: string): boolean {
  using left = new WavReader(a);
  using right = new WavReader(b);
  const common = left.formats.find((format) => right.formats.includes(format));
  if (common === undefined) return false;
  left.deliverAs(common);
  right.deliverAs(common);
  if (left.params.rate !== right.params.rate || left.params.channels !== right.params.channels) return false;
  const one = new Uint8Array(4096 * left.frameOctets);
  const other = new Uint8Array(one.length);
  for (;;) {
    const [n, m] = [left.readFrames(one), right.readFrames(other)];
    if (n !== m) return false;
    if (n === 0) return true;
    if (one.subarray(0, n * left.frameOctets).some((octet, i) => octet !== other[i])) return false;
  }
}

function copyOutput(from: string, to: string): void {
  try {
    Deno.copyFileSync(from, to);
  } catch (error) {
    throw new XsndError(`cannot write ${to}: ${(error as Error).message}`, Exit.failed, { cause: error });
  }
}
