// SPDX-License-Identifier: MIT
/** Finds the smallest period that plays clean: plays a file at ever smaller periods. */
import type { SessionOptions, SessionReport } from "../guest/session.ts";
import { DemoHost } from "./demo_host.ts";
import { demoCard, type DemoOptions } from "./run_demo.ts";
import { TestBench } from "./test_bench.ts";

/** In frames. */
const [LARGEST, SMALLEST] = [4096, 32];
/** Periods in the guest's buffer. */
export const PERIODS = 4;
/** How often a period is tried that has an xrun: a busy machine may cause one. */
const TRIES = 2;

/** What came of one period. */
export interface SweepStep {
  /** Whether one of the tries had no xrun, at the guest's end nor at the device. */
  readonly isClean: boolean;
  readonly tries: number;
  /** The last try. */
  readonly report: SessionReport;
  /** Xruns of the last try, as the daemon counted them at the device. */
  readonly deviceXruns: number;
}

/**
 * Tries each period, down to the first that does not play clean, or to the smallest that the device has. Calls `tried` after each.
 * Throws {@link XsndError} if the device cannot play.
 */
export async function sweep(
  { input, behaviour, device = "dummy:" }: DemoOptions,
  tried: (step: SweepStep) => void,
  signal: AbortSignal,
): Promise<readonly SweepStep[]> {
  return await DemoHost.run((host) =>
    host.withCard(demoCard(input, device), async ([stream]) => {
      const bench = new TestBench(host, signal);
      // The daemon takes a moment to see the card.
      await bench.wait(stream!, "closed");
      const steps: SweepStep[] = [];
      for (let periodFrames = LARGEST; periodFrames >= SMALLEST; periodFrames /= 2) {
        const sizes = { periodFrames, bufferFrames: PERIODS * periodFrames };
        const step = await tryPeriod(bench, {
          kind: "play",
          file: { path: input },
          stream: stream!,
          behaviour,
          ...sizes,
        });
        // The device has no smaller period.
        if (step.report.periodFrames !== periodFrames && steps.length > 0) break;
        steps.push(step);
        tried(step);
        if (!step.isClean) break;
      }
      return steps;
    })
  );
}

async function tryPeriod(bench: TestBench, session: SessionOptions): Promise<SweepStep> {
  for (let tries = 1;; tries++) {
    const { xruns: before } = await bench.status(session.stream);
    const report = await bench.run(session);
    const deviceXruns = (await bench.status(session.stream)).xruns - before;
    const isClean = report.xruns === 0 && deviceXruns === 0;
    if (isClean || tries === TRIES) return { isClean, tries, report, deviceXruns };
  }
}
