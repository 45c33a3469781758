// SPDX-License-Identifier: MIT
/** The programs of a guest over a scripted backend: what each does, alone and pushed at random, and how it meets trouble. */
import assert from "node:assert/strict";
import {
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_SET_VOLUME,
} from "../../../lib/sndif/mod.ts";
import { Random } from "../machine/random.ts";
import { destroyDomain, restoreDomain, saveDomain } from "../xen/domain_nodes.ts";
import { AccountCheck, frameSums } from "./checks.ts";
import { CAPTURE, CONFIG, GENERATIONS, GuestRig, PLAYBACK } from "./guest_rig.ts";
import { chooseProgram, Mixer, Player, type Program, Querier, Reopener, SoundServer } from "./programs.ts";

const server = { config: CONFIG, latencyFrames: 960, stopsAtXrun: true, canPause: true };
const long = { config: CONFIG, frames: 1_000_000, chunkFrames: 480, startFrames: 1920 };

for (const generation of GENERATIONS) {
  Deno.test(`${generation}: an underrun stops the stream, and the player goes on after it`, async () => {
    const rig = new GuestRig(generation);
    await rig.connect();
    const player = new Player(rig.kernel, "aplay", PLAYBACK, { ...long, frames: 20_000 }).start();
    await rig.pass(200_000);
    rig.kernel.tasks.freeze();
    await rig.pass(100_000);
    rig.kernel.tasks.thaw();
    await rig.until("the player's end", () => player.isOver);
    const account = rig.account(PLAYBACK);
    assert.deepEqual([player.ending, account.xruns], ["done", 1]);
    assert.deepEqual(account.segments.map(({ end }) => end?.cause), ["xrun", "drained"]);
    assert.equal(frameSums(account).passed, 20_000);
    await rig.end();
  });

  Deno.test(`${generation}: a sound server rewinds, jumps, restarts, idles, pauses, configures and starves`, async () => {
    const rig = new GuestRig(generation);
    await rig.connect();
    const program = new SoundServer(rig.kernel, "pipewire", PLAYBACK, server).start();
    const check = new AccountCheck(rig.account(PLAYBACK), { bound: () => 10_000, toldIn: 1000 });
    for (const action of ["rewind", "forward", "restart", "idle", "pause", "configure", "starve"] as const) {
      await rig.pass(200_000);
      program.act(action, 50);
    }
    await rig.pass(3_000_000);
    assert.equal(program.ending, undefined);
    program.act("end", 1);
    await rig.until("the server's end", () => program.isOver);
    assert.equal(program.ending, "done");
    const account = rig.account(PLAYBACK);
    assert.deepEqual(check.check({ now: rig.bench.clock.now }), []);
    assert.equal(account.opens.length, 2);
    assert.equal(account.opens[0]!.close!.request, undefined, "the second OPEN closes the first");
    assert.ok(frameSums(account).rewritten > 0);
    assert.ok(account.xruns > 0);
    await rig.end();
  });

  Deno.test(`${generation}: opening twice, asking without end, a mixer`, async () => {
    const rig = new GuestRig(generation);
    await rig.connect();
    const configs = [480, 481, 960].map((periodFrames) => ({
      ...CONFIG,
      periodFrames,
      bufferFrames: 4 * periodFrames,
    }));
    const reopener = new Reopener(rig.kernel, "reopener", PLAYBACK, configs).start();
    const querier = new Querier(rig.kernel, "querier", CAPTURE, new Random(3), 20).start();
    await rig.until("their ends", () => reopener.isOver && querier.isOver);
    assert.deepEqual([reopener.ending, querier.ending], ["done", "done"]);
    const { operations } = rig.backend.stream("0/0");
    const count = (wanted: number) => operations.filter((operation) => operation === wanted).length;
    assert.deepEqual([count(XENSND_OP_OPEN), count(XENSND_OP_CLOSE)], [3, 1]);
    const asked = rig.backend.stream("0/1").operations;
    assert.ok(asked.filter((operation) => operation === XENSND_OP_HW_PARAM_QUERY).length >= 20);

    const stream = rig.kernel.stream(PLAYBACK.nodename, PLAYBACK.place)!;
    const mixer = new Mixer(rig.kernel, stream);
    const player = new Player(rig.kernel, "aplay", PLAYBACK, { ...long, frames: 30_000 }).start();
    const random = new Random(9);
    for (let i = 0; i < 20; i++) {
      await rig.pass(20_000);
      mixer.step(random, [0, -3000], true);
    }
    await rig.until("the player's end", () => player.isOver);
    assert.equal(player.ending, "done");
    assert.ok(mixer.statuses.includes(0));
    const played = rig.backend.stream("0/0").played.filter((word) => word !== 0);
    assert.deepEqual(
      played.map((word) => word & 0xffffff).slice(-30_000),
      [...Array(30_000).keys()].map((i) => i + rig.account(PLAYBACK).nextFrame - 30_000),
      "values that pass through the buffer touch no samples",
    );
    assert.ok(rig.backend.stream("0/0").operations.includes(XENSND_OP_SET_VOLUME));
    await rig.end();
  });

  Deno.test(`${generation}: a suspend pauses the stream, and the player prepares it again`, async () => {
    const rig = new GuestRig(generation);
    await rig.connect();
    const player = new Player(rig.kernel, "aplay", PLAYBACK, { ...long, frames: 40_000 }).start();
    await rig.pass(200_000);
    let isSuspended = false;
    rig.kernel.suspend(() => isSuspended = true);
    await rig.until("a suspend", () => isSuspended);
    await rig.pass(1_000_000);
    rig.kernel.resume(false);
    await rig.until("the player's end", () => player.isOver);
    assert.equal(player.ending, "done");
    assert.deepEqual(rig.account(PLAYBACK).segments.map(({ end }) => end?.cause), ["suspend", "drained"]);
    await rig.end();
  });

  Deno.test(`${generation}: xl save and restore: rings and ports are gone, the driver starts over`, async () => {
    for (const isPlaying of [false, true]) {
      const rig = new GuestRig(generation);
      await rig.connect();
      const player = isPlaying ? new Player(rig.kernel, "aplay", PLAYBACK, long).start() : undefined;
      await rig.pass(200_000);
      let isSuspended = false;
      rig.kernel.suspend(() => isSuspended = true);
      await rig.until("a suspend", () => isSuspended);
      rig.backend.end();
      saveDomain(rig.bench.xen, rig.bench.guest);
      restoreDomain(rig.bench.xen, rig.bench.guest, "domU", 5);
      rig.provision();
      rig.bench.guest.unpause();
      rig.kernel.resume(true);
      rig.backend.setState(2);
      if (player === undefined) {
        await rig.until("a connected card", () => rig.backend.frontendState === "4");
        const second = new Player(rig.kernel, "aplay", PLAYBACK, { ...long, frames: 5000 }).start();
        await rig.until("the second player's end", () => second.isOver);
        assert.equal(second.ending, "done");
      } else {
        await rig.until("the player's end", () => player.isOver);
        assert.equal(player.ending, "oops");
        assert.equal(rig.account(PLAYBACK).incidents[0]!.isBackends, false);
      }
      await rig.end();
    }
  });

  Deno.test(`${generation}: a guest waits for an XenStore that is away`, async () => {
    const rig = new GuestRig(generation);
    const { xenstored } = rig.bench.xen;
    await rig.pass(10_000);
    rig.backend.setState(2);
    xenstored.die();
    await rig.pass(2_000_000);
    xenstored.comeBack();
    await rig.until("a connected card", () => rig.backend.frontendState === "4");
    await rig.end();
  });
}

Deno.test("a paused guest does nothing, a destroyed one never again", async () => {
  const rig = new GuestRig("linux-6.1");
  await rig.connect();
  const player = new Player(rig.kernel, "aplay", PLAYBACK, long).start();
  await rig.pass(100_000);
  rig.bench.guest.pause();
  await rig.pass(1000);
  const account = rig.account(PLAYBACK);
  const count = account.requests.length;
  await rig.pass(2_000_000);
  assert.equal(account.requests.length, count);
  rig.bench.guest.unpause();
  await rig.pass(100_000);
  assert.ok(account.requests.length > count);
  destroyDomain(rig.bench.xen, rig.bench.guest);
  const after = account.requests.length;
  await rig.pass(2_000_000);
  assert.deepEqual([account.requests.length, player.isOver], [after, false]);
  await rig.end();
});

/** Programs of all kinds, one after the other on each stream, pushed and killed at random. Returns what they left. */
async function crowd(seed: number): Promise<string> {
  const rig = new GuestRig(GENERATIONS[seed % 2]!, seed);
  await rig.connect();
  const random = new Random(seed);
  const running = new Map<string, Program>();
  const endings: string[] = [];
  const checks = [PLAYBACK, CAPTURE].map((at) =>
    new AccountCheck(rig.account(at), { bound: () => 10_000, toldIn: 1000 })
  );
  for (let i = 0; i < 400; i++) {
    for (const at of [PLAYBACK, CAPTURE]) {
      const program = running.get(at.place);
      if (program === undefined || program.isOver) {
        if (program !== undefined) endings.push(program.ending!);
        const stream = rig.kernel.stream(at.nodename, at.place)!;
        const next = chooseProgram(rig.kernel, at.nodename, stream, random)!;
        running.set(at.place, next.start());
      } else if (random.oneIn(4)) program.step(random);
    }
    await rig.pass(random.below(100_000));
    for (const check of checks) assert.deepEqual(check.check({ now: rig.bench.clock.now }), []);
  }
  assert.ok(endings.length > 10, `${endings.length} programs`);
  assert.ok(endings.includes("done"));
  assert.ok(endings.includes("killed"));
  const sums = [...rig.kernel.accounts].map(({ accepted, read, xruns, events, requests }) => [
    accepted,
    read,
    xruns,
    events.length,
    requests.length,
  ]);
  await rig.end();
  return JSON.stringify([endings, sums, rig.log]);
}

Deno.test("a crowd of programs has no finding, and is the same for the same seed", async () => {
  const first = await crowd(11);
  assert.equal(await crowd(11), first);
  for (let seed = 12; seed < 20; seed++) await crowd(seed);
});
