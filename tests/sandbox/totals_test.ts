// SPDX-License-Identifier: MIT
/** A stream's counters last as long as its card, and status, top and metrics show the same numbers. */
import assert from "node:assert/strict";
import type { StreamReport } from "../../lib/control/protocol.ts";
import { frameSums } from "../frame_sums.ts";
import { type Box, inBox, makeWav, until } from "./harness.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };
const COUNTERS = [
  "connections",
  "requests",
  "queries",
  "events",
  "periods",
  "xruns",
  "hostXruns",
  "xrunSeconds",
  "lateFrames",
  "protocolErrors",
  "movedFrames",
  "transferredFrames",
  "heardFrames",
  "standInFrames",
  "deniedFrames",
  "silenceFrames",
  "hostSilenceFrames",
  "discardedFrames",
  "losses",
] as const;

const counters = (report: StreamReport) => COUNTERS.map((name) => report[name]);

/** Of a stream that is not connected. */
function assertSums(report: StreamReport): void {
  for (const { name, left, right } of frameSums(report.type, (name) => Number(report[name] ?? 0), false)) {
    assert.equal(left, right, name);
  }
}

async function playOnce(box: Box): Promise<StreamReport> {
  await box.ok("play", makeWav(box.path("in.wav"), sound), STREAM);
  return await box.untilStream(STREAM, ({ state }) => state === "detached");
}

Deno.test("counters are there before a guest comes, while it plays and after it has gone, and go on with the next one", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await box.serve();
    assert.deepEqual(counters(await box.stream(STREAM)), COUNTERS.map(() => 0));
    const first = await playOnce(box);
    assert(first.requests > 4 && first.movedFrames >= sound.frames);
    assert.deepEqual([first.transferredFrames, first.heardFrames], [sound.frames, sound.frames]);
    assertSums(first);
    const { connections, xruns, rate, requestMicros } = first;
    assert.deepEqual([connections, xruns, rate, requestMicros], [1, 0, undefined, undefined]);

    const long = makeWav(box.path("long.wav"), { ...sound, frames: 480_000 });
    const playing = box.spawn("play", long, STREAM);
    const during = await box.untilStream(STREAM, ({ state }) => state === "running");
    counters(during).forEach((count, i) => assert(count >= counters(first)[i]!, COUNTERS[i]));
    assert.equal(during.connections, 2);
    await playing.end("SIGINT");
    const second = await box.untilStream(STREAM, ({ state }) => state === "detached");
    counters(second).forEach((count, i) => assert(count >= counters(during)[i]!, COUNTERS[i]));
    assert(second.discardedFrames > 0, "what was queued when the player was interrupted");
    assertSums(second);

    // No guest is connected: all commands still show the last counters.
    const told = JSON.parse(await box.ok("status", "--json")).streams[0];
    assert.deepEqual(counters(told), counters(second));
    const top = JSON.parse(await box.ok("top", "-n", "1", "--json")).streams[0];
    assert.deepEqual(counters(top), counters(second));
    const watching = box.spawn("status", "--watch");
    const line = await until("its first line", () => /^.+\n/.exec(watching.stdout)?.[0]);
    assert.deepEqual(counters(JSON.parse(line!).streams[0]), counters(second));
    await watching.end("SIGINT");
    const [head, row] = (await box.ok("status")).split("\n");
    assert.equal(row!.slice(head!.indexOf("XRUNS")).trim().split(" ")[0], "0");
  }));

Deno.test("a configuration that is read again makes the card anew, and its counters stay", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:", "unique-id": "speakers" }]);
    await box.xenstore("rm", "/local/domain/0/backend/vsnd/1/0/xsnd"); // xl's cards have no policy
    const config = box.path("devices.yaml");
    const configure = (rates: number[]) => {
      const streams = [{ type: "playback", "unique-id": "speakers", device: "dummy:" }];
      const card = { "sample-rates": rates, pcms: [{ streams }] };
      Deno.writeTextFileSync(config, JSON.stringify({ domains: { domU: { cards: [card] } } }));
    };
    configure([48000]);
    const daemon = await box.serve("--config", config);
    const before = counters(await playOnce(box));
    configure([44100, 48000]);
    daemon.kill("SIGHUP");
    await until("it is read again", () => /is reloaded: domU\/0/.test(daemon.stderr));
    assert.deepEqual(counters(await box.untilStream(STREAM, () => true)), before);
    assert.equal((await playOnce(box)).connections, 2);
  }));

Deno.test("a card that the host does not allow for a while goes on counting; one that has taken its place meanwhile does not", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:", "unique-id": "speakers" }]);
    const policy = "/local/domain/0/backend/vsnd/1/0/xsnd";
    await box.xenstore("rm", policy); // xl's cards have no policy
    const config = box.path("devices.yaml");
    const configure = (domain: string) => {
      const streams = [{ type: "playback", "unique-id": "speakers", device: "dummy:" }];
      const cards = [{ pcms: [{ streams }] }];
      Deno.writeTextFileSync(config, JSON.stringify({ domains: { [domain]: { cards } } }));
    };
    configure("domU");
    const daemon = await box.serve("--config", config);
    const served = () => box.ok("status", "--json").then((text) => JSON.parse(text).streams.length);
    const allow = async (isAllowed: boolean) => {
      configure(isAllowed ? "domU" : "another");
      daemon.kill("SIGHUP");
      await until("the configuration is in force", async () => await served() === (isAllowed ? 1 : 0));
    };
    const before = counters(await playOnce(box));
    await allow(false);
    await allow(true);
    assert.deepEqual(counters(await box.untilStream(STREAM, () => true)), before);

    await allow(false);
    await box.ok("deprovision", "domU", "--force");
    await box.provision("domU", [{ type: "playback", device: "dummy:", "unique-id": "speakers" }]);
    await box.xenstore("rm", policy);
    await allow(true);
    assert.deepEqual(counters(await box.untilStream(STREAM, () => true)), COUNTERS.map(() => 0));
  }));

Deno.test("a card that is made anew by another policy goes on counting; one that is provisioned anew does not", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await box.serve();
    const first = await playOnce(box);
    await box.provision("domU", [{ type: "playback", device: `dummy:${box.path("out.wav")}` }]);
    const anew = await box.untilStream(STREAM, ({ device }) => device !== "dummy:");
    assert.deepEqual(counters(anew), counters(first));
    const second = await playOnce(box);
    assert(second.movedFrames >= 2 * sound.frames && second.connections === 2);

    await box.ok("deprovision", "domU");
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await box.untilStream(STREAM, ({ device, connections }) => device === "dummy:" && connections === 0);
    assert.deepEqual(counters(await box.stream(STREAM)), COUNTERS.map(() => 0));

    // Another domain has the number, and the daemon has heard of no end of the former one.
    await playOnce(box);
    await box.xenstore("write", "/local/domain/1/vm", "/vm/another");
    await box.provision("domU", [{ type: "playback", device: `dummy:${box.path("another.wav")}` }]);
    await box.untilStream(STREAM, ({ device }) => device !== "dummy:");
    assert.deepEqual(counters(await box.stream(STREAM)), COUNTERS.map(() => 0));
  }));
