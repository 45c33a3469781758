/** A real card, AC97: periods, pace, positions, what it offers, and an operator's hand on it. */
import assert from "node:assert/strict";
import type { Guest } from "../lab/guest.ts";
import type { Bench } from "../lab/testing.ts";
import {
  aplay,
  background,
  CD,
  countUnderruns,
  type Daemon,
  frameOctets,
  give,
  noise,
  recordLoopback,
  shapeOptions,
} from "../rig.ts";

const AC97 = {
  "sample-formats": ["s16_le"],
  "sample-rates": [44100, 48000],
  "buffer-size": 65536,
  pcms: [[{ type: "playback", device: "hw:0,0" }]],
} as const;

export function cardCases(bench: Bench, daemon: () => Daemon): void {
  bench.test("aplay plays to AC97 with no period or buffer option", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    assert.equal(countUnderruns(await aplay(guest, noise(CD, 3), CD)), 0);
    // Two files on one open PCM: it is asked for its parameters while the card, which has one substream, is open.
    await guest.put("/tmp/one", noise(CD, 1));
    const { code, stderr } = await guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} /tmp/one /tmp/one`);
    assert.equal(code, 0, stderr);
  });

  bench.test("periods of 1024, 512 and 256 frames play clean and at the card's pace", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    await guest.put("/tmp/five", noise(CD, 5));
    const rows = [];
    for (const period of [1024, 512, 256, 128, 64]) {
      let row = await measure(guest, daemon(), period);
      // The emulator shares its processors: one clean try in three shows that it can be done.
      for (let tries = 1; period >= 256 && row.underruns > 0 && tries < 3; tries++) {
        row = await measure(guest, daemon(), period);
      }
      rows.push(row);
    }
    // For the README's table: AC97, 4 periods a buffer, 5 s each.
    Deno.writeTextFileSync(`${lab.directory}/periods.json`, JSON.stringify(rows, undefined, 2) + "\n");
    // Shorter ones are attempted and reported.
    for (const row of rows) assert(row.period < 256 || isClean(row), JSON.stringify(row));
  });

  bench.test("the guest's pointer follows the card's, and wakes it once a period", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    await guest.put("/tmp/five", noise(CD, 5));
    const period = 4096;
    const playing = background(guest.run(
      "mount -t tracefs t /sys/kernel/tracing 2>/dev/null; cd /sys/kernel/tracing; " +
        "echo 'p:elapsed snd_pcm_period_elapsed' >kprobe_events; echo 1 >events/kprobes/elapsed/enable; " +
        `aplay -q -D hw:0,0 ${shapeOptions(CD)} --period-size=${period} --buffer-size=${
          period * 4
        } /tmp/five; ` +
        "cat kprobe_profile; echo 0 >events/kprobes/elapsed/enable; echo >kprobe_events",
      { timeout: 60 },
    ));
    // The pointer between two looks at the clock, without a program, which would take longer than what is measured.
    const look = (at: string) => `{ read -r _; read -r _; read -r _ _ ${at} _; } </proc/timer_list; `;
    const sampler = (status: string) =>
      `until grep -q RUNNING ${status}; do sleep 0.05; done; ` +
      `while grep -q RUNNING ${status}; do ${look("before")}` +
      `while read -r key _ value; do case $key in hw_ptr) frames=$value;; esac; done <${status}; ` +
      `${look("after")} echo "$before $frames $after"; done; true`;
    const status = "/proc/asound/card0/pcm0p/sub0/status";
    const [guestSamples, cardSamples] = await Promise.all([
      guest.run(sampler(status), { timeout: 60 }),
      lab.dom0.run(sampler(status), { timeout: 60 }),
    ]);
    const wakeUps = Number((await playing).split(/\s+/).filter((word) => /^\d+$/.test(word))[0]);
    const periods = Math.floor(5 * 48000 / period);
    assert(wakeUps >= periods && wakeUps <= periods + 2, `${wakeUps} wake-ups for ${periods} periods`);
    const [seen, real] = [parseSamples(guestSamples), parseSamples(cardSamples)];
    assert(seen.length > 10 && real.length > 10, "there was nothing to compare");
    for (const samples of [seen, real]) {
      samples.forEach(({ frames }, i) =>
        assert(i === 0 || frames >= samples[i - 1].frames, "a pointer went back")
      );
    }
    const error = largestDifference(seen, real);
    assert(error <= period / 4, `the pointers are ${error} frames apart`);
  });

  bench.test("--dump-hw-params shows what card and provisioning allow, and all of it can be opened", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, {
      ...AC97,
      "sample-formats": ["s16_le", "s32_le"],
      "sample-rates": [44100, 48000, 96000],
      "channels-max": 8,
    });
    const { stderr: dump } = await guest.attempt("aplay -D hw:0,0 --dump-hw-params /dev/zero -d 1 -t raw", {
      timeout: 30,
    });
    // AC97 does S16_LE, up to 48 kHz; the provisioned card has no less than 44.1 kHz and no more than what AC97 has of channels.
    assert.match(dump, /^FORMAT: +S16_LE$/m, dump);
    assert.match(dump, /^RATE: +\[44100 48000\]$/m, dump);
    const channels = /^CHANNELS: +(?:(\d+)|\[(\d+) (\d+)\])$/m.exec(dump);
    assert(channels !== null, dump);
    const [least, most] = channels[1] ? [channels[1], channels[1]] : [channels[2], channels[3]];
    for (let n = Number(least); n <= Number(most); n++) {
      for (const rate of [44100, 48000]) {
        await aplay(guest, noise({ ...CD, rate, channels: n }, 0.1), { ...CD, rate, channels: n });
      }
    }
    const refused = await guest.attempt("aplay -q -D hw:0,0 -t raw -f S32_LE -r 48000 -c 2 -d 1 /dev/zero");
    assert.notEqual(refused.code, 0);
  });

  bench.test("an operator's pause stops the card and the guest's pointer; nothing is lost", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    await guest.put("/tmp/long", noise(CD, 20));
    const status = "/proc/asound/card0/pcm0p/sub0/status";
    const playing = background(guest.attempt(
      `aplay -q -N -D hw:0,0 ${shapeOptions(CD)} /tmp/long & p=$!; ` +
        `while kill -0 $p 2>/dev/null; do grep -h ^hw_ptr ${status}; sleep 0.3; done; wait $p`,
      { timeout: 90 },
    ));
    // -N: who waits in write(2) is soon told EIO by the guest's kernel.
    const card = await lab.dom0.run(
      `xsnd trigger pause ${guest.name} --timeout 30; cat ${status}; sleep 1.5; grep hw_ptr ${status}; ` +
        `xsnd trigger resume ${guest.name}`,
      { timeout: 90 },
    );
    assert.match(card, /PAUSED/);
    assert.equal(new Set(card.match(/hw_ptr.*/g)).size, 1, card);
    const { code, stdout, stderr } = await playing;
    assert.equal(code, 0, stderr);
    assert.equal(countUnderruns(stderr), 0, stderr);
    // Some five looks, in 1.5 s: the guest's pointer stood too.
    const pointers: string[] = stdout.match(/hw_ptr.*/g) ?? [];
    const stood = pointers.filter((pointer, i) => pointer === pointers[i - 1]).length;
    assert(stood >= 3, pointers.join("\n"));
  });

  bench.test("pause, resume, stop and start lose not a sample on the loopback", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, { pcms: [[{ type: "playback", device: "hw:5,0" }]] });
    const bytes = noise(CD, 30);
    await guest.put("/tmp/long", bytes);
    const heard = await recordLoopback(lab, CD, async () => {
      const playing = background(
        guest.attempt(`aplay -q -N -D hw:0,0 ${shapeOptions(CD)} /tmp/long`, { timeout: 90 }),
      );
      const triggers = ["pause", "resume", "stop", "start"];
      await lab.dom0.run(
        triggers.map((trigger) => `xsnd trigger ${trigger} ${guest.name} --timeout 30`).join(" && "),
        { timeout: 90 },
      );
      const { code, stderr } = await playing;
      assert.equal(code, 0, stderr);
    });
    assertPieces(heard, bytes);
  });
}

type Measured = Awaited<ReturnType<typeof measure>>;

/** No underrun, and the sound's length within 5 %, but for what was still in the buffer. */
function isClean({ period, underruns, seconds }: Measured): boolean {
  return underruns === 0 && Math.abs(seconds - 5) <= 0.25 + period * 4 / 48000;
}

/** Plays /tmp/five with that period; an aplay that fails counts as infinitely many underruns. */
async function measure(guest: Guest, daemon: Daemon, period: number) {
  const cpu = await daemon.cpuSeconds();
  const { code, stdout, stderr } = await guest.attempt(timedPlay(period), { timeout: 60 });
  return {
    period,
    underruns: code === 0 ? countUnderruns(stderr) : Infinity,
    seconds: Number(stdout),
    cpuPerSecond: Math.round((await daemon.cpuSeconds() - cpu) / 5 * 100) / 100,
    residentMegabytes: Math.round(await daemon.residentMegabytes()),
  };
}

/** Plays /tmp/five and prints the seconds from the first write to the end of the drain. */
function timedPlay(period: number): string {
  const status = "/proc/asound/card0/pcm0p/sub0/status";
  return `aplay -q -D hw:0,0 ${shapeOptions(CD)} --period-size=${period} --buffer-size=${
    period * 4
  } /tmp/five & p=$!
    until grep -qE 'PREPARED|RUNNING' ${status}; do :; done; read t0 _ </proc/uptime
    wait $p; code=$?; read t1 _ </proc/uptime
    awk "BEGIN { print $t1 - $t0 }"; exit $code`;
}

interface Sample {
  /** Of its domain's monotonic clock, s. */
  readonly time: number;
  readonly frames: number;
}

function parseSamples(text: string): Sample[] {
  const looks = [...text.matchAll(/^(\d+) (\d+) (\d+)$/gm)]
    .map(([, before, frames, after]) => [Number(before) / 1e9, Number(frames), Number(after) / 1e9])
    .filter(([, frames]) => frames > 0);
  // Those in which the shell was not held up between the two looks at the clock.
  const lengths = looks.map(([before, , after]) => after - before).sort((a, b) => a - b);
  const usual = lengths[lengths.length >> 1];
  return looks.filter(([before, , after]) => after - before <= usual)
    .map(([before, frames, after]) => ({ time: (before + after) / 2, frames }));
}

/**
 * How far apart the two pointers are at most. Each domain's clock began when it booted, so the offset between the clocks is
 * taken as the one that brings the pointers closest: what is left is what no constant can explain.
 */
function largestDifference(seen: readonly Sample[], real: readonly Sample[]): number {
  const at = (time: number): number | undefined => {
    const i = real.findIndex((sample) => sample.time >= time);
    if (i <= 0) return undefined;
    const [a, b] = [real[i - 1], real[i]];
    return a.frames + (b.frames - a.frames) * (time - a.time) / (b.time - a.time || 1);
  };
  const worst = (offset: number) => {
    const errors = seen.map(({ time, frames }) => {
      const card = at(time + offset);
      return card === undefined ? undefined : Math.abs(frames - card);
    }).filter((error) => error !== undefined);
    return errors.length < seen.length / 2 ? Infinity : Math.max(...errors);
  };
  const guess = real[0].time - seen[0].time;
  let best = Infinity;
  for (let offset = guess - 1; offset <= guess + 1; offset += 0.002) best = Math.min(best, worst(offset));
  return best;
}

/** That all of `bytes` was heard in order, in pieces with silence between them. */
function assertPieces(heard: Uint8Array, bytes: Uint8Array): void {
  const step = frameOctets(CD);
  const silent = (at: number) => heard.subarray(at, at + step).every((octet) => octet === 0);
  let at = 0;
  for (let done = 0; done < bytes.length; done += step, at += step) {
    while (
      at < heard.length && silent(at) && !bytes.subarray(done, done + step).every((octet) => octet === 0)
    ) at += step;
    const same = bytes.subarray(done, done + step).every((octet, i) => octet === heard[at + i]);
    assert(same, `frame ${done / step} is not what was heard at ${at / step} of ${heard.length / step}`);
  }
}
