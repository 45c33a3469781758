// SPDX-License-Identifier: MIT
/** Tests the ALSA binding against the real library, with an ALSA configuration that needs no sound hardware. */
import assert from "node:assert/strict";
import { AlsaError, check, silenceAlsa } from "../../ffi/alsa/alsa_error.ts";
import {
  SND_PCM_ACCESS,
  SND_PCM_NONBLOCK,
  SND_PCM_STATE,
  SND_PCM_STREAM,
  SND_PCM_TSTAMP_TYPE,
} from "../../ffi/alsa/libasound.ts";
import { HwRanges } from "../../ffi/alsa/snd_pcm_hw_ranges.ts";
import { sndCards, sndHints } from "../../ffi/alsa/snd_cards.ts";
import { SndPcm } from "../../ffi/alsa/snd_pcm.ts";
import { SndPcmIo } from "../../ffi/alsa/snd_pcm_io.ts";
import { addressOf } from "../../ffi/libc/pointers.ts";
import { ERRNO } from "../../ffi/libc/errno.ts";

/** alsa/pcm.h: the formats and states that only this test needs. */
const SND_PCM_FORMAT = { S16_LE: 2, S32_LE: 10, FLOAT_LE: 14 };
const STATE = { PREPARED: 2, RUNNING: 3, PAUSED: 6 };

/** Plays the queued frames to the end. */
function drain(pcm: SndPcm): void {
  const library = Deno.dlopen("libasound.so.2", {
    snd_pcm_drain: { parameters: ["pointer"], result: "i32" },
  });
  check(library.symbols.snd_pcm_drain(pcm.pointer), "snd_pcm_drain");
  library.close();
}

const directory = Deno.makeTempDirSync({ prefix: "xsnd-alsa-" });

const [tape, source] = [`${directory}/tape.raw`, `${directory}/source.raw`];
Deno.writeTextFileSync(
  `${directory}/asound.conf`,
  `
  pcm.nowhere { type null hint { show on description "Nowhere" } }
  pcm.listen { type file slave.pcm nowhere file "/dev/null" infile "${source}" hint { show on description "A file" } }
  pcm.tape { type file slave.pcm nowhere file "${tape}" format raw }
  pcm.s16only { type plug slave { pcm nowhere format S16_LE rate 48000 channels 2 } }
  pcm.integers { type linear slave { pcm nowhere format S16_LE } }
  pcm.broken { type hw card 99 }
  `,
);
// alsa-lib reads the variable with getenv(3) at each open. Both settings apply to the whole process.
const inherited = Deno.env.get("ALSA_CONFIG_PATH");
Deno.test.beforeAll(() => {
  Deno.env.set("ALSA_CONFIG_PATH", `${directory}/asound.conf`);
  silenceAlsa();
});
Deno.test.afterAll(() => {
  if (inherited === undefined) Deno.env.delete("ALSA_CONFIG_PATH");
  else Deno.env.set("ALSA_CONFIG_PATH", inherited);
  silenceAlsa(false);
  Deno.removeSync(directory, { recursive: true });
});

/** Opens `name` as a non-blocking stereo S16 PCM of 48 kHz with 4 periods of 256 frames. */
async function openStereo(name: string, stream: number = SND_PCM_STREAM.PLAYBACK): Promise<SndPcm> {
  const pcm = await SndPcm.open(name, stream, SND_PCM_NONBLOCK);
  using params = pcm.hwParams();
  params.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  params.setFormat(SND_PCM_FORMAT.S16_LE);
  params.setChannels(2);
  params.setRate(48000);
  assert.equal(params.setBufferSizeNear(1024), 1024);
  assert.equal(params.setPeriodSizeNear(256), 256);
  await pcm.setHwParams(params);
  return pcm;
}

function isAlsaError(errno: number, message: RegExp) {
  return (error: unknown) => {
    assert(error instanceof AlsaError);
    assert.equal(error.code, -errno);
    assert.match(error.message, message);
    return true;
  };
}

Deno.test("check() throws ALSA's own text", () => {
  assert.equal(check(5, "snd_pcm_avail"), 5);
  assert.throws(
    () => check(-ERRNO.EPIPE, "snd_pcm_writei"),
    isAlsaError(32, /^snd_pcm_writei: Broken pipe \(EPIPE\)$/),
  );
});

Deno.test("SndPcm.open() rejects a PCM that there is not", async () => {
  const failure = isAlsaError(ERRNO.ENOENT, /^snd_pcm_open missing: No such file or directory \(ENOENT\)$/);
  await assert.rejects(SndPcm.open("missing", SND_PCM_STREAM.PLAYBACK, SND_PCM_NONBLOCK), failure);
  await assert.rejects(SndPcm.open("broken", SND_PCM_STREAM.PLAYBACK, SND_PCM_NONBLOCK), AlsaError);
});

Deno.test("HwParams narrows as it is set", async () => {
  await using pcm = await SndPcm.open("nowhere", SND_PCM_STREAM.PLAYBACK, SND_PCM_NONBLOCK);
  using params = pcm.hwParams();
  params.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  params.setFormat(SND_PCM_FORMAT.S32_LE);
  assert.throws(
    () => params.setFormat(SND_PCM_FORMAT.S16_LE),
    isAlsaError(ERRNO.EINVAL, /^snd_pcm_hw_params_set_format 2: Invalid argument \(EINVAL\)$/),
  );
  params.setChannels(2);
  assert.throws(
    () => params.setChannels(1),
    isAlsaError(ERRNO.EINVAL, /^snd_pcm_hw_params_set_channels 1: /),
  );
  params.setRate(44100);
  assert.throws(
    () => params.setRate(48000),
    isAlsaError(ERRNO.EINVAL, /^snd_pcm_hw_params_set_rate 48000: /),
  );
  assert.equal(params.setBufferSizeNear(4096), 4096);
  assert.equal(params.setPeriodSizeNear(1024), 1024);
  assert.equal(params.setPeriodSizeNear(512), 1024, "one size is left");
  assert.equal(params.canPause, true);
});

Deno.test("HwRanges tells what goes together, of one PCM after another", async () => {
  await using any = await SndPcm.open("nowhere", SND_PCM_STREAM.PLAYBACK, SND_PCM_NONBLOCK);
  await using integers = await SndPcm.open("integers", SND_PCM_STREAM.PLAYBACK, SND_PCM_NONBLOCK);
  using ranges = new HwRanges();
  assert.throws(() => ranges.testFormat(SND_PCM_FORMAT.S16_LE), TypeError);
  ranges.begin(any.pointer);
  ranges.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  assert.equal(ranges.testFormat(SND_PCM_FORMAT.S32_LE), true);
  ranges.limitRate(8000, 44100);
  ranges.limitChannels(2, 6);
  assert.deepEqual([ranges.rateMin, ranges.rateMax], [8000, 44100]);
  assert.deepEqual([ranges.channelsMin, ranges.channelsMax], [2, 6]);
  ranges.setFormat(SND_PCM_FORMAT.S16_LE);
  assert.equal(ranges.testFormat(SND_PCM_FORMAT.S32_LE), false);
  assert.throws(() => ranges.limitRate(48000, 96000), isAlsaError(ERRNO.EINVAL, /_set_rate_min: /));

  ranges.begin(any.pointer);
  assert.equal(ranges.testFormat(SND_PCM_FORMAT.FLOAT_LE), true);
  ranges.begin(integers.pointer);
  assert.equal(ranges.testFormat(SND_PCM_FORMAT.FLOAT_LE), false);
  assert.equal(ranges.testFormat(SND_PCM_FORMAT.S32_LE), true);
  assert(
    ranges.rateMax > 44100 && ranges.channelsMax > 6,
    "nothing is left of what was asked of the other PCM",
  );
});

Deno.test("freed parameters and closed PCMs throw instead of crashing", async () => {
  const pcm = await openStereo("nowhere");
  const hw = pcm.hwParams();
  const sw = pcm.swParams();
  hw[Symbol.dispose]();
  hw[Symbol.dispose]();
  sw[Symbol.dispose]();
  assert.throws(() => hw.canPause, TypeError);
  assert.throws(() => sw.boundary, TypeError);
  await pcm[Symbol.asyncDispose]();
  await pcm[Symbol.asyncDispose]();
  assert.throws(() => pcm.type, /the ALSA PCM nowhere is closed/);
  assert.throws(() => pcm.address, TypeError);
});

Deno.test("SwParams sets what starts and wakes", async () => {
  await using pcm = await openStereo("nowhere");
  using params = pcm.swParams();
  assert(params.boundary >= 1024n);
  params.setStartThreshold(params.boundary);
  params.setStopThreshold(1024n);
  params.setSilenceSize(0n);
  params.setPeriodEvent(true);
  params.setTimestamps(SND_PCM_TSTAMP_TYPE.MONOTONIC);
  pcm.setSwParams(params);
  const io = new SndPcmIo(pcm.address);
  assert.equal(io.writei(addressOf(new Int16Array(2048)), 1024), 1024);
  assert.equal(io.state(), STATE.PREPARED, "the threshold keeps it from starting");
});

Deno.test("SndPcmIo moves through the states of a PCM", async () => {
  await using pcm = await openStereo("nowhere");
  const io = new SndPcmIo(pcm.address);
  assert.equal(io.state(), STATE.PREPARED);
  assert.equal(io.avail(), 1024);
  assert.equal(io.availUpdate(), 1024);
  assert.equal(io.start(), 0);
  assert.equal(io.state(), STATE.RUNNING);
  assert.equal(io.pause(true), 0);
  assert.equal(io.state(), STATE.PAUSED);
  assert.equal(io.pause(false), 0);
  assert.equal(io.drop(), 0);
  assert.equal(io.state(), SND_PCM_STATE.SETUP);
  assert.equal(io.writei(addressOf(new Int16Array(2)), 1), -ERRNO.EBADFD);
  assert.equal(io.prepare(), 0);
  assert.equal(io.state(), STATE.PREPARED);
});

Deno.test("SndPcmIo.writei() hands the samples over as they are", async () => {
  const samples = Int16Array.from({ length: 2 * 700 }, (_, i) => i * 7 - 5000);
  {
    await using pcm = await openStereo("tape");
    const io = new SndPcmIo(pcm.address);
    assert.equal(pcm.type, "FILE");
    assert.equal(io.writei(addressOf(samples), 300), 300);
    assert.equal(io.writei(addressOf(samples.subarray(600)), 400), 400);
    drain(pcm);
  }
  const written = Deno.readFileSync(tape);
  assert.deepEqual(new Int16Array(written.buffer), samples);
});

Deno.test("SndPcmIo.readi() gives the samples as they are", async () => {
  const recorded = Int16Array.from({ length: 2 * 500 }, (_, i) => 3000 - i * 11);
  Deno.writeFileSync(source, new Uint8Array(recorded.buffer));
  await using pcm = await openStereo("listen", SND_PCM_STREAM.CAPTURE);
  const io = new SndPcmIo(pcm.address);
  assert.equal(io.start(), 0);
  const samples = new Int16Array(2 * 200);
  const frames = io.readi(addressOf(samples), 200);
  assert(frames > 0 && frames <= 200, `${frames}`);
  assert.deepEqual(samples.subarray(0, frames * 2), recorded.subarray(0, frames * 2));
});

Deno.test("SndPcm.pollFds() gives descriptors", async () => {
  await using pcm = await openStereo("nowhere");
  const fds = pcm.pollFds();
  assert.equal(fds.length, 1);
  assert(fds[0]!.fd > 2 && fds[0]!.events !== 0);
});

Deno.test("SndPcm.dump() names the slaves", async () => {
  await using pcm = await openStereo("s16only");
  assert.equal(pcm.type, "PLUG");
  assert.match(pcm.dump(), /^Plug PCM: Null PCM\n/);
});

Deno.test("a PCM leaves no descriptor behind", async () => {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  await (await openStereo("nowhere"))[Symbol.asyncDispose]();
  const before = count();
  for (let i = 0; i < 5; i++) {
    await using pcm = await openStereo("nowhere");
    const _io = new SndPcmIo(pcm.address);
  }
  assert.equal(count(), before);
});

Deno.test("sndHints() lists what the configuration advertises", () => {
  const hints = sndHints();
  assert.deepEqual(hints.map(({ name }) => name).sort(), ["listen", "nowhere"]);
  assert.deepEqual(hints.map(({ stream }) => stream), [undefined, undefined]);
});

Deno.test("sndCards() lists the kernel's cards", () => {
  let kernel: string[] = [];
  try {
    const lines = Deno.readTextFileSync("/proc/asound/cards").split("\n");
    kernel = lines.map((line) => /^ *(\d+) \[/.exec(line)?.[1]).filter((index) => index !== undefined);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // this kernel has no sound support
  }
  assert.deepEqual(sndCards().map(({ index }) => `${index}`), kernel);
});

Deno.test("silenceAlsa() keeps alsa-lib off stderr, on pool threads too", async () => {
  const stderrOf = async (silent: boolean) => {
    const source = `
      import { silenceAlsa } from "./ffi/alsa/alsa_error.ts";
      import { SndPcm } from "./ffi/alsa/snd_pcm.ts";
      silenceAlsa();
      silenceAlsa(${silent});
      for (let i = 0; i < 3; i++) await SndPcm.open("missing", 0, 0).catch(() => {});
    `;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-check", source],
      cwd: new URL("../../", import.meta.url),
    }).output();
    assert.equal(code, 0);
    return new TextDecoder().decode(stderr);
  };
  assert.match(await stderrOf(false), /Unknown PCM missing/);
  assert.equal(await stderrOf(true), "");
});
