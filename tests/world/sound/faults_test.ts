// SPDX-License-Identifier: MIT
/** Each thing that can go wrong with a host's device, as AlsaDevice and AlsaPcm see it. */
import assert from "node:assert/strict";
import { libasound } from "../../../ffi/alsa/libasound.ts";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { libc, POLL } from "../../../ffi/libc/libc.ts";
import { PollSet } from "../../../ffi/libc/poll_set.ts";
import { AlsaDevice } from "../../../lib/pcm/alsa/device.ts";
import { refinerOf } from "../../../lib/pcm/refiner.ts";
import { formatByName, formatsToMask, HwParam } from "../../../lib/sndif/mod.ts";
import type { SoundCall } from "./faults.ts";
import type { HostCard } from "./host_card.ts";
import { ORDINARY, PULSE } from "./host_cards.ts";
import { STATE } from "./host_pcm.ts";
import { type OpenSound, REQUEST, SoundMachine } from "./sound_machine.ts";

const CODE = { s16: formatByName("s16_le")!.code, s32: formatByName("s32_le")!.code };

interface Made {
  readonly machine: SoundMachine;
  readonly card: HostCard;
}

function hardware(): Made {
  const machine = new SoundMachine();
  const card = machine.host.add({ name: "hw:0", type: "HW", playback: ORDINARY, capture: ORDINARY, seed: 1 });
  return { machine, card };
}

Deno.test("an open that fails, fails once, and gives the guest ENODEV", async () => {
  for (const errno of ["ENOENT", "EACCES", "ENOMEM", "EIO"] as const) {
    const made = hardware();
    made.card.playback!.faults.fail("open", ERRNO[errno]);
    const error = await made.machine.refused();
    assert.match(error.message, new RegExp(`\\(${errno}\\)`));
    assert.equal(error.errno, ERRNO.ENODEV);
    await made.machine.open("hw:0");
  }
});

Deno.test("a device that never was has ALSA's error numbers", async () => {
  const made = hardware();
  assert.match((await made.machine.refused("hw:7")).message, /No such file or directory \(ENOENT\)/);
  assert.match((await made.machine.refused("hw:Nix")).message, /No such device \(ENODEV\)/);
  assert.match((await made.machine.refused("some")).message, /\(ENOENT\)/);
  made.machine.host.add({ name: "hw:1", type: "HW", capture: ORDINARY, seed: 1 });
  assert.match((await made.machine.refused("hw:1")).message, /\(ENOENT\)/, "it has no playback");
});

Deno.test("a device that another program has is busy until the program is done", async () => {
  const made = hardware();
  assert.equal(made.card.playback!.occupy(), true);
  assert.equal(made.card.playback!.occupy(), false);
  const error = await made.machine.refused();
  assert.equal(error.errno, ERRNO.EBUSY);
  assert.match(error.message, /Device or resource busy \(EBUSY\)/);
  made.card.playback!.vacate();
  const sound = await made.machine.open("hw:0");
  assert.equal(made.card.playback!.occupy(), false, "two programs have it");
  await made.machine.close(sound);
  assert.equal(made.card.playback!.occupy(), true);
});

Deno.test("hardware has one substream a direction; plughw has the same one; dmix has many", async () => {
  const made = hardware();
  made.machine.host.addPlug("plughw:0", made.card);
  made.machine.host.add({ name: "dmix:0", type: "DMIX", playback: ORDINARY, seed: 1 });
  const first = await made.machine.open("hw:0");
  assert.equal((await made.machine.refused()).errno, ERRNO.EBUSY);
  assert.equal((await made.machine.refused("plughw:0")).errno, ERRNO.EBUSY);
  await made.machine.open("hw:0", "capture");
  await made.machine.close(first);
  await made.machine.open("plughw:0");
  assert.equal((await made.machine.refused()).errno, ERRNO.EBUSY);
  await made.machine.open("dmix:0");
  await made.machine.open("dmix:0");
  assert.deepEqual(made.machine.recorder.violations, []);
});

Deno.test("a process without free descriptors cannot open hardware, nor set it up", async () => {
  const made = hardware();
  made.machine.process.descriptors = 3;
  assert.match((await made.machine.refused()).message, /Too many open files \(EMFILE\)/);
  made.machine.process.descriptors = 4;
  const error = await made.machine.refused();
  assert.match(error.message, /cannot set up .* snd_pcm_sw_params hw:0: Too many open files/);
  assert.equal(made.machine.process.files.size, 0);
  const plugin = { machine: new SoundMachine() };
  plugin.machine.host.add({ name: "pulse", type: "IOPLUG", playback: PULSE, seed: 1 });
  plugin.machine.process.descriptors = 4;
  assert.match((await plugin.machine.refused("pulse")).message, /Input\/output error \(EIO\)/);
  assert.equal(plugin.machine.process.files.size, 0);
});

Deno.test("a step of the set-up that fails closes the device again", async () => {
  for (const call of ["refine", "hw_params", "sw_params", "prepare"] as const) {
    const made = hardware();
    made.card.playback!.faults.fail(call, ERRNO.ENOMEM);
    const error = await made.machine.refused();
    assert.match(
      error.message,
      new RegExp(`cannot set up .*snd_pcm_${call === "refine" ? "hw_params_any" : call}.*ENOMEM`),
    );
    assert.equal(error.errno, ERRNO.ENOMEM);
    assert.equal(made.machine.process.files.size, 0);
  }
});

Deno.test("parameters that the device does not have are refused with EINVAL", async () => {
  const made = hardware();
  const odd = { ...REQUEST, rate: 7000 };
  const error = await made.machine.open("hw:0", "playback", odd).then(() => undefined, (error) => error);
  assert.equal(error?.errno, ERRNO.EINVAL);
  assert.equal(made.machine.host.open.length, 0);
});

Deno.test("an open takes its time, in which the caller goes on; what is slow is slower", async () => {
  const made = hardware();
  made.card.playback!.openMicros = [3000, 3000];
  made.card.playback!.faults.slow("open", 2_000_000);
  const before = made.machine.clock.now;
  let ticks = 0;
  await made.machine.run(async () => {
    const ticking = setInterval(() => ticks++, 100);
    await new AlsaDevice("hw:0", "playback").probe();
    clearInterval(ticking);
  });
  const took = made.machine.clock.now - before;
  assert(took >= 2_003_000 && took < 2_010_000, `${took} µs`);
  assert.equal(ticks, 20);
});

Deno.test("a device that is unplugged while it is being opened is not there", async () => {
  const made = hardware();
  made.card.playback!.openMicros = [50_000, 50_000];
  made.machine.clock.after(20_000, () => made.card.unplug());
  assert.match((await made.machine.refused()).message, /No such device \(ENODEV\)/);
});

Deno.test("a process that dies in the middle of an open leaves nothing behind, and hears nothing of it", async () => {
  const made = hardware();
  const { machine } = made;
  made.card.playback!.openMicros = [50_000, 50_000];
  let outcome = "none";
  machine.process.main.post(0, () => {
    new AlsaDevice("hw:0", "playback").probe().then(() => outcome = "opened", () => outcome = "failed");
  });
  await machine.pass(20_000);
  assert.equal(machine.host.open.length, 1, "the substream is taken from the start");
  machine.process.kill();
  assert.equal(machine.host.open.length, 0);
  await machine.pass(1_000_000);
  assert.equal(outcome, "none");
  const next = machine.start("daemon");
  await machine.run(() => new AlsaDevice("hw:0", "playback").probe(), next);
});

Deno.test("a process that dies while it plays falls silent at once", async () => {
  const made = hardware();
  const { machine } = made;
  await made.machine.started();
  await machine.pass(20_000);
  const { now } = machine.clock;
  machine.process.kill();
  await machine.pass(100_000);
  assert.deepEqual(machine.recorder.runs, [[0, 0, 960]]);
  assert.deepEqual(machine.recorder.stops, [{ cause: "close", position: 960, time: now }]);
  assert.deepEqual([machine.host.open.length, machine.process.files.size], [0, 0]);
});

Deno.test("a card that is unplugged wakes its engine with an error, and all calls say ENODEV", async () => {
  const made = hardware();
  const { machine } = made;
  const sound = await made.machine.started();
  await machine.run(async () => {
    const poll = new PollSet(1);
    poll.add(sound.pcm.pollFd, POLL.IN);
    machine.clock.after(2_000, () => made.card.unplug());
    assert.equal(await poll.waitAsync(1000), 1);
    assert.equal(poll.revents(0) & POLL.ERR, POLL.ERR);
    const { pcm } = sound;
    const results = [pcm.position(), pcm.write(1), pcm.start(), pcm.drop(), pcm.prepare(), pcm.pause(true)];
    assert.deepEqual(results, Array(6).fill(-ERRNO.ENODEV));
    assert.equal(sound.handle.state, STATE.DISCONNECTED);
    assert.throws(
      () =>
        refinerOf({ kind: "alsa", pcm: (sound.open.descriptor as { pcm: string }).pcm }).refine(
          new HwParam(),
        ),
      {
        name: "PcmError",
        errno: ERRNO.ENODEV,
      },
    );
  });
  assert.match((await made.machine.refused()).message, /\(ENOENT\)/);
  assert.equal(made.card.playback!.occupy(), false, "nobody can open a card that is gone");
  made.card.plugIn();
  assert.equal(
    made.card.playback!.occupy(),
    true,
    "the old handle uses no substream of the card that came back",
  );
  made.card.playback!.vacate();
  const again = await made.machine.started();
  assert.equal(machine.host.open.length, 2, "the old handle is still open");
  await made.machine.close(sound);
  await made.machine.close(again);
  assert.deepEqual([machine.host.open.length, machine.process.files.size], [0, 0]);
  assert.deepEqual(machine.recorder.violations, []);
});

Deno.test("an xrun and a suspend have their errors, until prepare()", async () => {
  for (const [fault, errno] of [["xrun", ERRNO.EPIPE], ["suspend", ERRNO.ESTRPIPE]] as const) {
    const made = hardware();
    const sound = await made.machine.started();
    await made.machine.pass(10_000);
    made.card.playback![fault]();
    await made.machine.pass(10_000);
    await made.machine.run(() => {
      assert.deepEqual([sound.pcm.position(), sound.pcm.write(1)], [-errno, -errno]);
      assert.equal(sound.pcm.prepare(), 0);
      assert.deepEqual([sound.pcm.position(), sound.pcm.write(480), sound.pcm.start()], [0, 480, 0]);
    });
    assert.deepEqual(made.machine.recorder.runs, [[0, 0, 480]]);
    assert.deepEqual(made.machine.recorder.stops.map(({ cause, position }) => [cause, position]), [[
      fault,
      480,
    ]]);
  }
});

Deno.test("each call can fail by itself", async () => {
  const calls: readonly (readonly [SoundCall, (sound: OpenSound) => number])[] = [
    ["avail", ({ pcm }) => pcm.position()],
    ["writei", ({ pcm }) => pcm.write(1)],
    ["start", ({ pcm }) => pcm.start()],
    ["drop", ({ pcm }) => pcm.drop()],
    ["prepare", ({ pcm }) => pcm.prepare()],
    ["pause", ({ pcm }) => pcm.pause(true)],
  ];
  for (const [call, run] of calls) {
    const made = hardware();
    const sound = await made.machine.open("hw:0");
    made.card.playback!.faults.fail(call, ERRNO.EIO, 2);
    const results = await made.machine.run(() => [run(sound), run(sound)]);
    assert.deepEqual(results, [-ERRNO.EIO, -ERRNO.EIO], call);
    assert.notEqual(await made.machine.run(() => run(sound)), -ERRNO.EIO, call);
  }
  const made = hardware();
  const sound = await made.machine.open("hw:0", "capture");
  made.card.capture!.faults.fail("readi", ERRNO.EIO);
  assert.equal(await made.machine.run(() => sound.pcm.read(1)), -ERRNO.EIO);
});

Deno.test("EAGAIN is no error", async () => {
  const made = hardware();
  const sound = await made.machine.open("hw:0");
  made.card.playback!.faults.fail("writei", ERRNO.EAGAIN);
  assert.deepEqual(await made.machine.run(() => [sound.pcm.write(10), sound.pcm.write(10)]), [0, 10]);
});

Deno.test("a slow call costs the thread that makes it its time", async () => {
  const made = hardware();
  const sound = await made.machine.started();
  made.card.playback!.faults.slow("avail", 30_000);
  await made.machine.run(() => {
    const before = performance.now();
    assert.equal(sound.pcm.pointer(), 0);
    const position = sound.pcm.position();
    assert.equal(performance.now() - before, 30);
    assert(position >= 1440, `${position}`);
  });
  assert.deepEqual(made.machine.recorder.violations, []);
});

Deno.test("a call while another thread's call is under way is reported", async () => {
  const made = hardware();
  const { machine } = made;
  const sound = await made.machine.started();
  made.card.playback!.faults.slow("avail", 30_000);
  const engine = machine.process.thread("engine");
  engine.execNow(() => void sound.pcm.position());
  await machine.pass(29_000);
  assert.deepEqual(machine.recorder.violations, []);
  // The machine keeps the main thread from running meanwhile; another engine may.
  machine.process.thread("engine").execNow(() => void sound.pcm.drop());
  assert.deepEqual(machine.recorder.violations, [
    "drop on hw:0 playback #1 while another thread's call on it is under way",
  ]);
});

Deno.test("a call while a thread of the pool is at work is reported", async () => {
  const made = hardware();
  const { machine } = made;
  const sound = await machine.open("hw:0");
  const { pcm } = sound.open.descriptor as { pcm: string };
  const engine = machine.process.thread("engine");
  machine.clock.after(50, () => engine.execNow(() => void sound.pcm.pointer()));
  await machine.run(() => libasound().snd_pcm_prepare_async(Deno.UnsafePointer.create(BigInt(pcm))));
  assert.deepEqual(machine.recorder.violations, [
    "avail_update on hw:0 playback #1 while another thread's call on it is under way",
  ]);
});

Deno.test("a call on a closed handle is reported, also while the close takes its time", async () => {
  const made = hardware();
  const { machine } = made;
  const sound = await machine.open("hw:0");
  made.card.playback!.faults.slow("close", 1_000_000);
  const engine = machine.process.thread("engine");
  machine.clock.after(1_000, () => engine.execNow(() => void sound.pcm.pointer()));
  await machine.run(() => sound.open.close());
  assert.deepEqual(machine.recorder.violations, ["avail_update on the closed PCM hw:0 playback #1"]);
});

Deno.test("a handle that is closed twice is reported", async () => {
  const made = hardware();
  const { machine } = made;
  const sound = await machine.open("hw:0");
  await machine.run(() => sound.open.close());
  // SndPcm closes once; a second one at the same address is a defect of somebody else's.
  const { pcm } = sound.open.descriptor as { pcm: string };
  await machine.run(async () => {
    assert.equal(
      await libasound().snd_pcm_close_async(Deno.UnsafePointer.create(BigInt(pcm))),
      -ERRNO.EBADFD,
    );
  });
  assert.deepEqual(machine.recorder.violations, ["close on the closed PCM hw:0 playback #1"]);
});

Deno.test("a program that closes libasound's descriptor is reported", async () => {
  const made = hardware();
  const { machine } = made;
  const sound = await machine.open("hw:0");
  await machine.run(() => void libc().close(sound.pcm.pollFd));
  assert.deepEqual(machine.recorder.violations, [
    "hw:0 playback #1: the program has closed a descriptor of libasound's",
  ]);
});

Deno.test("a query has the formats, rates and channels that go together", async () => {
  const machine = new SoundMachine();
  const playback = {
    ...ORDINARY,
    alternatives: [
      { formats: [2], rates: { of: [44100, 48000] }, channels: [1, 2] },
      { formats: [10], rates: { of: [96000] }, channels: [2, 6] },
    ],
  } as const;
  machine.host.add({ name: "hw:0", type: "HW", playback, seed: 1 });
  await machine.run(async () => {
    const refiner = refinerOf(await new AlsaDevice("hw:0", "playback").probe());
    const ask = (codes: number[], rates = [8000, 192000], channels = [1, 8]) => {
      const param = new HwParam();
      param.formatsLow = formatsToMask(codes);
      Object.assign(param.rates, { min: rates[0], max: rates[1] });
      Object.assign(param.channels, { min: channels[0], max: channels[1] });
      refiner.refine(param);
      return [param.formatsLow, param.rates.min, param.rates.max, param.channels.min, param.channels.max];
    };
    assert.deepEqual(ask([CODE.s16, CODE.s32]), [formatsToMask([CODE.s16, CODE.s32]), 44100, 96000, 1, 6]);
    assert.deepEqual(ask([CODE.s16]), [formatsToMask([CODE.s16]), 44100, 48000, 1, 2]);
    assert.deepEqual(ask([CODE.s16, CODE.s32], [8000, 192000], [3, 8]), [
      formatsToMask([CODE.s32]),
      96000,
      96000,
      3,
      6,
    ]);
    assert.throws(() => ask([CODE.s32], [8000, 48000]), { name: "PcmError", errno: ERRNO.EINVAL });
  });
});

Deno.test("warmUp() asks the null PCM, and leaves nothing open", async () => {
  const { machine } = hardware();
  await machine.run(() => new AlsaDevice("hw:0", "playback").warmUp());
  assert.equal(machine.host.open.length, 0);
  assert.match(machine.recorder.lines.join("\n"), /^null playback #1 opened/m);
});
