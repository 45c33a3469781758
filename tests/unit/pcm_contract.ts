// SPDX-License-Identifier: MIT
/**
 * The contract of the Pcm port: test cases that every device must pass, for any harness to run. A running device must make
 * progress; its speed does not matter. A case waits for what must happen, and gives what must not happen a moment to occur.
 */
import assert from "node:assert/strict";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { openPcm } from "../../lib/pcm/descriptor.ts";
import type { OpenDevice, PcmDevice } from "../../lib/pcm/device.ts";
import { pcmDevice } from "../../lib/pcm/open_device.ts";
import type { Direction, Pcm } from "../../lib/pcm/pcm.ts";
import { formatByName, XEN_ENOSYS } from "../../lib/sndif/mod.ts";

const PATIENCE_MS = 10_000;
const MOMENT_MS = 40;
/** A buffer of 100 ms: four periods. */
const request = {
  rate: 48000,
  channels: 2,
  format: formatByName("s16_le")!.code,
  frameBytes: 4,
  bufferFrames: 4800,
  periodFrames: 1200,
};

export interface ContractCase {
  readonly name: string;
  readonly direction: Direction;
  run(pcm: Pcm): Promise<void>;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `done`. Serves the device meanwhile, as the engine does. */
async function serve(pcm: Pcm, done: () => boolean): Promise<void> {
  const poll = new PollSet(1);
  poll.add(pcm.pollFd, pcm.pollEvents);
  const deadline = performance.now() + PATIENCE_MS;
  while (!done()) {
    assert(performance.now() < deadline, `within ${PATIENCE_MS} ms it never came true: ${done}`);
    if (pcm.params.direction === "playback") pcm.keepGoing();
    if (poll.wait(0) > 0) pcm.acknowledge();
    else await sleep(1);
  }
}

/** Reads the position and asserts that it never decreases. */
function watched(pcm: Pcm): () => number {
  let before = 0;
  return () => {
    const position = pcm.position();
    assert(position >= before, `the position went from ${before} to ${position}`);
    return before = position;
  };
}

function playback(name: string, run: (pcm: Pcm) => void | Promise<void>): ContractCase {
  return { name: `playback: ${name}`, direction: "playback", run: async (pcm) => await run(pcm) };
}

function capture(name: string, run: (pcm: Pcm) => void | Promise<void>): ContractCase {
  return { name: `capture: ${name}`, direction: "capture", run: async (pcm) => await run(pcm) };
}

/** The cases. Each needs a freshly opened device. */
export const pcmContract: readonly ContractCase[] = [
  playback("stands at 0 with room for all of its buffer until something is written", (pcm) => {
    assert.equal(pcm.position(), 0);
    assert.equal(pcm.avail(), pcm.params.bufferFrames);
    assert.equal(pcm.next(), 0);
  }),

  playback(
    "takes what it is given up to its buffer, at once, and nothing moves before start()",
    async (pcm) => {
      const { bufferFrames } = pcm.params;
      assert.equal(pcm.write(480), 480);
      assert.equal(pcm.next(), 480);
      assert.equal(pcm.avail(), bufferFrames - 480);
      for (let taken = 480; taken < bufferFrames;) {
        const part = pcm.write(Math.min(bufferFrames - taken, 4000));
        assert(part > 0);
        taken += part;
      }
      assert.equal(pcm.write(480), 0, "a full card takes nothing, which is no error");
      await sleep(MOMENT_MS);
      assert.equal(pcm.position(), 0);
      assert.equal(pcm.avail(), 0);
    },
  ),

  playback("start() sets it going: it comes to the end of what was written, and beyond", async (pcm) => {
    const position = watched(pcm);
    assert.equal(pcm.write(2400), 2400);
    assert.equal(pcm.start(), 0);
    await serve(pcm, () => position() >= 2400);
    await serve(pcm, () => position() > 2400 + pcm.params.bufferFrames);
  }),

  playback("has room again for what it has played, and goes on with it", async (pcm) => {
    const position = watched(pcm);
    let written = pcm.write(pcm.params.bufferFrames);
    assert.equal(pcm.start(), 0);
    for (let turn = 0; turn < 20; turn++) {
      await serve(pcm, () => pcm.avail() > 0);
      const room = Math.min(480, pcm.avail());
      const taken = pcm.write(room);
      assert(taken > 0 && taken <= room, `${taken} of ${room}`);
      written += taken;
      assert(position() <= pcm.next());
    }
    assert(pcm.next() >= written);
    await serve(pcm, () => position() >= written);
  }),

  playback(
    "next() is where the pointer is when it has run dry, and what is written then is heard",
    async (pcm) => {
      const position = watched(pcm);
      assert.equal(pcm.write(480), 480);
      assert.equal(pcm.start(), 0);
      await serve(pcm, () => position() > 2000);
      const next = pcm.next();
      assert(next >= 2000, `${next}`);
      const taken = pcm.write(480);
      assert(taken > 0);
      assert(pcm.next() >= next + taken);
      await serve(pcm, () => position() >= next + taken);
    },
  ),

  playback(
    "its descriptor is ready while it runs, and acknowledge() makes it wait for the next period",
    async (pcm) => {
      const poll = new PollSet(1);
      poll.add(pcm.pollFd, pcm.pollEvents);
      pcm.write(pcm.params.bufferFrames);
      assert.equal(pcm.start(), 0);
      for (let period = 0; period < 4; period++) {
        assert.equal(await poll.waitAsync(PATIENCE_MS), 1);
        pcm.acknowledge();
        pcm.position();
      }
      assert.equal(pcm.drop(), 0);
      pcm.acknowledge();
      await sleep(MOMENT_MS);
      assert.equal(poll.wait(0), 0, "it wakes its engine though it is stopped");
    },
  ),

  playback("pause() stops the pointer and lets it go on, or says that it cannot", async (pcm) => {
    const position = watched(pcm);
    pcm.write(pcm.params.bufferFrames);
    assert.equal(pcm.start(), 0);
    await serve(pcm, () => position() > 0);
    const status = pcm.pause(true);
    if (status === -XEN_ENOSYS) return;
    assert.equal(status, 0);
    const stands = position();
    await sleep(MOMENT_MS);
    assert.equal(position(), stands);
    assert.equal(pcm.pause(false), 0);
    await serve(pcm, () => position() > stands);
  }),

  playback("drop() and prepare() begin anew at 0", async (pcm) => {
    for (let round = 0; round < 3; round++) {
      const position = watched(pcm);
      assert.equal(pcm.write(2400), 2400);
      assert.equal(pcm.start(), 0);
      await serve(pcm, () => position() > 0);
      assert.equal(pcm.drop(), 0);
      assert.equal(pcm.prepare(), 0);
      assert.deepEqual([pcm.position(), pcm.avail(), pcm.next()], [0, pcm.params.bufferFrames, 0]);
    }
  }),

  capture("hears nothing before start(), and then as many frames as its pointer says", async (pcm) => {
    const position = watched(pcm);
    assert.equal(position(), 0);
    assert.equal(pcm.avail(), 0);
    assert.equal(pcm.start(), 0);
    let got = 0;
    for (let turn = 0; turn < 20; turn++) {
      await serve(pcm, () => pcm.avail() > 0);
      const read = pcm.read(Math.min(480, pcm.avail()));
      assert(read > 0);
      got += read;
      assert(position() >= got);
    }
  }),

  capture("read() gives no more than it has heard, and never waits", async (pcm) => {
    assert.equal(pcm.start(), 0);
    await serve(pcm, () => pcm.avail() > 100);
    assert.equal(pcm.read(10), 10);
    const read = pcm.read(10_000);
    assert(read > 0 && read <= pcm.staging.byteLength / pcm.params.frameBytes);
  }),

  capture("drop() and prepare() begin anew at 0", async (pcm) => {
    for (let round = 0; round < 3; round++) {
      assert.equal(pcm.start(), 0);
      await serve(pcm, () => pcm.avail() > 0);
      assert.equal(pcm.drop(), 0);
      assert.equal(pcm.prepare(), 0);
      assert.deepEqual([pcm.position(), pcm.avail()], [0, 0]);
    }
  }),
];

/**
 * Registers the contract's cases as tests of `device`, named as in a configuration. A case may take `attempts` tries: a
 * real-time device underruns when this process gets no CPU time to feed it.
 */
export function testPcmContract(device: string, { cases = pcmContract, attempts = 1 } = {}): void {
  for (const { name, direction, run } of cases) {
    Deno.test(`Pcm contract on ${device}: ${name}`, async () => {
      for (let left = attempts - 1;; left--) {
        try {
          return await runContractCase(device, { direction, run });
        } catch (error) {
          if (left === 0) throw error;
        }
      }
    });
  }
}

/** Opens `device` for a case, and closes it afterwards. */
export async function runContractCase(
  device: string,
  { direction, run }: Pick<ContractCase, "direction" | "run">,
): Promise<void> {
  const card: PcmDevice = pcmDevice(device, direction);
  const open: OpenDevice = await card.open(request);
  const pcm = openPcm(open.descriptor);
  try {
    await run(pcm);
  } finally {
    pcm.release();
    await open.close();
    await card.closeProbe();
  }
}
