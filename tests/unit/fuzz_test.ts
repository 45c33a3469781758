// SPDX-License-Identifier: MIT
/** Fuzzes each target briefly, from a fixed seed and from a random seed. */
import assert from "node:assert/strict";
import { fuzz, type TargetName } from "../fuzz/run.ts";
import { TARGETS } from "../fuzz/targets.ts";

const SECONDS = Number(Deno.env.get("XSND_FUZZ_SECONDS") ?? 1);

Deno.test("fuzzing of requests, page directories, frontends, YAML, xl, control lines, traces and WAV finds nothing", async (t) => {
  for (const name of Object.keys(TARGETS) as TargetName[]) {
    await t.step(name, async () => {
      for (const seed of [1, Math.floor(Math.random() * 2 ** 31)]) {
        const { runs, finding } = await fuzz(name, seed, SECONDS);
        assert(finding === undefined, `${finding?.text}\nagain: ${finding?.command}`);
        assert(runs > 0);
      }
    });
  }
});
