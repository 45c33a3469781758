// SPDX-License-Identifier: MIT
/**
 * A program for tests: `xsnd serve` with a defect in its engines. A stream that starts at {@link FAULTY_RATE} provokes the
 * defect: on the dummy device the stream throws an exception, on an ALSA PCM the engine does.
 */
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { AlsaPcm } from "../../lib/pcm/alsa/pcm.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import { type Box, Process, until } from "./harness.ts";

export const FAULTY_RATE = 44_100;

/** Starts the daemon; resolves once the daemon serves. */
export async function serveFaulty(box: Box): Promise<Process> {
  const daemon = new Process(Deno.execPath(), ["run", "--quiet", "--no-check", "-A", import.meta.filename!], {
    env: box.environment,
  });
  await until("the daemon answers", () => {
    if (daemon.ended) throw new Error(daemon.stderr);
    return box.status().catch(() => undefined);
  });
  return daemon;
}

/** Serves with engines that start from this file. */
async function serve(): Promise<void> {
  const real = globalThis.Worker;
  globalThis.Worker = class extends real {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(String(url).endsWith("/engine_worker.ts") ? import.meta.url : url, options);
    }
  };
  const { serve } = await import("../../lib/service/serve.ts");
  const { startLogging } = await import("../../lib/log/mod.ts");
  using _log = await startLogging({ format: "text", level: "info" });
  await serve({});
}

function makeFaulty(): void {
  const { pointer } = DummyPcm.prototype;
  DummyPcm.prototype.pointer = function (this: DummyPcm) {
    if (this.params.rate === FAULTY_RATE) throw new Error("a defect of the stream's");
    return pointer.call(this);
  };
  let isFaulty = false;
  const { start } = AlsaPcm.prototype;
  AlsaPcm.prototype.start = function (this: AlsaPcm) {
    isFaulty = this.params.rate === FAULTY_RATE;
    return start.call(this);
  };
  const { wait } = PollSet.prototype;
  PollSet.prototype.wait = function (this: PollSet, timeoutMs: number) {
    if (isFaulty) throw new Error("a defect of the engine's");
    return wait.call(this, timeoutMs);
  };
}

if ("DedicatedWorkerGlobalScope" in globalThis) {
  makeFaulty();
  await import("../../lib/engine/engine_worker.ts");
} else if (import.meta.main) await serve();
