// SPDX-License-Identifier: MIT
/** The ALSA binding against the real library, with a configuration of its own that needs no sound card. */
import assert from "node:assert/strict";
import {
  AlsaError,
  alsaVersion,
  check,
  formatName,
  formatValue,
  silenceAlsa,
  SND_PCM_ACCESS,
  SND_PCM_FORMAT,
  SND_PCM_NONBLOCK,
  SND_PCM_STATE,
  SND_PCM_STREAM,
  SND_PCM_TSTAMP_TYPE,
} from "../../ffi/alsa/libasound.ts";
import { sndCards, sndHints } from "../../ffi/alsa/libasound_cards.ts";
import { SndPcm, SndPcmIo } from "../../ffi/alsa/libasound_pcm.ts";
import { addressOf } from "../../ffi/libc/libc.ts";
import { ERRNO } from "../../ffi/libc/errno.ts";

const directory = Deno.makeTempDirSync({ prefix: "xsnd-alsa-" });

const [tape, source] = [`${directory}/tape.raw`, `${directory}/source.raw`];
Deno.writeTextFileSync(
  `${directory}/asound.conf`,
  `
  pcm.nowhere { type null hint { show on description "Nowhere" } }
  pcm.listen { type file slave.pcm nowhere file "/dev/null" infile "${source}" hint { show on description "A file" } }
  pcm.tape { type file slave.pcm nowhere file "${tape}" format raw }
  pcm.s16only { type plug slave { pcm nowhere format S16_LE rate 48000 channels 2 } }
  pcm.broken { type hw card 99 }
  `,
);
// alsa-lib reads the variable with getenv(3) at each open; both settings are the whole process's
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
  params.set("channels", 2);
  params.set("rate", 48000);
  params.set("buffer_size", 1024);
  params.set("period_size", 256);
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

Deno.test("formatName() and formatValue() speak ALSA", () => {
  for (const [name, value] of Object.entries(SND_PCM_FORMAT)) {
    if (value < 0) continue;
    assert.equal(formatName(value), name);
    assert.equal(formatValue(name.toLowerCase()), value);
  }
  assert.equal(formatName(1000), "");
  assert.equal(formatValue("s17_le"), SND_PCM_FORMAT.UNKNOWN);
  assert.match(alsaVersion(), /^1\.\d+\.\d+/);
});

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
  assert(params.testAccess(SND_PCM_ACCESS.RW_INTERLEAVED));
  assert(params.formats().includes(SND_PCM_FORMAT.S24_3LE));
  params.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  params.setFormat(SND_PCM_FORMAT.S32_LE);
  assert.deepEqual(params.formats(), [SND_PCM_FORMAT.S32_LE]);
  assert.equal(params.setMin("channels", 2), 2);
  assert.equal(params.setMax("channels", 6), 6);
  assert.deepEqual([params.min("channels"), params.max("channels")], [2, 6]);
  assert(params.test("channels", 6) && !params.test("channels", 7));
  assert.throws(() => params.get("channels"), AlsaError);
  assert.throws(
    () => params.set("channels", 1),
    isAlsaError(ERRNO.EINVAL, /^snd_pcm_hw_params_set_channels 1: /),
  );

  using trial = params.copy();
  assert.equal(trial.setNear("channels", 9), 6);
  assert.deepEqual([params.min("channels"), params.max("channels")], [2, 6]);

  params.set("channels", 2);
  assert.equal(params.setNear("rate", 44100), 44100);
  assert.equal(params.setNear("buffer_size", 4096), 4096);
  assert.equal(params.setNear("period_size", 1024), 1024);
  params.refine();
  assert.equal(params.get("periods"), 4);
  assert.deepEqual([params.min("period_time"), params.max("period_time")], [23219, 23220]); // 1024 / 44100 s
});

Deno.test("HwParams.min() and max() leave out the ends of an open interval", async () => {
  await using pcm = await SndPcm.open("nowhere", SND_PCM_STREAM.PLAYBACK, SND_PCM_NONBLOCK);
  using params = pcm.hwParams();
  params.set("rate", 44100);
  params.setMin("period_time", 10001); // 441.04 frames
  params.setMax("period_time", 20001); // 882.04 frames
  assert.deepEqual([params.min("period_size"), params.max("period_size")], [442, 882]);
});

Deno.test("freed parameters and closed PCMs throw instead of crashing", async () => {
  const pcm = await openStereo("nowhere");
  const hw = pcm.hwParams();
  const sw = pcm.swParams();
  hw[Symbol.dispose]();
  hw[Symbol.dispose]();
  sw[Symbol.dispose]();
  assert.throws(() => hw.formats(), TypeError);
  assert.throws(() => sw.boundary, TypeError);
  await pcm[Symbol.asyncDispose]();
  await pcm[Symbol.asyncDispose]();
  assert.throws(() => pcm.state, /the ALSA PCM nowhere is closed/);
  assert.throws(() => pcm.address, TypeError);
});

Deno.test("SwParams sets what starts and wakes", async () => {
  await using pcm = await openStereo("nowhere");
  using params = pcm.swParams();
  assert(params.boundary >= 1024n);
  params.set("start_threshold", params.boundary);
  params.set("stop_threshold", 1024);
  params.set("avail_min", 256);
  params.setPeriodEvent(true);
  params.setTimestamps(SND_PCM_TSTAMP_TYPE.MONOTONIC);
  pcm.setSwParams(params);
  using io = new SndPcmIo(pcm.address);
  assert.equal(io.writei(addressOf(new Int16Array(2048)), 1024), 1024);
  assert.equal(io.state(), SND_PCM_STATE.PREPARED, "the threshold keeps it from starting");
});

Deno.test("SndPcmIo moves through the states of a PCM", async () => {
  await using pcm = await openStereo("nowhere");
  using io = new SndPcmIo(pcm.address);
  assert.equal(io.state(), SND_PCM_STATE.PREPARED);
  assert.equal(io.avail(), 1024);
  assert.equal(io.availUpdate(), 1024);
  assert.equal(io.start(), 0);
  assert.equal(io.state(), SND_PCM_STATE.RUNNING);
  assert.equal(io.pause(true), 0);
  assert.equal(io.state(), SND_PCM_STATE.PAUSED);
  assert.equal(io.pause(false), 0);
  assert.equal(io.availDelay(), 0);
  assert.deepEqual([io.lastAvail, io.lastDelay], [1024, 0]);
  assert.equal(io.status(), 0);
  assert.equal(io.statusState(), SND_PCM_STATE.RUNNING);
  assert.equal(io.statusAvail(), 1024);
  assert.equal(io.statusDelay(), 0);
  assert(io.statusTimeMicros() > 0);
  assert.equal(io.drop(), 0);
  assert.equal(io.state(), SND_PCM_STATE.SETUP);
  assert.equal(io.writei(addressOf(new Int16Array(2)), 1), -ERRNO.EBADFD);
  assert.equal(io.prepare(), 0);
  assert.equal(pcm.state, SND_PCM_STATE.PREPARED);
});

Deno.test("SndPcmIo.writei() hands the samples over as they are", async () => {
  const samples = Int16Array.from({ length: 2 * 700 }, (_, i) => i * 7 - 5000);
  {
    await using pcm = await openStereo("tape");
    using io = new SndPcmIo(pcm.address);
    assert.equal(pcm.type, "FILE");
    assert.equal(io.writei(addressOf(samples), 300), 300);
    assert.equal(io.writei(addressOf(samples.subarray(600)), 400), 400);
    await pcm.drain();
  }
  const written = Deno.readFileSync(tape);
  assert.deepEqual(new Int16Array(written.buffer), samples);
});

Deno.test("SndPcmIo.readi() gives the samples as they are", async () => {
  const recorded = Int16Array.from({ length: 2 * 500 }, (_, i) => 3000 - i * 11);
  Deno.writeFileSync(source, new Uint8Array(recorded.buffer));
  await using pcm = await openStereo("listen", SND_PCM_STREAM.CAPTURE);
  using io = new SndPcmIo(pcm.address);
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
  assert(fds[0].fd > 2 && fds[0].events !== 0);
});

Deno.test("SndPcm.info() describes a plugin", async () => {
  await using pcm = await openStereo("s16only");
  assert.equal(pcm.type, "PLUG");
  assert.equal(pcm.info().card, -1);
});

Deno.test("a PCM leaves no descriptor behind", async () => {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  await (await openStereo("nowhere"))[Symbol.asyncDispose]();
  const before = count();
  for (let i = 0; i < 5; i++) {
    await using pcm = await openStereo("nowhere");
    using _io = new SndPcmIo(pcm.address);
  }
  assert.equal(count(), before);
});

Deno.test("sndHints() lists what the configuration advertises", () => {
  const hints = sndHints();
  assert.deepEqual(hints.map(({ name }) => name).sort(), ["listen", "nowhere"]);
  assert.equal(hints.find(({ name }) => name === "nowhere")!.description, "Nowhere");
});

Deno.test("sndCards() lists the kernel's cards", () => {
  let kernel: string[] = [];
  try {
    const lines = Deno.readTextFileSync("/proc/asound/cards").split("\n");
    kernel = lines.map((line) => /^ *(\d+) \[/.exec(line)?.[1]).filter((index) => index !== undefined);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // no sound in this kernel
  }
  assert.deepEqual(sndCards().map(({ index }) => `${index}`), kernel);
});

Deno.test("silenceAlsa() keeps alsa-lib off stderr, on pool threads too", async () => {
  const stderrOf = async (silent: boolean) => {
    const source = `
      import { silenceAlsa } from "./ffi/alsa/libasound.ts";
      import { SndPcm } from "./ffi/alsa/libasound_pcm.ts";
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
