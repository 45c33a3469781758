// SPDX-License-Identifier: MIT
/** A PCM of a sound server's plugin: how the server takes samples, and how it fails, as AlsaPcm sees it. */
import assert from "node:assert/strict";
import type { Pcm } from "../../../lib/pcm/pcm.ts";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { HostCard } from "./host_card.ts";
import { PULSE } from "./host_cards.ts";
import { SoundMachine } from "./sound_machine.ts";

function server(): { machine: SoundMachine; card: HostCard } {
  const machine = new SoundMachine();
  const card = machine.host.add({ name: "pulse", type: "IOPLUG", playback: PULSE, capture: PULSE, seed: 1 });
  return { machine, card };
}

Deno.test("a server takes chunks at its pace, and never what was not written", async () => {
  const made = server();
  const sound = await made.machine.started("pulse");
  await made.machine.pass(25_000);
  assert.equal(await made.machine.run(() => sound.pcm.position()), 960);
  assert.deepEqual(made.machine.recorder.runs, [[0, 0, 960]]);
});

/** The position, as the engine reads it once a period. */
function look(pcm: Pcm): number {
  const position = pcm.position();
  pcm.keepGoing();
  return position;
}

Deno.test("a server that has run dry waits until its buffer is nearly full; AlsaPcm's silence fills it", async () => {
  const made = server();
  const { machine } = made;
  const sound = await made.machine.started("pulse");
  const serve = async (ms: number) => {
    const positions: number[] = [];
    for (let i = 0; i < ms; i += 4) {
      await machine.pass(4_000);
      positions.push(await machine.run(() => look(sound.pcm)));
    }
    return positions;
  };
  await machine.pass(150_000);
  assert.equal(sound.handle.appl, 4800);
  const positions = await serve(400);
  assert.equal(positions[0], 4800);
  assert(positions.at(-1)! > 4800 + 4800, `${positions}`);
  assert.deepEqual(machine.recorder.runs.map(([, source]) => source), [0], "the server invents nothing");
});

Deno.test("a PCM of plugins that is started long after it was prepared has room for samples", async () => {
  const { machine } = server();
  const sound = await machine.open("pulse");
  await machine.pass(3_000_000);
  await machine.run(() => assert.equal(sound.pcm.start(), 0));
  const { bufferFrames, periodFrames } = sound.pcm.params;
  assert.equal(await machine.run(() => sound.pcm.avail()), bufferFrames - 4 * periodFrames);
});

Deno.test("a PCM of plugins that is started with a few samples takes the next ones right behind them", async () => {
  const { machine } = server();
  const sound = await machine.open("pulse");
  await machine.run(() => {
    const { pcm } = sound;
    assert.equal(pcm.write(100), 100);
    assert.equal(pcm.start(), 0);
    assert.equal(pcm.next(), 100);
  });
});

Deno.test("a server that waits for samples gets silence once the pointer has stood for a buffer", async () => {
  const { machine, card } = server();
  const sound = await machine.started("pulse");
  await machine.pass(25_000);
  card.playback!.waitForSamples();
  const positions: number[] = [];
  for (let ms = 0; ms < 160; ms += 4) {
    await machine.pass(4_000);
    positions.push(await machine.run(() => look(sound.pcm)));
  }
  assert.deepEqual(positions.slice(0, 25), Array(25).fill(960));
  assert(positions.at(-1)! > 960, `${positions}`);
});

Deno.test("a server that stands still, hangs or dies", async () => {
  const made = server();
  const { machine, card } = made;
  const sound = await made.machine.started("pulse");
  card.playback!.stall(50_000, "resume");
  await machine.pass(49_000);
  assert.equal(await machine.run(() => sound.pcm.position()), 0);
  await machine.pass(11_000);
  assert.equal(await machine.run(() => sound.pcm.position()), 480);

  card.playback!.faults.slow("any", 5_000_000);
  const before = machine.clock.now;
  await machine.run(() => {
    assert(sound.pcm.position() >= 480);
    assert.equal(performance.now() * 1000 - before >= 5_000_000, true);
  });
  await machine.pass(6_000_000);

  card.playback!.die("XRUN");
  await machine.run(() => {
    assert.deepEqual([sound.pcm.position(), sound.pcm.write(1)], [-ERRNO.EPIPE, -ERRNO.EPIPE]);
    assert.equal(sound.pcm.prepare(), -ERRNO.EIO);
  });
  assert.match(
    (await made.machine.refused("pulse")).message,
    /Connection refused \(ECONNREFUSED\); start its sound server/,
  );
  card.playback!.restart();
  assert.equal(
    await machine.run(() => sound.pcm.prepare()),
    -ERRNO.EIO,
    "the old handle knows no new server",
  );
  const again = await made.machine.started("pulse");
  card.playback!.die("DISCONNECTED");
  await machine.run(() =>
    assert.deepEqual([again.pcm.position(), again.pcm.write(1)], [-ERRNO.ENODEV, -ERRNO.ENODEV])
  );
  await made.machine.close(again);
  await made.machine.close(sound);
  assert.deepEqual([machine.host.open.length, machine.process.files.size], [0, 0]);
  assert.deepEqual(machine.recorder.violations, []);
});
