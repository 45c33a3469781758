// SPDX-License-Identifier: MIT
/** A guest that writes too late has an xrun: every command reports the same xruns, at once, and no false ones. */
import assert from "node:assert/strict";
import {
  XENSND_OP_TRIGGER_PAUSE,
  XENSND_OP_TRIGGER_RESUME,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { type Box, inBox, makeWav, type Process, sleep, type StreamStatus, until } from "./harness.ts";
import { frameSums } from "../frame_sums.ts";
import { open, RawCard, type RawStream } from "./raw_frontend.ts";

const PLAYBACK = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 240_000 };

function served(body: (box: Box, daemon: Process) => Promise<void>): Promise<void> {
  return inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await body(box, await box.serve("--metrics", "localhost:0"));
  });
}

async function metric(daemon: Process, name: string, labels: string): Promise<number> {
  const said = () => /metrics: served at (127\.0\.0\.1:\d+)$/m.exec(daemon.stderr)?.[1];
  const text = await (await fetch(`http://${await until("the port is said", said)}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name}{`) && line.includes(labels));
  assert(line !== undefined, `${name} of ${labels}`);
  return Number(line.slice(line.lastIndexOf(" ")));
}

/** The stream's xruns that the real command prints, in JSON and in the table. */
async function xrunsInStatus(box: Box, stream: string): Promise<[json: number, table: string]> {
  const { streams } = JSON.parse(await box.ok("status", "--json"));
  const { xruns } = streams.find((report: StreamStatus) => report.stream === stream);
  const lines = (await box.ok("status")).split("\n");
  const at = lines[0]!.indexOf("XRUNS");
  const line = lines.find((line) => line.startsWith(stream))!;
  return [xruns, line.slice(at, at + 5).trim()];
}

Deno.test("a guest that stands still has an xrun: the same in its player, status, metrics, the trace and the log", () =>
  served(async (box, daemon) => {
    const trace = box.path("late.trace");
    const recording = box.spawn("trace", "record", PLAYBACK, "-o", trace, "--until", "closed", "--json");
    await until(
      "a trace begins",
      () => Deno.readDirSync(box.directory).some(({ name }) => name === "late.trace"),
    );
    const playing = box.spawn("play", makeWav(box.path("long.wav"), sound), PLAYBACK, "--json");
    const before = await box.untilStream(
      PLAYBACK,
      ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
    );
    assert.equal(before.xruns, 0);
    playing.kill("SIGSTOP");
    const during = await box.untilStream(PLAYBACK, ({ xruns }) => xruns > 0);
    assert.equal(during.state, "running", "it is counted while the card is dry");
    assert(during.positionFrames > during.guestFrames);
    playing.kill("SIGCONT");

    const { code, stdout, stderr } = await playing.result;
    assert.deepEqual([code, stderr], [0, ""]);
    const player = JSON.parse(stdout);
    const after = await box.untilStream(PLAYBACK, ({ state }) => state === "detached");
    const numbers = after as unknown as Record<string, number>;
    const { xruns, hostXruns, xrunSeconds, silenceFrames } = numbers;
    assert.deepEqual([xruns, hostXruns], [player.xruns, 0]);
    assert(xruns! >= 1 && xrunSeconds! > 0.5, `${xruns} of ${xrunSeconds} s`);
    // The file's end is silence, too, until the player stops.
    const silence = `${silenceFrames} frames of silence for ${xrunSeconds} s`;
    assert(xruns! > 1 || silenceFrames! > xrunSeconds! * 48000 - 2, silence);
    for (const { name, left, right } of frameSums("playback", (name) => numbers[name]!, false)) {
      assert.equal(left, right, name);
    }
    assert.deepEqual(await xrunsInStatus(box, PLAYBACK), [xruns, String(xruns)]);
    const labels = `stream="${PLAYBACK}"`;
    assert.equal(
      await metric(daemon, "xsnd_stream_xruns_total", `${labels},type="playback",cause="guest"`),
      xruns,
    );
    assert.equal(await metric(daemon, "xsnd_stream_xrun_seconds_total", labels), xrunSeconds);

    const summary = JSON.parse((await recording.result).stdout);
    assert.deepEqual([summary.xruns, summary.hostXruns], [xruns, 0]);
    assert(Math.abs(summary.xrunSeconds - xrunSeconds!) < 1e-3);
    assert.match(await box.ok("trace", "show", trace), /--- xrun cause=guest from=\d+ frames=\d+ seconds=/);
    const page = box.path("late.html");
    await box.ok("trace", "plot", trace, "-o", page);
    const html = Deno.readTextFileSync(page);
    assert.match(html, /the guest was late by \d+ ms: no WRITE between .* the card played \d+ ms of silence/);
    const picture = JSON.parse(/id="picture">(.*?)<\/script>/s.exec(html)![1]!.replaceAll("\\u003c", "<"));
    const curves = [...picture.fill.curves, ...picture.xruns.curves] as {
      name: string;
      values: number[];
    }[];
    const values = (wanted: string) =>
      curves.find(({ name }) => name === wanted)!.values.filter((value) => value !== null);
    assert(values("fill").every((ms) => ms >= 0));
    assert.equal(values("guest").at(-1), xruns);
    assert.equal(picture.gaps.length, xruns);
    const told = () => /warning?: .*underruns? .*its guest.*: (\d+) ms of silence/.exec(daemon.stderr)?.[1];
    const ms = Number(await until("the log tells", told));
    assert(xruns! > 1 || Math.abs(ms - xrunSeconds! * 1000) < 1, `${ms} ms in the log`);
  }));

/** Opens the stream with a buffer of 1 s, and writes half of the buffer. */
function openHalf(stream: RawStream): void {
  const { directory } = stream.share(BUFFER);
  const sizes = { bufferSz: BUFFER, periodSz: BUFFER / 8, grefDirectory: directory.grefs[0]! };
  assert.equal(stream.open({ ...open, ...sizes }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, BUFFER / 2), 0);
}
const BUFFER = 48000 * 4;

function whileRaw(body: (stream: RawStream, box: Box) => Promise<void>): Promise<void> {
  return served(async (box) => {
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    await body(card.streams[0]!, box);
  });
}

const isDry = ({ positionFrames, guestFrames }: StreamStatus) => positionFrames > guestFrames;

Deno.test("a guest recovers by a WRITE, or by STOP and START: an xrun each; a drain and a held card are none", () =>
  whileRaw(async (stream, box) => {
    const counted = async () => (await box.stream(PLAYBACK)).xruns;
    // The test takes the events, because a full event page brings no position.
    const untilDry = () =>
      box.untilStream(PLAYBACK, (report) => stream.takePositions().length >= 0 && isDry(report));
    openHalf(stream);
    stream.trigger(XENSND_OP_TRIGGER_START);
    // The WRITE is ahead of the device's pointer.
    const { positionFrames } = await untilDry();
    const offset = (positionFrames * 4 + BUFFER / 4) % BUFFER & ~3;
    stream.request(XENSND_OP_WRITE, offset, Math.min(BUFFER - offset, BUFFER / 2));
    await until("it is counted", async () => await counted() === 1);
    await untilDry();
    stream.trigger(XENSND_OP_TRIGGER_STOP);
    stream.request(XENSND_OP_WRITE, 0, BUFFER);
    stream.trigger(XENSND_OP_TRIGGER_START);
    // The guest, and then an operator, hold the stream for longer than the written samples last.
    stream.trigger(XENSND_OP_TRIGGER_PAUSE);
    assert.equal(await counted(), 2);
    await sleep(1500);
    await box.ok("trigger", "pause", PLAYBACK);
    stream.trigger(XENSND_OP_TRIGGER_RESUME);
    await sleep(1500);
    assert(!isDry(await box.stream(PLAYBACK)), "its pointer stands");
    stream.trigger(XENSND_OP_TRIGGER_STOP);
    stream.trigger(XENSND_OP_TRIGGER_START);
    stream.trigger(XENSND_OP_TRIGGER_STOP);
    assert.equal(await counted(), 2);
    await box.ok("trigger", "resume", PLAYBACK);
    assert.equal(stream.close(), 0);
  }));
