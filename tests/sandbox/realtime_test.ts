// SPDX-License-Identifier: MIT
/** `xsnd serve --realtime`: the scheduling policy of the daemon's threads, as the kernel reports it. */
import assert from "node:assert/strict";
import { inBox, type Process, until } from "./harness.ts";

const FIFO = "1";
const STREAM = "domU/0/0/0";

/** How many threads of the process have SCHED_FIFO. */
function realtimeThreads({ pid }: Process): number {
  const policies = Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => {
    const stat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`);
    // The policy is field 41 of proc(5); the slice begins at the state, which is field 3.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[41 - 3];
  });
  return policies.filter((policy) => policy === FIFO).length;
}

Deno.test("serve --realtime: the engine alone has SCHED_FIFO, and a stream plays", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve("--realtime");
    // Where the machine does not permit SCHED_FIFO, the daemon must log EPERM.
    assert(realtimeThreads(daemon) === 1 || /scheduling \(EPERM\)/.test(daemon.stderr), daemon.stderr);
    assert.match(await box.ok("play", "fixtures/melody.wav", STREAM), /, 0 xruns;/);
  }));

Deno.test("serve without --realtime asks for nothing", () =>
  inBox(async (box) => {
    assert.equal(realtimeThreads(await box.serve()), 0);
  }));

Deno.test("serve --realtime that is not permitted says so, and serves all the same", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = box.spawnUnder(["setpriv", "--bounding-set=-sys_nice"], "serve", "--realtime");
    await until("the daemon answers", () => box.status().catch(() => undefined));
    assert.equal(realtimeThreads(daemon), 0);
    assert.match(daemon.stderr, /warning: .* without real-time scheduling \(EPERM\): .*CAP_SYS_NICE/);
    assert.match(await box.ok("play", "fixtures/melody.wav", STREAM), /, 0 xruns;/);
  }));
