// SPDX-License-Identifier: MIT
/**
 * SIGKILL ends the daemon at random moments, over and over. The next daemon takes the guest's card over, answers pending
 * requests, plays what the guest opens, and keeps the operator's settings; XenStore is unchanged. `XSND_KILL_ROUNDS` is the
 * number of kills, `XSND_SEED` decides their moments.
 */
import assert from "node:assert/strict";
import { encodeRwRequest, XENSND_OP_TRIGGER_START, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import { XenbusState } from "../../lib/xenbus/mod.ts";
import { type Box, descriptors, inBox, sleep, until } from "./harness.ts";
import { open, RawCard, type RawStream } from "./raw_frontend.ts";

const ROUNDS = Number(Deno.env.get("XSND_KILL_ROUNDS") ?? 30);
const SEED = Number(Deno.env.get("XSND_SEED") ?? Date.now() % 2 ** 31);
const STREAM = "domU/0/0/0";

/** A generator of numbers from 0 to 1 (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All XenStore nodes but the daemon's announcement. */
async function tree(box: Box): Promise<string[]> {
  const lines = (await box.xenstore("ls", "-f", "-p", "/")).split("\n");
  return lines.filter((line) => !line.includes("/data/xsnd"));
}

/** Opens the stream in whatever state, and plays until the backend reports a position. */
function play(stream: RawStream, directory: number): void {
  assert.equal(stream.open({ ...open, grefDirectory: directory }), 0);
  stream.takePositions();
  assert.equal(stream.request(XENSND_OP_WRITE, 0, 4096), 0);
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_START), 0);
  stream.waitFor("a position", () => stream.takePositions().length > 0);
}

Deno.test("SIGKILL at any moment, 30 times in a row: the next daemon plays what is opened, and nothing is lost or left behind", async () => {
  const chance = random(SEED);
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    let daemon = await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    const { directory } = stream!.share(open.bufferSz);
    let [volume, muted] = [0, false];
    let expected: string[] | undefined;
    let held = 0;

    for (let round = 0; round < ROUNDS; round++) {
      const where = `round ${round} of seed ${SEED}`;
      play(stream!, directory.grefs[0]!);
      if (round % 10 === 0) {
        [volume, muted] = [0 - Math.round(chance() * 40), !muted];
        await box.ok("volume", STREAM, String(volume));
        await box.ok(muted ? "mute" : "unmute", STREAM);
        await box.ok("trigger", "pause", STREAM);
        expected = await tree(box);
        held = 1;
      }
      await sleep(chance() * 50);
      // A request that this daemon or the next one answers.
      const asked = stream!.post((view, at, id) =>
        encodeRwRequest(view, at, id, XENSND_OP_WRITE, 4096, 1024)
      );
      if (chance() < 0.5) await sleep(chance() * 2);
      if (round % 7 === 3) daemon.kill("SIGHUP");
      await daemon.end("SIGKILL");
      if (round % 5 === 1) {
        // Another daemon, killed during or soon after its start.
        const hasty = box.spawn("serve");
        await sleep(chance() * 600);
        await hasty.end("SIGKILL");
      }
      daemon = await box.serve();
      const status = stream!.answerOf(asked);
      assert(status <= 0, where);
      const report = await box.stream(STREAM);
      assert.deepEqual(
        [report.volume, report.muted, report.hold],
        [volume, muted, held === 1 ? "paused" : "none"],
        where,
      );
      assert.deepEqual(await tree(box), expected, where);
      if (held === 1) {
        await box.ok("trigger", "resume", STREAM);
        expected = await tree(box);
        held = 0;
      }
    }
    play(stream!, directory.grefs[0]!);
    assert.equal(stream!.close(), 0);
    assert.equal(card.state, XenbusState.Connected);
    // The last daemon holds no more descriptors than a daemon after a clean end.
    const last = descriptors(daemon.pid).size;
    await daemon.end("SIGTERM");
    daemon = await box.serve();
    await until("no more descriptors than that", () => descriptors(daemon.pid).size >= last);
  });
});
