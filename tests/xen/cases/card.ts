// SPDX-License-Identifier: MIT
/** A hardware device, AC97: periods, pace, positions, parameters, and an operator's pause. */
import assert from "node:assert/strict";
import type { Guest } from "../lab/guest.ts";
import type { Lab } from "../lab/lab.ts";
import type { Bench } from "../lab/testing.ts";
import {
  AC97,
  aplay,
  background,
  CD,
  countUnderruns,
  type Daemon,
  frameOctets,
  give,
  LOOPBACK,
  noise,
  recordLoopback,
  shapeOptions,
  waitForCard,
} from "../rig.ts";

/** @param restart starts a new daemon for all cases, with other options, in place of the old one */
export function cardCases(
  bench: Bench,
  daemon: () => Daemon,
  restart: (options?: string) => Promise<void>,
): void {
  bench.test("aplay plays to AC97 with no period or buffer option", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    assert.equal(countUnderruns(await aplay(guest, noise(CD, 3), CD)), 0);
    // The guest's buffer is more than six times the device's; the guest writes most of it before START.
    await give(lab, guest, { ...AC97, "buffer-size": 1 << 20 });
    await guest.put("/tmp/five", noise(CD, 5));
    const large = "--period-size=16384 --buffer-size=196608";
    const played = await guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} ${large} /tmp/five`, {
      timeout: 60,
    });
    assert.deepEqual([played.code, countUnderruns(played.stderr)], [0, 0], played.stderr);
    // aplay plays two files on one open PCM: it queries the parameters while the device, which has one substream, is open.
    await guest.put("/tmp/one", noise(CD, 1));
    const { code, stderr } = await guest.attempt(`aplay -q -D hw:0,0 ${shapeOptions(CD)} /tmp/one /tmp/one`);
    assert.equal(code, 0, stderr);
  });

  bench.test("periods of 1024, 512 and 256 frames play clean and at the card's pace", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    await guest.put("/tmp/five", noise(CD, 5));
    // Short periods need --realtime. Ten seconds of sound let V8 compile the engine.
    await restart("--realtime");
    await waitForCard(lab, guest);
    for (let i = 0; i < 2; i++) await guest.attempt(timedPlay(1024), { timeout: 60 });
    const tries = [];
    for (const period of [1024, 512, 256, 128]) {
      // A period of 128 frames is tried once, for the report only.
      for (let n = period < LEAST_PERIOD ? TRIES - 1 : 0; n < TRIES; n++) {
        const row = await measure(lab, guest, daemon(), period);
        tries.push(row);
        if (isClean(row)) break;
      }
    }
    // This file is the source of the table in docs/lab.md: AC97, 4 periods a buffer, 5 s each.
    Deno.writeTextFileSync(`${lab.directory}/periods.json`, JSON.stringify(tries, undefined, 2) + "\n");
    for (const period of [1024, 512, 256]) {
      const own = tries.filter((row) => row.period === period);
      // One clean try is enough. A period without any fails only if the bare device was clean in more than half of the tries.
      const telling = own.filter((row) => row.bareUnderruns === 0).length;
      assert(own.some(isClean) || telling <= TRIES / 2, JSON.stringify(own, undefined, 1));
    }
  });

  bench.test("the guest's pointer follows the card's, and wakes it once a period", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, AC97);
    await guest.put("/tmp/five", noise(CD, 5));
    const period = 4096;
    await lab.dom0.run(tracing("r:card snd_intel8x0_pcm_pointer frames=$retval:u64"));
    const seen = await guest.run(
      tracing(
        "p:told xen_snd_front_alsa_handle_cur_pos octets=%si:u64",
        "p:elapsed snd_pcm_period_elapsed",
      ) +
        `aplay -q -D hw:0,0 ${shapeOptions(CD)} ${sizes(period)} /tmp/five; ` + TRACED,
      { timeout: 60 },
    );
    const card = await lab.dom0.run(TRACED);
    const wakeUps = seen.match(/: elapsed: /g)?.length ?? 0;
    const periods = Math.floor(5 * 48000 / period);
    assert(wakeUps >= periods && wakeUps <= periods + 2, `${wakeUps} wake-ups for ${periods} periods`);

    const told = parseTrace(seen, "octets").map(({ time, value }) => ({
      time,
      frames: value / frameOctets(CD),
    }));
    const pointer = unwrap(parseTrace(card, "frames"));
    assert(told.length > 4 * periods && pointer.length > 4 * periods, "there was nothing to compare");
    told.forEach(({ frames }, i) => assert(i === 0 || frames > told[i - 1]!.frames, "a position went back"));
    const errors = differences(told, pointer);
    const [usual, most] = [errors[Math.floor(errors.length * USUAL)], errors.at(-1)!];
    Deno.writeTextFileSync(`${lab.directory}/pointers.json`, JSON.stringify({ period, usual, most }) + "\n");
    assert(usual! <= period / 4, `the pointers are ${usual} frames apart, ${most} at most`);
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
    // AC97 supports S16_LE up to 48 kHz. The provisioned card allows 44.1 kHz and more; AC97 limits the channels.
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
    // The sound must outlast the start of the command, which takes some 10 s.
    await guest.put("/tmp/long", noise(CD, 20));
    const status = "/proc/asound/card0/pcm0p/sub0/status";
    const card = background(lab.dom0.run(
      `xsnd wait ${guest.name}/0/0/0 --for running --timeout 60 && xsnd trigger pause ${guest.name}/0/0/0; cat ${status}; sleep 1.5; grep hw_ptr ${status}; ` +
        `xsnd trigger resume ${guest.name}/0/0/0`,
      { timeout: 120 },
    ));
    // With -N, aplay does not block in write(2), where the guest's kernel soon returns EIO.
    const playing = background(guest.attempt(
      `aplay -q -N -D hw:0,0 ${shapeOptions(CD)} /tmp/long & p=$!; ` +
        `while kill -0 $p 2>/dev/null; do grep -h ^hw_ptr ${status}; sleep 0.3; done; wait $p`,
      { timeout: 120 },
    ));
    const seen = await card;
    assert.match(seen, /PAUSED/);
    assert.equal(new Set(seen.match(/hw_ptr.*/g)).size, 1, seen);
    const { code, stdout, stderr } = await playing;
    assert.equal(code, 0, stderr);
    assert.equal(countUnderruns(stderr), 0, stderr);
    // Some five looks in 1.5 s: the guest's pointer stands too.
    const pointers: string[] = stdout.match(/hw_ptr.*/g) ?? [];
    const stood = pointers.filter((pointer, i) => pointer === pointers[i - 1]).length;
    assert(stood >= 3, pointers.join("\n"));
  });

  bench.test("pause, resume, stop and start lose not a sample on the loopback", async (lab) => {
    const guest = await bench.guest("6.1");
    await give(lab, guest, LOOPBACK);
    const bytes = noise(CD, 24);
    await guest.put("/tmp/long", bytes);
    const heard = await recordLoopback(lab, CD, async () => {
      const steps = ["pause", "resume", "stop", "start"].map((name) => `trigger ${name} ${guest.name}/0/0/0`);
      const triggers = background(lab.dom0.run(
        [`wait ${guest.name}/0/0/0 --for running --timeout 60`, ...steps].map((step) => `xsnd ${step}`).join(
          " && ",
        ),
        { timeout: 180 },
      ));
      const playing = background(
        guest.attempt(`aplay -q -N -D hw:0,0 ${shapeOptions(CD)} /tmp/long`, { timeout: 180 }),
      );
      await triggers;
      const { code, stderr } = await playing;
      assert.equal(code, 0, stderr);
    });
    assertPieces(heard, bytes);
  });
}

/** Tries of each period: the machine is emulated, on shared processors. */
const TRIES = 5;
/** The least period that must play clean, frames. */
const LEAST_PERIOD = 256;

/** Whether a try had no underrun, and the sound's length is right within 5 % and the buffer. */
function isClean(row: { period: number; underruns: number; seconds: number }): boolean {
  const { period, underruns, seconds } = row;
  return underruns === 0 && Math.abs(seconds - 5) <= 0.25 + period * 4 / 48000;
}

/**
 * Plays /tmp/five through xsnd with this period. If that is not clean, the {@link baseline} tells whether the machine is too slow. An
 * aplay that fails counts as infinitely many underruns.
 */
async function measure(lab: Lab, guest: Guest, daemon: Daemon, period: number) {
  const [cpu, work] = [await daemon.cpuSeconds(), await domainsWork(lab)];
  const middle = lab.dom0.attempt(cpuInTheMiddle(daemon.pid), { timeout: 60 });
  const { code, stdout, stderr } = await guest.attempt(timedPlay(period), { timeout: 60 });
  const playingCpu = Number((await middle).stdout);
  const after = await domainsWork(lab);
  const cpuPerSecond = (await daemon.cpuSeconds() - cpu) / 5;
  const own = {
    period,
    underruns: code === 0 ? countUnderruns(stderr) : Infinity,
    seconds: Number(stdout),
    cpuPerSecond: Math.round(cpuPerSecond * 100) / 100,
    playingCpu: Math.round(playingCpu * 100) / 100,
    residentMegabytes: Math.round(await daemon.residentMegabytes()),
    busy: Math.round((after.cpu - work.cpu) / (after.time - work.time) * 100) / 100,
  };
  const isToCompare = !isClean(own) && period >= LEAST_PERIOD;
  return { ...own, bareUnderruns: isToCompare ? await baseline(lab, guest, period) : undefined };
}

/**
 * The underruns of domain 0's own aplay on the bare device, for the same time, while the guest plays through xsnd to the loopback. The
 * load is then the same, so a machine that is too slow fails the baseline too. The baseline's buffer is half the guest's, because
 * the guest's sound passes two domains, each with a scheduler.
 */
async function baseline(lab: Lab, guest: Guest, period: number): Promise<number> {
  const load = background(
    guest.attempt(`aplay -q -D hw:0,1 ${shapeOptions(CD)} ${sizes(period)} -d 7 /dev/zero`, { timeout: 60 }),
  );
  const bare = await lab.dom0.attempt(
    "until grep -q RUNNING /proc/asound/card5/pcm0p/sub0/status; do sleep 0.1; done; " +
      `aplay -q -D hw:0,0 ${shapeOptions(CD)} --period-size=${period} --buffer-size=${
        period * 2
      } -d 5 /dev/zero`,
    { timeout: 60 },
  );
  const beside = await load;
  assert.equal(beside.code, 0, beside.stderr);
  return bare.code === 0 ? countUnderruns(bare.stderr) : Infinity;
}

/** A shell script that prints process `pid`'s CPU seconds a second, user and system, over 3 s while AC97 plays. */
function cpuInTheMiddle(pid: number): string {
  const look = `awk -v t="$(cut -d' ' -f1 /proc/uptime)" '{ print ($14 + $15) / 100, t }' /proc/${pid}/stat`;
  return `until grep -q RUNNING /proc/asound/card0/pcm0p/sub0/status; do sleep 0.1; done; sleep 0.5
    a=$(${look}); sleep 3; b=$(${look}); echo $a $b | awk '{ print ($3 - $1) / ($4 - $2) }'`;
}

/** CPU seconds used by all domains together, and CPU seconds available. */
async function domainsWork(lab: Lab): Promise<{ cpu: number; time: number }> {
  const text = await lab.dom0.run(
    "xl list | awk 'NR > 1 { s += $NF } END { print s }'; cat /proc/uptime; nproc",
  );
  const [cpu, uptime, , processors] = text.split(/\s+/).map(Number);
  return { cpu: cpu!, time: uptime! * processors! };
}

const sizes = (period: number) => `--period-size=${period} --buffer-size=${period * 4}`;

/** Plays /tmp/five; prints the seconds from the first write to the end of the drain, without aplay's exit. */
function timedPlay(period: number): string {
  const status = "/proc/asound/card0/pcm0p/sub0/status";
  return `aplay -q -D hw:0,0 ${shapeOptions(CD)} ${sizes(period)} /tmp/five & p=$!
    until grep -qE 'PREPARED|RUNNING' ${status}; do :; done; read t0 _ </proc/uptime
    sleep 4.9; until read -r state <${status}; case $state in *SETUP*|closed) ;; *) false ;; esac; do sleep 0.02; done
    read t1 _ </proc/uptime; wait $p; code=$?
    awk "BEGIN { print $t1 - $t0 }"; exit $code`;
}

/** A shell script that makes the kernel record each hit of `probes`, in the syntax of tracefs's kprobe_events. */
function tracing(...probes: string[]): string {
  const events = probes.map((probe) => `echo '${probe}' >>kprobe_events; `).join("");
  return "grep -q /sys/kernel/tracing /proc/mounts || mount -t tracefs t /sys/kernel/tracing; " +
    `cd /sys/kernel/tracing; echo 0 >events/enable; echo >kprobe_events; echo mono >trace_clock; echo >trace; ` +
    `${events}echo 1 >events/kprobes/enable; cd /; `;
}

/** A shell script that prints the records and removes the probes. */
const TRACED = "cd /sys/kernel/tracing; echo 0 >events/kprobes/enable; cat trace; echo >kprobe_events";

/** Parses the output of {@link TRACED}: times in s of the domain's monotonic clock, and values of `field`. */
function parseTrace(text: string, field: string): { time: number; value: number }[] {
  return [...text.matchAll(new RegExp(` (\\d+\\.\\d+): .* ${field}=(\\d+)$`, "gm"))]
    .map(([, time, value]) => ({ time: Number(time), value: Number(value) }));
}

interface Sample {
  readonly time: number;
  readonly frames: number;
}

/** Converts a device's pointer, which wraps at the end of the device's buffer, to frames since the start. */
function unwrap(trace: readonly { time: number; value: number }[]): Sample[] {
  const size = Math.max(...trace.map(({ value }) => value)) + 1;
  // Buffers here are multiples of 1024 frames.
  const buffer = Math.ceil(size / 1024) * 1024;
  let rounds = 0;
  return trace.map(({ time, value }, i) => {
    if (i > 0 && value < trace[i - 1]!.value) rounds++;
    return { time, frames: rounds * buffer + value };
  });
}

/** The share of positions that must be close. The emulator stops the whole machine at times, which causes the outliers. */
const USUAL = 0.9;

/**
 * The distances between the two pointers just before and just after each position that the guest gets, in frames, ascending. Each
 * domain's clock starts at its boot, so the clocks have an unknown offset. The offset with the smallest distances is taken;
 * no other constant explains more of them.
 */
function differences(told: readonly Sample[], card: readonly Sample[]): number[] {
  const at = (time: number): number | undefined => {
    let [low, high] = [0, card.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (card[middle]!.time < time) low = middle + 1;
      else high = middle;
    }
    if (low === 0 || low === card.length) return undefined;
    const [a, b] = [card[low - 1], card[low]];
    return a!.frames + (b!.frames - a!.frames) * (time - a!.time) / (b!.time - a!.time || 1);
  };
  const withOffset = (offset: number) =>
    told.flatMap(({ time, frames }, i) => {
      const real = at(time + offset);
      if (real === undefined || i === 0) return [];
      return [Math.abs(real - told[i - 1]!.frames), Math.abs(real - frames)];
    }).sort((a, b) => a - b);
  const usual = (errors: number[]) => errors[Math.floor(errors.length * USUAL)];
  const guess = card[0]!.time - told[0]!.time;
  let best: number[] = [];
  for (let offset = guess - 1; offset <= guess + 1; offset += 0.001) {
    const errors = withOffset(offset);
    if (errors.length < told.length) continue; // less than half of the distances, which are two a position
    if (best.length === 0 || usual(errors)! < usual(best)!) best = errors;
  }
  assert(best.length > 0, "the samples do not overlap");
  return best;
}

/** Asserts that all of `bytes` was heard in order, in pieces with silence between them. */
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
