// SPDX-License-Identifier: MIT
/** Runs a session in a thread of its own. */
import { EventFd } from "../../ffi/libc/event_fd.ts";
import { Exit, type ExitCode, XsndError } from "../base/error.ts";
import type { ReplayReport } from "./replayer.ts";
import type {
  ReplayOptions,
  SessionListener,
  SessionMessage,
  SessionOptions,
  SessionReport,
  SessionStart,
} from "./session.ts";

/**
 * Plays or records as a guest, and resolves with the measurements. When `signal` is aborted the session closes its stream, and
 * the call throws {@link XsndError} with exit code 130.
 *
 * @example
 * ```ts
 * import { applyConfig, openXen, parseConfig, runSession, startDaemon, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const config = parseConfig(
 *   "domains: {domU: {cards: [{pcms: [{streams: [{type: capture, device: 'dummy:'}]}]}]}}",
 *   "guests.yaml",
 * );
 * const path = await Deno.makeTempFile({ suffix: ".wav" });
 * await withSandbox({ domains: ["domU"] }, async ({ directory, controlSocket }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   applyConfig(xen.store, config);
 *   await using _daemon = await startDaemon(xen, { controlSocket });
 *   const { frames } = await runSession({
 *     kind: "record",
 *     sandbox: directory,
 *     stream: { name: "domU/0/0/0", domain: "domU", domid: 1, card: 0, pcm: 0, stream: 0 },
 *     file: { path },
 *     record: { format: "s16_le", rate: 48000, channels: 2, seconds: 0.1 },
 *   });
 *   assert.equal(frames, 4800);
 * });
 * await Deno.remove(path);
 * ```
 */
export async function runSession(
  options: SessionOptions,
  listener?: SessionListener,
  signal: AbortSignal = new AbortController().signal,
): Promise<SessionReport> {
  const [report] = await runSessions([options], listener, signal);
  return report!;
}

/**
 * Plays and records at the same time, as programs of one guest do with several streams of one card. The reports are in the order of
 * `options`, of which there is one at least. Otherwise as {@link runSession}; one session that fails ends all.
 *
 * @example
 * ```ts
 * import { applyConfig, openXen, parseConfig, runSessions, startDaemon, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const stream = "{type: capture, device: 'dummy:'}";
 * const config = parseConfig(`domains: {domU: {cards: [{pcms: [{streams: [${stream}, ${stream}]}]}]}}`, "guests.yaml");
 * const path = await Deno.makeTempDir();
 * await withSandbox({ domains: ["domU"] }, async ({ directory, controlSocket }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   applyConfig(xen.store, config);
 *   await using _daemon = await startDaemon(xen, { controlSocket });
 *   const reports = await runSessions([0, 1].map((stream) => ({
 *     kind: "record",
 *     sandbox: directory,
 *     stream: { name: `domU/0/0/${stream}`, domain: "domU", domid: 1, card: 0, pcm: 0, stream },
 *     file: { path: `${path}/${stream}.wav` },
 *     record: { format: "s16_le", rate: 48000, channels: 2, seconds: 0.1 },
 *   })));
 *   assert.deepEqual(reports.map(({ frames }) => frames), [4800, 4800]);
 * });
 * await Deno.remove(path, { recursive: true });
 * ```
 */
export function runSessions(
  options: readonly SessionOptions[],
  listener?: SessionListener,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly SessionReport[]> {
  return runInThread<readonly SessionReport[]>(options, listener, signal);
}

/** Replays a trace as a guest; otherwise as {@link runSession}. */
export function runReplay(options: ReplayOptions, signal: AbortSignal): Promise<ReplayReport> {
  return runInThread<ReplayReport>(options, undefined, signal);
}

async function runInThread<R>(
  options: SessionStart["options"],
  listener: SessionListener | undefined,
  signal: AbortSignal,
): Promise<R> {
  using stop = new EventFd();
  const onAbort = () => stop.signal();
  signal.addEventListener("abort", onAbort);
  const worker = new Worker(new URL("./guest_worker.ts", import.meta.url), {
    type: "module",
    name: "frontend",
  });
  try {
    const done = Promise.withResolvers<R>();
    worker.onmessage = ({ data }: MessageEvent<SessionMessage>) => {
      if (data.kind === "progress") listener?.progress(data.progress);
      else if (data.kind === "warning") listener?.warning(data.warning);
      else if (data.kind === "report") done.resolve(data.report as R);
      else if (data.exitCode === undefined) done.reject(new Error(data.message));
      else done.reject(new XsndError(data.message, data.exitCode as ExitCode));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      done.reject(new Error(`the frontend's thread failed: ${event.message}`));
    };
    const start: SessionStart = { options, stopFd: stop.fd };
    worker.postMessage(start);
    if (signal.aborted) throw new XsndError("interrupted", Exit.interrupted);
    return await done.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    worker.terminate();
  }
}
