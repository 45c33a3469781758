// SPDX-License-Identifier: MIT
/**
 * The backend under frontends that break the protocol: requests in the wrong order, meaningless requests, missing pages and
 * impossible rings. Other guests must not notice.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeCloseRequest,
  formatByName,
  type OpenRequest,
  ResponseView,
  Taken,
  XEN_EINVAL,
  XEN_EIO,
  XEN_ENODEV,
  XEN_EOPNOTSUPP,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER_PAUSE as PAUSE,
  XENSND_OP_TRIGGER_RESUME as RESUME,
  XENSND_OP_TRIGGER_START as START,
  XENSND_OP_TRIGGER_STOP as STOP,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { numbered, playedNumbers, servedCard } from "./guest_card.ts";
import {
  assertSameSamples,
  descriptorLimit,
  descriptors,
  inBox,
  limitThatLeaves,
  makeWav,
  samplesOf,
  settledDescriptors,
  until,
} from "./harness.ts";
import { assertWorks, open, type RawStream, withRaw } from "./raw_frontend.ts";

const S16 = formatByName("s16_le")!.code;
const S32 = formatByName("s32_le")!.code;
const FRAME_BYTES = 4;

const inServedBox = servedCard();

const STREAM = "domU/0/0/0";

Deno.test("requests before OPEN are refused, CLOSE is not; the stream is none the worse", () =>
  inServedBox((box) =>
    withRaw(box, (_card, playback, capture) => {
      assert.equal(playback.request(XENSND_OP_WRITE, 0, 4), -XEN_EIO);
      assert.equal(capture.request(XENSND_OP_READ, 0, 4), -XEN_EIO);
      for (const type of [START, PAUSE, STOP, RESUME, 4, 255]) {
        assert.equal(playback.trigger(type), -XEN_EINVAL);
      }
      assert.equal(playback.close(), 0);
      assert.equal(playback.close(), 0);
      assertWorks(playback);
    })
  ));

Deno.test("every answer is told, even if the guest's rsp_event has stayed behind", () =>
  inServedBox((box) =>
    withRaw(box, async (_card, playback) => {
      const RSP_EVENT = 3;
      for (const behind of [1, 5, 1000]) {
        assert.equal(playback.close(), 0);
        while (playback.channels.pending() >= 0) { /* what was told already */ }
        playback.channels.unmask(playback.requestPort);
        Atomics.sub(playback.words, RSP_EVENT, behind);
        encodeCloseRequest(playback.ring.view, playback.ring.reserve(), behind);
        playback.ring.pushRequests();
        playback.notify();
        await until("it is told", () => {
          if (playback.channels.pending() !== playback.requestPort) return false;
          playback.channels.unmask(playback.requestPort);
          // The previous answer may have been notified twice.
          return playback.ring.take(new ResponseView()) === Taken.one;
        });
        assert.equal(playback.ring.finalCheckForResponses(), false);
      }
    })
  ));

Deno.test("requests that make no sense are refused, and the stream is none the worse", () =>
  inServedBox(async (box) => {
    const { protocolErrors: before } = await box.stream(STREAM);
    const counted = async () => (await box.stream(STREAM)).protocolErrors - before;
    await withRaw(box, async (_card, playback, capture) => {
      const { directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      for (
        const [offset, length] of [[8192, 4], [0, 8196], [8188, 8], [1, 4], [0, 3], [0xfffffffc, 8], [
          4,
          0xfffffffc,
        ]]
      ) {
        assert.equal(
          playback.request(XENSND_OP_WRITE, offset!, length!),
          -XEN_EINVAL,
          `${offset}, ${length}`,
        );
      }
      assert.equal(playback.request(XENSND_OP_READ, 0, 4), -XEN_EINVAL, "READ of a playback stream");
      assert.equal(capture.request(XENSND_OP_WRITE, 0, 4), -XEN_EINVAL, "WRITE to a capture stream");
      for (const operation of [10, 42, 255]) assert.equal(playback.request(operation, 0, 0), -XEN_EOPNOTSUPP);
      assert.equal(await counted(), 11, "each of them counts once");
      assert.equal(playback.trigger(PAUSE), -XEN_EINVAL, "not running");
      assert.equal(playback.trigger(200), -XEN_EINVAL);
      assert.equal(playback.close(), 0);
      assertWorks(playback);
    });
    assert.equal(await counted(), 13, "they are not forgotten with the connection");
  }));

Deno.test("an OPEN that is not allowed, or whose pages are not there, is refused; the next one works", () =>
  inServedBox((box) =>
    withRaw(box, (_card, playback) => {
      const { buffer, directory } = playback.share(open.bufferSz);
      const good = { ...open, grefDirectory: directory.grefs[0]! };
      for (
        const change of [
          { pcmRate: 47999 },
          { pcmFormat: 99 },
          { pcmChannels: 0 },
          { bufferSz: 0 },
          { bufferSz: 8190 },
          { bufferSz: 0xfffffffc },
          { periodSz: 8196 },
          { periodSz: 3 },
        ]
      ) assert.equal(playback.open({ ...good, ...change }), -XEN_EINVAL, JSON.stringify(change));

      for (const grefDirectory of [0, 0xffffffff, playback.ringPage.grefs[0]! + 1000]) {
        assert(playback.open({ ...good, grefDirectory }) < 0, `directory at ${grefDirectory}`);
      }
      // There are too few grants for the buffer: the rest of the directory page is zeroes.
      assert(playback.open({ ...good, bufferSz: 3 * 4096, periodSz: 4096 }) < 0);
      // The first directory links to itself; the second contains grants that do not exist.
      const words = new Uint32Array(directory.buffer);
      const [next = 0, ...grefs] = words.slice(0, 3);
      words.set([directory.grefs[0]!], 0);
      assert(playback.open({ ...good, bufferSz: 1 << 20, periodSz: 4096 }) < 0);
      words.set([next, 0x7fffffff, 0xfffffff0], 0);
      assert(playback.open(good) < 0);
      words.set([next, ...grefs], 0);
      assert.equal(playback.open(good), 0);
      assert.equal(playback.request(XENSND_OP_WRITE, 0, buffer.buffer.byteLength), 0);
      assert.equal(playback.close(), 0);
      assertWorks(playback);
    })
  ));

Deno.test("an OPEN for which the daemon has too few file descriptors is refused, and leaves none behind", () =>
  inServedBox((box, daemon) =>
    withRaw(box, async (_card, playback) => {
      const { directory } = playback.share(open.bufferSz);
      const request = { ...open, grefDirectory: directory.grefs[0]! };
      assertWorks(playback);
      const before = await settledDescriptors(daemon.pid);
      // OPEN needs descriptors for the file, the pipe to it and the engine's timer. Each in turn is the first that fails.
      for (const left of [0, 1, 2, 3]) {
        const limit = await descriptorLimit(daemon.pid, String(limitThatLeaves(left, before)));
        try {
          assert([-XEN_EIO, -XEN_ENODEV].includes(playback.open(request)), `${left} descriptors`);
          assert.equal(playback.request(XENSND_OP_WRITE, 0, 4), -XEN_EIO, "it is not open");
        } finally {
          await descriptorLimit(daemon.pid, limit);
        }
        await until("they are given back", () => descriptors(daemon.pid).size === before.size);
      }
      assert.match(daemon.stderr, /OPEN failed: .*timerfd_create: .*EMFILE/);
      assertWorks(playback);
    })
  ));

Deno.test("a stream without events plays all the same", () =>
  inServedBox(async (box, _daemon, output) => {
    await withRaw(box, async (_card, playback) => {
      const { buffer, directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, periodSz: 0, grefDirectory: directory.grefs[0]! }), 0);
      new Uint8Array(buffer.buffer).set(numbered(1, 2048));
      assert.equal(playback.request(XENSND_OP_WRITE, 0, 8192), 0);
      assert.equal(playback.trigger(START), 0);
      await box.untilStream("domU/0/0/0", ({ positionFrames }) => positionFrames > 2048);
      assert.deepEqual(playback.takePositions(), []);
      assert.equal(playback.close(), 0);
    });
    assert.deepEqual(playedNumbers(output), Array.from(new Uint32Array(numbered(1, 2048).buffer)));
  }));

Deno.test(
  "a guest that writes nothing for long, and does not stop, is heard when it goes on at the pointer",
  () =>
    inServedBox(async (box, _daemon, output) => {
      const [frameBytes, frames] = [32, 16_384];
      const bytes = frames * frameBytes;
      const wide = {
        ...open,
        pcmRate: 96_000,
        pcmFormat: S32,
        pcmChannels: 8,
        bufferSz: bytes,
        periodSz: bytes / 4,
      };
      await withRaw(box, async (_card, playback) => {
        const { buffer, directory } = playback.share(bytes);
        assert.equal(playback.open({ ...wide, grefDirectory: directory.grefs[0]! }), 0);
        assert.equal(playback.trigger(START), 0);
        // This silence is several MiB. The next samples make the device write all of it to its file.
        let position = 0;
        playback.waitFor("a second", () => {
          position = playback.takePositions().at(-1) ?? position;
          return position > 96_000 * frameBytes;
        });
        new Uint8Array(buffer.buffer).set(numbered(1, bytes / 4));
        const at = (position + bytes / 4) % bytes;
        assert.equal(playback.request(XENSND_OP_WRITE, at, Math.min(bytes / 2, bytes - at)), 0);
        const { positionFrames } = await box.stream(STREAM);
        await box.untilStream(STREAM, (now) => now.positionFrames > positionFrames + 2 * frames);
        assert.equal(playback.close(), 0);
      });
      const heard = playedNumbers(output).filter((number) => number !== 0);
      assert(heard.length > 0, "nothing was heard");
      assert(
        heard.every((number, i) => i === 0 || number === heard[i - 1]! % (bytes / 4) + 1),
        "there is a gap",
      );
    }),
);

Deno.test("a guest that takes no events plays on, and finds the newest position when it looks", () =>
  inServedBox((box) =>
    withRaw(box, async (_card, playback) => {
      const { directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, periodSz: 256, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(playback.trigger(START), 0);
      // Each period of 64 frames has several events, so the event page, with room for 63, is soon full.
      await box.untilStream("domU/0/0/0", ({ positionFrames }) => positionFrames > 30_000);
      const stale = playback.takePositions();
      assert(stale.length > 0 && stale.length <= 63 && stale.at(-1)! < 30_000 * FRAME_BYTES);
      let positions: number[] = [];
      playback.waitFor("the newest", () => {
        positions = positions.concat(playback.takePositions());
        return positions.length > 0 && positions.at(-1)! > 30_000 * FRAME_BYTES;
      });
      const all = [...stale, ...positions];
      assert.deepEqual(all, all.toSorted((a, b) => a - b), "never backwards");
      assert.equal(playback.close(), 0);
    })
  ));

Deno.test("a ring whose producer index cannot be disconnects that stream alone", () =>
  inServedBox(async (box, daemon) => {
    for (const close of [false, true]) {
      const from = daemon.stderr.length;
      await withRaw(box, async (card, playback) => {
        const other = card.streams[2];
        const { directory } = playback.share(open.bufferSz);
        assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
        assert.equal(playback.trigger(START), 0);
        Atomics.store(playback.words, 0, 1000);
        playback.notify();
        if (close) return; // the frontend disconnects while the backend closes the stream
        await until(
          "it is said",
          () => /domU\/0\/0\/0: the frontend is broken: its request producer/.test(daemon.stderr.slice(from)),
        );
        await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
        assertWorks(other!);
        Atomics.store(playback.words, 0, 7);
        playback.notify();
        assertWorks(other!);
      });
      await withRaw(box, (_card, playback) => assertWorks(playback));
    }
  }));

Deno.test("a guest's garbage on one card leaves another guest's sound untouched", () =>
  inBox(
    async (box) => {
      const output = box.path("played.wav");
      await box.provision("domU", [
        { type: "playback", device: "dummy:" },
        { type: "capture", device: "dummy:" },
        { type: "playback", device: "dummy:" },
      ]);
      await box.provision("domV", [{ type: "playback", device: `dummy:${output}` }]);
      const daemon = await box.serve();
      const input = makeWav(box.path("in.wav"), {
        format: "s16_le",
        channels: 2,
        rate: 48000,
        frames: 72_000,
      });
      const playing = box.spawn("play", input, "domV/0/0/0");
      await box.untilStream("domV/0/0/0", ({ state }) => state === "running");
      await withRaw(box, (_card, playback, capture) => {
        const { directory } = playback.share(open.bufferSz);
        const grefDirectory = fc.oneof(fc.constant(directory.grefs[0]!), fc.nat(0xffffffff));
        const word = fc.oneof(fc.nat(10_000), fc.nat(0xffffffff));
        const step = fc.oneof(
          fc.record({
            kind: fc.constant("rw" as const),
            operation: fc.nat(12),
            offset: word,
            length: word,
          }),
          fc.record({ kind: fc.constant("trigger" as const), type: fc.nat(6) }),
          fc.record({
            kind: fc.constant("open" as const),
            pcmRate: fc.constantFrom(48000, 44100, 1, 0xffffffff),
            pcmFormat: fc.constantFrom(S16, 10, 24, 255),
            pcmChannels: fc.constantFrom(0, 1, 2, 255),
            bufferSz: fc.constantFrom(0, 4096, 8192, 1 << 20, 0xffffffff),
            periodSz: fc.constantFrom(0, 4, 2048, 8192, 0xffffffff),
            grefDirectory,
          }),
          fc.record({
            kind: fc.constant("open" as const),
            ...constants({ ...open, grefDirectory: directory.grefs[0]! }),
          }),
          fc.record({ kind: fc.constant("close" as const) }),
        );
        const run = (stream: RawStream, request: Step) => {
          if (request.kind === "rw") stream.request(request.operation, request.offset, request.length);
          else if (request.kind === "trigger") stream.trigger(request.type);
          else if (request.kind === "open") stream.open(request);
          else stream.close();
        };
        fc.assert(
          fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 20 }), (steps) => {
            for (const [request, first] of steps) run(first ? playback : capture, request);
          }),
          { numRuns: 60 },
        );
        playback.close();
        assertWorks(playback);
      });
      const { code, stdout, stderr } = await playing.result;
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, /, 0 xruns;/);
      assertSameSamples(samplesOf(output), samplesOf(input));
      assert(!daemon.ended);
    },
    "domU",
    "domV",
  ));

type Step =
  | { kind: "rw"; operation: number; offset: number; length: number }
  | { kind: "trigger"; type: number }
  | ({ kind: "open" } & OpenRequest)
  | { kind: "close" };

function constants<T extends object>(values: T): { [K in keyof T]: fc.Arbitrary<T[K]> } {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fc.constant(value)])) as {
    [K in keyof T]: fc.Arbitrary<T[K]>;
  };
}
