// SPDX-License-Identifier: MIT
/** `denied`: an operator takes the microphone from a guest that records, and gives it back. */
import assert from "node:assert/strict";
import { XENSND_OP_TRIGGER_START, XENSND_OP_TRIGGER_STOP } from "../../lib/sndif/mod.ts";
import { Backend } from "../../lib/daemon/backend.ts";
import { readBackendPolicy } from "../../lib/vsnd/nodes/policy_nodes.ts";
import { XenbusState } from "../../lib/xenbus/mod.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { open, RawCard, RawStream } from "./raw_frontend.ts";
import { type Box, inBox, makeWav, type Process, samplesOf, type StreamOptions, until } from "./harness.ts";

const STREAM = "domU/0/0/0";
const FRAME = 4;
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 20 * 48_000 };

/** A way for an operator to deny domU's stream. */
interface Way {
  readonly name: string;
  /** Gives domU the stream, and starts the daemon. */
  start(box: Box, stream: StreamOptions): Promise<Process>;
  deny(box: Box, daemon: Process, stream: StreamOptions): Promise<void>;
}

function write(box: Box, stream: StreamOptions): string {
  const file = box.path("cards.yaml");
  const cards = [{ "sample-rates": [48000], pcms: [{ streams: [{ "unique-id": "x", ...stream }] }] }];
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: { cards } } }));
  return file;
}

async function hangUp(daemon: Process): Promise<string> {
  const from = daemon.stderr.length;
  daemon.kill("SIGHUP");
  await until("it has read its file again", () => /is reloaded: .*\n/.test(daemon.stderr.slice(from)));
  return daemon.stderr.slice(from);
}

const BY_FILE: Way = {
  name: "a file and SIGHUP",
  async start(box, stream) {
    const file = write(box, stream);
    await box.ok("provision", "domU", "-f", file);
    // Cards of xl have no such node: the daemon reads their policy from the file.
    await box.xenstore("rm", "/local/domain/0/backend/vsnd/1/0/xsnd");
    return await box.serve("--config", file);
  },
  async deny(box, daemon, stream) {
    write(box, stream);
    await hangUp(daemon);
  },
};

const BY_PROVISION: Way = {
  name: "provision",
  async start(box, stream) {
    await box.ok("provision", "domU", "-f", write(box, stream));
    return await box.serve();
  },
  async deny(box, _daemon, stream) {
    await box.ok("provision", "domU", "-f", write(box, stream));
  },
};

/** From the daemon's log: the devices of recordings that began, and the lengths in s of recordings that ended. */
const began = ({ stderr }: Process) => stderr.match(/(?<=0\/0\/0: its guest begins to record ).*/g) ?? [];
const ended = ({ stderr }: Process) =>
  stderr.match(/(?<=its guest has ended recording, after )[\d.]+(?= s)/g) ?? [];

for (const { name, start, deny } of [BY_FILE, BY_PROVISION]) {
  Deno.test(`a stream that records is denied at once, and allowed again at once: ${name}`, () =>
    inBox(async (box) => {
      const device = `dummy:${makeWav(box.path("heard.wav"), sound)}`;
      const stream = (denied: boolean): StreamOptions => ({ type: "capture", device, denied });
      const daemon = await start(box, stream(false));
      const output = box.path("recorded.wav");
      const recording = box.spawn("record", output, STREAM, "--seconds", "8", "--json");
      await box.untilStream(
        STREAM,
        ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
      );

      /** Denies or allows the stream; returns the end of the period in which the daemon reports the change. */
      const decide = async (denied: boolean): Promise<number> => {
        const from = daemon.stderr.length;
        await deny(box, daemon, stream(denied));
        await until(
          "the daemon has changed devices",
          () => / is used from now on\n/.test(daemon.stderr.slice(from)),
        );
        const report = await box.untilStream(STREAM, (report) => report.denied === denied);
        assert.deepEqual([report.state, report.recording], ["running", !denied]);
        return report.positionFrames + report.periodFrames;
      };
      const silentFrom = await decide(true);
      await box.untilStream(STREAM, ({ positionFrames }) => positionFrames > silentFrom + 4800);
      const { positionFrames: silentTo, deniedFrames } = await box.stream(STREAM);
      assert(deniedFrames > 4800 && deniedFrames <= silentTo, `${deniedFrames} frames were denied`);
      const soundFrom = await decide(false);
      await box.untilStream(STREAM, ({ positionFrames }) => positionFrames > soundFrom + 4800);

      const { code, stdout, stderr } = await recording.result;
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).xruns, 0);
      const recorded = samplesOf(output);
      const isSilent = (from: number, to: number) =>
        recorded.subarray(from * FRAME, to * FRAME).every((octet) => octet === 0);
      assert(!isSilent(0, 4800));
      assert(isSilent(silentFrom, silentTo), `frames ${silentFrom} to ${silentTo} are not silent`);
      assert(!isSilent(soundFrom, soundFrom + 4800));
      // The denial ended the first recording; a second one followed.
      await until("the log tells of both recordings", () => ended(daemon).length === 2);
      assert.deepEqual(began(daemon), [device, device]);
    }));
}

Deno.test("a stream that is denied, allowed and denied again reaches no device at its next OPEN", () =>
  inBox(async (box) => {
    const file = box.path("played.wav");
    const stream = (denied: boolean): StreamOptions => ({
      type: "playback",
      device: `dummy:${file}`,
      denied,
    });
    const daemon = await BY_FILE.start(box, stream(true));
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const reload = async (denied: boolean) => {
      write(box, stream(denied));
      return await hangUp(daemon);
    };
    assert.match(await reload(false), /reloaded: domU\/0, at once: 0\/0: denied -> dummy:.*played\.wav\n/);
    assert.match(await reload(true), /reloaded: domU\/0, at once: 0\/0: dummy:.*played\.wav -> denied\n/);
    assert.match(await reload(true), /reloaded: no card changes\n/, "the same change is not told twice");
    const { directory } = card.streams[0]!.share(open.bufferSz);
    const reopen = () =>
      assert.equal(card.streams[0]!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
    reopen();
    assert.equal(card.streams[0]!.close(), 0);
    assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
    await reload(false);
    reopen();
    Deno.statSync(file);
  }));

Deno.test("a guest that records by the moment is told of, in the log, in status --watch and in its counter", () =>
  inBox(async (box) => {
    const device = `dummy:${makeWav(box.path("heard.wav"), sound)}`;
    await box.ok("provision", "domU", "-f", write(box, { type: "capture", device }));
    const daemon = await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    const { directory } = stream!.share(open.bufferSz);
    assert.equal(stream!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
    const watching = box.spawn("status", "--watch", "--json");
    await until("it watches", () => /"event":"state"/.test(watching.stdout));
    for (let i = 0; i < 5; i++) {
      assert.equal(stream!.trigger(XENSND_OP_TRIGGER_START), 0);
      assert.equal(stream!.trigger(XENSND_OP_TRIGGER_STOP), 0);
    }
    await until("the watch tells", () => /"event":"changed".*"starts":5/.test(watching.stdout));
    await until(
      "the log tells",
      () => /its guest has (recorded .* for a moment|ended recording)/.test(daemon.stderr),
    );
    assert.equal((await box.stream(STREAM)).recording, false);
  }));

Deno.test("a stream whose entry is taken out of the file records nothing any more, though its guest stays connected", () =>
  inBox(async (box) => {
    const device = `dummy:${makeWav(box.path("heard.wav"), sound)}`;
    const daemon = await BY_FILE.start(box, { type: "capture", device });
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    const { directory } = stream!.share(open.bufferSz);
    const record = () => {
      assert.equal(stream!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(stream!.trigger(XENSND_OP_TRIGGER_START), 0);
    };
    record();
    await box.untilStream(STREAM, ({ recording }) => recording);
    write(box, { type: "capture", device, "unique-id": "another" });
    assert.match(
      await hangUp(daemon),
      /domU\/0, at once: it is denied; once its guest has gone: not served\n/,
    );
    await box.untilStream(STREAM, ({ denied, recording }) => denied && !recording);
    assert.equal(stream!.trigger(XENSND_OP_TRIGGER_STOP), 0);
    assert.equal(stream!.close(), 0);
    record();
    const { denied, recording } = await box.stream(STREAM);
    assert.deepEqual([denied, recording], [true, false]);
    write(box, { type: "capture", device });
    assert.match(await hangUp(daemon), /domU\/0: it is served again\n/);
    await box.untilStream(STREAM, ({ recording }) => recording);
  }));

Deno.test("a stream that is denied while its guest is about to connect is denied once it has", () =>
  inBox(async (box) => {
    const device = `dummy:${makeWav(box.path("heard.wav"), sound)}`;
    await box.ok("provision", "domU", "-f", write(box, { type: "capture", device }));
    using xen = await openXen({ sandbox: box.xen, domid: 0 });
    let denied = false;
    const readPolicy = () => {
      const policy = readBackendPolicy(xen.store, "/local/domain/0/backend/vsnd/1/0")!;
      const stream = policy.pcms[0]!.streams[0]!;
      return { pcms: [{ streams: [denied ? { ...stream, denied } : stream] }] };
    };
    await using backend = await Backend.start(xen, { readPolicy });
    // The reload begins right after the backend's last look at the card before it connects.
    const settled = xen.store.settled.bind(xen.store);
    const reloaded = Promise.withResolvers<void>();
    xen.store.settled = () => {
      if (!denied) {
        denied = true;
        backend.reload().then(() => reloaded.resolve(), reloaded.reject);
      }
      return settled();
    };
    using guest = await openXen({ sandbox: box.xen, domid: 1 });
    using channels = guest.openEventChannels();
    using sharer = guest.openGrantSharer();
    const { ringPage, eventPage, requestPort, eventPort } = new RawStream(channels, sharer);
    const frontend = "/local/domain/1/device/vsnd/0";
    const nodes = {
      "0/0/ring-ref": ringPage.grefs[0]!,
      "0/0/event-channel": requestPort,
      "0/0/evt-ring-ref": eventPage.grefs[0]!,
      "0/0/evt-event-channel": eventPort,
      state: XenbusState.Initialised,
    };
    for (const [name, value] of Object.entries(nodes)) {
      guest.store.write(`${frontend}/${name}`, String(value));
    }
    await reloaded.promise;
    const [stream] = backend.streams;
    assert.deepEqual([stream!.connected, stream!.policy.denied, stream!.counters.mayRecord], [
      true,
      true,
      false,
    ]);
  }));
