// SPDX-License-Identifier: MIT
/**
 * A daemon that takes another one's place, or stands by until the other one dies, under many guests that play. `XSND_SUCCESSIONS` is the
 * number of daemons.
 */
import assert from "node:assert/strict";
import { type Box, inBox, makeWav, type Process, until } from "./harness.ts";

const ROUNDS = Number(Deno.env.get("XSND_SUCCESSIONS") ?? 6);
const SOUND = { format: "s16_le", channels: 2, rate: 48000 };
const names = (count: number) => Array.from({ length: count }, (_, n) => `dom${n + 1}`);

/** From one position to the next, in µs. */
interface Gaps {
  readonly p50: number;
  readonly max: number;
}

/** Starts a player in each guest, which plays for some seconds. Returns when all play. */
async function playAll(box: Box, guests: readonly string[], seconds: number): Promise<Process[]> {
  const file = makeWav(box.path("in.wav"), { ...SOUND, frames: seconds * SOUND.rate });
  const playing = guests.map((guest) => box.spawn("play", file, guest, "--period-frames", "2048", "--json"));
  await Promise.all(
    guests.map((guest) => box.untilStream(`${guest}/0/0/0`, ({ state }) => state === "running")),
  );
  return playing;
}

/** Each player has ended well. Returns the gaps that each has seen. */
async function ended(playing: readonly Process[]): Promise<Gaps[]> {
  const results = await Promise.all(playing.map(({ result }) => result));
  return results.map(({ code, stdout, stderr }) => {
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const report = JSON.parse(stdout);
    assert.equal(report.xruns, 0, stdout);
    return report.positionGapMicros;
  });
}

async function provisionAll(box: Box, guests: readonly string[]): Promise<void> {
  for (const guest of guests) await box.provision(guest, [{ type: "playback", device: "dummy:" }]);
}

/** The process that serves now. */
const pid = async (box: Box) => (await box.status()).pid;

const ms = (micros: number) => Math.round(micros / 1000);

Deno.test("a daemon that replaces another under 8 players: no error, no xrun, and a gap far below that of a restart", () =>
  inBox(async (box) => {
    const guests = names(8);
    await provisionAll(box, guests);
    let daemon = await box.serve();
    const playing = await playAll(box, guests, 3 + ROUNDS);
    for (let round = 0; round < ROUNDS; round++) {
      const next = box.spawn("serve", "--replace");
      assert.equal((await daemon.result).code, 0);
      await until("the next one serves", () => {
        assert(!next.ended, next.stderr);
        return pid(box).then((now) => now === next.pid || undefined, () => undefined);
      });
      daemon = next;
    }
    const replaced = await ended(playing);
    const again = await playAll(box, guests, 4);
    await daemon.end("SIGTERM");
    await box.serve();
    const restarted = await ended(again);
    const [most, baseline] = [replaced, restarted].map((all) => Math.max(...all.map(({ max }) => max)));
    console.log(`longest gaps: ${ROUNDS} replacements ${ms(most!)} ms, a restart ${ms(baseline!)} ms`);
    assert(most! < baseline!, `a replacement takes ${most} µs, and a restart ${baseline} µs`);
  }, ...names(8)));

Deno.test("a daemon that stands by goes on at once when the other one is killed, and with the file as it is then", () =>
  inBox(async (box) => {
    const guests = names(4);
    await provisionAll(box, guests);
    const config = box.path("guests.yaml");
    const write = (round: number) => {
      const stream = `{ type: playback, device: "dummy:", unique-id: r${round} }`;
      const cards = `[{ pcms: [{ streams: [${stream}] }] }]`;
      Deno.writeTextFileSync(config, `domains: { dom5: { cards: ${cards} } }\n`);
    };
    write(-1);
    let daemon = await box.serve("--config", config);
    const playing = await playAll(box, guests, 4 + 2 * ROUNDS);
    for (let round = 0; round < ROUNDS; round++) {
      const standby = box.spawn("serve", "--standby", "--config", config);
      await until("it stands by", () => /standing by/.test(standby.stderr) || undefined);
      standby.kill("SIGHUP");
      write(round);
      await daemon.end("SIGKILL");
      await until("it serves", () => {
        assert(!standby.ended, standby.stderr);
        return pid(box).then((now) => now === standby.pid || undefined, () => undefined);
      });
      assert.equal((await box.stream("dom5/0/0/0")).uniqueId, `r${round}`);
      daemon = standby;
    }
    const gaps = await ended(playing);
    console.log(`longest gap of ${ROUNDS} kills: ${ms(Math.max(...gaps.map(({ max }) => max)))} ms`);
  }, ...names(5)));

Deno.test("a daemon that stands by is ended by no SIGHUP, before or while it takes the other one's place", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    let daemon = await box.serve();
    for (let round = 0; round < ROUNDS; round++) {
      const standby = box.spawn("serve", "--standby");
      await until("it stands by", () => /standing by/.test(standby.stderr) || undefined);
      const storm = setInterval(() => standby.kill("SIGHUP"), 1);
      try {
        await daemon.end("SIGKILL");
        await until("it serves", () => {
          assert(!standby.ended, `it has ended: ${standby.stderr}`);
          return pid(box).then((now) => now === standby.pid || undefined, () => undefined);
        });
      } finally {
        clearInterval(storm);
      }
      daemon = standby;
    }
  }));

Deno.test("several daemons that stand by: one of them serves, and the others go on waiting", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const waiting = [1, 2, 3].map(() => box.spawn("serve", "--standby"));
    await until("all stand by", () => waiting.every(({ stderr }) => /standing by/.test(stderr)) || undefined);
    await daemon.end("SIGKILL");
    const alive = new Set<number>([daemon.pid]);
    for (let left = 3; left > 0; left--) {
      const serving: number = await until(
        "another one serves",
        () => pid(box).then((now) => alive.has(now) ? 0 : now, () => 0),
      );
      alive.add(serving);
      const process = waiting.find(({ pid }) => pid === serving)!;
      assert.equal(waiting.filter(({ ended }) => !ended).length, left);
      assert.equal((await process.end("SIGTERM")).code, 0);
    }
  }));
