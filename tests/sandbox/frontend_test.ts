/**
 * The backend under frontends that the command line cannot be: guests that open and close without end, stop and start in
 * the middle, do things in the wrong order, or do what no driver does; and others next to them that must not notice.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { EventFd } from "../../ffi/libc.ts";
import { CardFrontend } from "../../lib/frontend/card_frontend.ts";
import { GuestPcm } from "../../lib/frontend/guest_pcm.ts";
import { RequestError, type StreamFrontend } from "../../lib/frontend/stream_frontend.ts";
import {
  type EventIdBehaviour,
  formatByName,
  type OpenRequest,
  XEN_EINVAL,
  XEN_EIO,
  XEN_EOPNOTSUPP,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER_PAUSE as PAUSE,
  XENSND_OP_TRIGGER_RESUME as RESUME,
  XENSND_OP_TRIGGER_START as START,
  XENSND_OP_TRIGGER_STOP as STOP,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { XenbusState } from "../../lib/xenbus/mod.ts";
import { openXen } from "../../lib/xen/mod.ts";
import {
  assertSameSamples,
  bestOfThree,
  type Box,
  inBox,
  makeWav,
  type Process,
  samplesOf,
  sharedBox,
  until,
} from "./harness.ts";
import { RawCard, type RawStream } from "./raw_frontend.ts";

const S16 = formatByName("s16_le")!.code;
const S32 = formatByName("s32_le")!.code;
const params = { rate: 48000, channels: 2, format: S16, bufferFrames: 2048, periodFrames: 512 };
const FRAME_BYTES = 4;

let daemon: Process;
const served = sharedBox(async (box) => {
  await box.provision("domU", [
    { type: "playback", device: `dummy:${box.path("played.wav")}` },
    { type: "capture", device: "dummy:" },
    { type: "playback", device: "dummy:" },
  ]);
  daemon = await box.serve();
});

/** With a card of two playback streams and a capture stream, and a daemon that must survive `body` without a defect. */
async function inServedBox(
  body: (box: Box, daemon: Process, output: string) => Promise<void>,
): Promise<void> {
  const output = served().path("played.wav");
  await Deno.remove(output).catch(() => {});
  await body(served(), daemon, output);
  assert(!daemon.ended, daemon.stderr);
  assert(!/^\s+at /m.test(daemon.stderr), daemon.stderr);
}

/** The card's first stream, driven as snd_xen_front drives it. */
async function withGuest(
  box: Box,
  behaviour: EventIdBehaviour,
  body: (open: (changes?: Partial<typeof params>) => GuestPcm, stream: StreamFrontend) => void,
): Promise<void> {
  using stop = new EventFd();
  using xen = await openXen({ sandbox: box.xen, domid: 1 });
  await using card = await CardFrontend.connect(xen, "domU", 0, { behaviour, stopFd: stop.fd });
  const stream = card.streams.get("0/0")!;
  body((changes) => new GuestPcm(stream, card.sharer, card.backendDomid, { ...params, ...changes }), stream);
}

/** `count` stereo frames that hold the numbers from `first` on, which is never 0. */
function numbered(first: number, count: number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: count }, (_, i) => first + i).buffer);
}

/** The numbers that the card has played. */
const playedNumbers = (path: string) => Array.from(new Uint32Array(samplesOf(path).slice().buffer));

/** Whether `error` is a refusal with this status. */
function refused(status: number) {
  return (error: unknown) => {
    assert(error instanceof RequestError, String(error));
    assert.equal(error.status, status);
    return true;
  };
}

for (const behaviour of ["linux-6.1", "linux-7.2"] as const) {
  Deno.test(`50 opens and closes in a row, as ${behaviour}: each plays, and is told its positions`, () =>
    inServedBox(async (box, _daemon, output) => {
      await withGuest(box, behaviour, (open, stream) => {
        for (let round = 0; round < 50; round++) {
          using pcm = open({ bufferFrames: 512, periodFrames: 128 });
          pcm.hwParams();
          pcm.open();
          const first = round * 1000 + 1;
          pcm.write(numbered(first, pcm.bufferFrames));
          const events = stream.events;
          pcm.start();
          assert(pcm.waitForPeriod(5000), `no period in round ${round}`);
          assert(pcm.hwPtr > 128 && stream.positionBytes === pcm.hwPtr * FRAME_BYTES);
          assert(stream.events > events);
          pcm.stop();
          pcm.close();
        }
      });
      const played = playedNumbers(output);
      assert.deepEqual(played, Array.from(new Uint32Array(numbered(49_001, played.length).buffer)));
    }));

  Deno.test(`stop, prepare and start in mid-stream, as ${behaviour}: positions begin at 0 and go on`, () =>
    inServedBox((box, _daemon, output) =>
      bestOfThree(async () => {
        const expected: number[] = [];
        await withGuest(box, behaviour, (open) => {
          using pcm = open();
          pcm.hwParams();
          pcm.open();
          let next = 1;
          for (let round = 0; round < 12; round++) {
            const first = next;
            const write = (frames: number) => {
              pcm.write(numbered(next, frames));
              next += frames;
            };
            write(pcm.bufferFrames);
            pcm.start();
            // A stop comes after any number of periods, in the buffer's first round or a later one.
            for (let period = 0; period <= round % 7; period++) {
              assert(pcm.waitForPeriod(5000), `no period in round ${round}`);
              assert(pcm.hwPtr <= pcm.applPtr, "an underrun");
              write(pcm.playbackAvail);
            }
            // The driver's sum of frames since the last wake-up outlives a stop.
            const periods = round % 7 + 1;
            assert(
              pcm.hwPtr > (periods - 1) * pcm.periodFrames && pcm.hwPtr < (periods + 2) * pcm.periodFrames,
              `${pcm.hwPtr} after ${periods} periods`,
            );
            pcm.stop();
            expected.push(first);
            pcm.prepare();
          }
          pcm.close();
        });
        // Of each round its beginning was played, without a gap; what was queued at the stop was not.
        const played = playedNumbers(output);
        const starts = played.filter((number, i) => i === 0 || number !== played[i - 1] + 1);
        assert.deepEqual(starts, expected);
      })
    ));
}

Deno.test("hw_params twice, and an OPEN for each without a CLOSE: the second one counts", () =>
  inServedBox(async (box, _daemon, output) => {
    await withGuest(box, "linux-6.1", (open) => {
      using pcm = open();
      for (let round = 0; round < 3; round++) {
        pcm.hwParams();
        pcm.hwParams();
        pcm.open();
        pcm.write(numbered(round * 10_000 + 1, pcm.bufferFrames));
        pcm.start();
        assert(pcm.waitForPeriod(5000));
      }
      pcm.stop();
      pcm.close();
    });
    const played = playedNumbers(output);
    assert(played.length >= params.periodFrames);
    assert.deepEqual(played, Array.from(new Uint32Array(numbered(20_001, played.length).buffer)));
  }));

Deno.test("a guest's own PAUSE and RESUME lose nothing", () =>
  inServedBox((box, _daemon, output) =>
    bestOfThree(async () => {
      await withGuest(box, "linux-7.2", (open) => {
        using pcm = open();
        pcm.hwParams();
        pcm.open();
        pcm.write(numbered(1, pcm.bufferFrames));
        pcm.start();
        let next = pcm.bufferFrames + 1;
        for (let round = 0; round < 4; round++) {
          assert(pcm.waitForPeriod(5000));
          pcm.pause(true);
          const stands = pcm.hwPtr;
          pcm.stream.waitForEvents(60);
          assert.equal(pcm.hwPtr, stands, "the pointer stands");
          const room = pcm.playbackAvail;
          pcm.write(numbered(next, room));
          next += room;
          pcm.pause(false);
        }
        pcm.waitForPeriod(5000);
        pcm.stop();
        pcm.close();
      });
      const played = playedNumbers(output);
      assert(played.length > 4 * params.periodFrames);
      assert.deepEqual(played, Array.from(new Uint32Array(numbered(1, played.length).buffer)));
    })
  ));

Deno.test("what cannot be settled is refused before OPEN, and the stream works on", () =>
  inServedBox((box) =>
    withGuest(box, "linux-6.1", (open, stream) => {
      const cannot = (change: Partial<typeof params>, message: RegExp) => {
        using pcm = open(change);
        assert.throws(() => pcm.hwParams(), message);
      };
      cannot({ rate: 47999 }, /cannot do rate 47999 Hz/);
      cannot({ channels: 9 }, /cannot do 9 channels/);
      cannot({ format: formatByName("u8")!.code }, /cannot do format u8/);
      using pcm = open();
      pcm.hwParams();
      assert.throws(() => stream.write(0, 4), refused(-XEN_EIO));
      pcm.open();
      pcm.close();
    })
  ));

const open: OpenRequest = {
  pcmRate: 48000,
  pcmFormat: S16,
  pcmChannels: 2,
  bufferSz: 8192,
  grefDirectory: 0,
  periodSz: 2048,
};
const STREAMS = ["0/0", "0/1", "0/2"];
const STREAM = "domU/0/0/0";

/** A frontend held to no protocol, with the card's playback and capture stream. */
async function withRaw(
  box: Box,
  body: (card: RawCard, playback: RawStream, capture: RawStream) => void | Promise<void>,
) {
  await using card = await RawCard.connect(box.xen, 1, STREAMS);
  await body(card, card.streams[0], card.streams[1]);
}

/** That the stream does what a stream does. */
function assertWorks(stream: RawStream): void {
  const { buffer, directory } = stream.share(open.bufferSz);
  assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0] }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, 4096), 0);
  assert.equal(stream.trigger(START), 0);
  let positions: number[] = [];
  stream.waitFor("a position", () => (positions = positions.concat(stream.takePositions())).length > 0);
  assert.equal(stream.trigger(STOP), 0);
  assert.equal(stream.close(), 0);
  buffer[Symbol.dispose]();
  directory[Symbol.dispose]();
}

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

Deno.test("requests that make no sense are refused, and the stream is none the worse", () =>
  inServedBox(async (box) => {
    await withRaw(box, (_card, playback, capture) => {
      const { directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0] }), 0);
      for (
        const [offset, length] of [[8192, 4], [0, 8196], [8188, 8], [1, 4], [0, 3], [0xfffffffc, 8], [
          4,
          0xfffffffc,
        ]]
      ) assert.equal(playback.request(XENSND_OP_WRITE, offset, length), -XEN_EINVAL, `${offset}, ${length}`);
      assert.equal(playback.request(XENSND_OP_READ, 0, 4), -XEN_EINVAL, "READ of a playback stream");
      assert.equal(capture.request(XENSND_OP_WRITE, 0, 4), -XEN_EINVAL, "WRITE to a capture stream");
      for (const operation of [10, 42, 255]) assert.equal(playback.request(operation, 0, 0), -XEN_EOPNOTSUPP);
      assert.equal(playback.trigger(PAUSE), -XEN_EINVAL, "not running");
      assert.equal(playback.trigger(200), -XEN_EINVAL);
      assert.equal(playback.close(), 0);
      assertWorks(playback);
    });
    const { protocolErrors } = await box.stream("domU/0/0/0");
    assert.equal(protocolErrors, undefined, "a stream that is not connected has no counters");
  }));

Deno.test("an OPEN that is not allowed, or whose pages are not there, is refused; the next one works", () =>
  inServedBox((box) =>
    withRaw(box, (_card, playback) => {
      const { buffer, directory } = playback.share(open.bufferSz);
      const good = { ...open, grefDirectory: directory.grefs[0] };
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

      for (const grefDirectory of [0, 0xffffffff, playback.ringPage.grefs[0] + 1000]) {
        assert(playback.open({ ...good, grefDirectory }) < 0, `directory at ${grefDirectory}`);
      }
      // Too few grants for the buffer: the rest of the directory page is zeroes.
      assert(playback.open({ ...good, bufferSz: 3 * 4096, periodSz: 4096 }) < 0);
      // A directory that comes round to itself, and one whose grants are not there.
      const words = new Uint32Array(directory.buffer);
      const [next, ...grefs] = words.slice(0, 3);
      words.set([directory.grefs[0]], 0);
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

Deno.test("a stream without events plays all the same", () =>
  inServedBox(async (box, _daemon, output) => {
    await withRaw(box, async (_card, playback) => {
      const { buffer, directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, periodSz: 0, grefDirectory: directory.grefs[0] }), 0);
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
        assert.equal(playback.open({ ...wide, grefDirectory: directory.grefs[0] }), 0);
        assert.equal(playback.trigger(START), 0);
        // Silence of several MiB, all of which goes to the card's file with the next samples.
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
        heard.every((number, i) => i === 0 || number === heard[i - 1] % (bytes / 4) + 1),
        "there is a gap",
      );
    }),
);

Deno.test("a guest that takes no events plays on, and finds the newest position when it looks", () =>
  inServedBox((box) =>
    withRaw(box, async (_card, playback) => {
      const { directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, periodSz: 256, grefDirectory: directory.grefs[0] }), 0);
      assert.equal(playback.trigger(START), 0);
      // A period of 64 frames has several events; a page of 63 is full in a moment.
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
        assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0] }), 0);
        assert.equal(playback.trigger(START), 0);
        Atomics.store(playback.words, 0, 1000);
        playback.notify();
        if (close) return; // the card goes while the backend lets go of the stream
        await until(
          "it is said",
          () => /domU\/0\/0\/0: the frontend is broken: its request producer/.test(daemon.stderr.slice(from)),
        );
        await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
        assertWorks(other);
        Atomics.store(playback.words, 0, 7);
        playback.notify();
        assertWorks(other);
      });
      await withRaw(box, (_card, playback) => assertWorks(playback));
    }
  }));

Deno.test("a frontend that starts over in mid-play, with new rings, is served again", () =>
  inServedBox(async (box) => {
    for (let round = 0; round < 3; round++) {
      // Left as a guest leaves it that crashes: connected, playing, its pages still granted.
      const crashed = await RawCard.connect(box.xen, 1, STREAMS);
      const [playback] = crashed.streams;
      const { directory } = playback.share(open.bufferSz);
      assert.equal(playback.open({ ...open, grefDirectory: directory.grefs[0] }), 0);
      assert.equal(playback.trigger(START), 0);
      await withRaw(box, (_card, playback) => assertWorks(playback));
      crashed.xen[Symbol.dispose]();
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
      await bestOfThree(async () => {
        const playing = box.spawn("play", input, "domV/0/0/0");
        await box.untilStream("domV/0/0/0", ({ state }) => state === "running");
        await withRaw(box, (_card, playback, capture) => {
          const { directory } = playback.share(open.bufferSz);
          const grefDirectory = fc.oneof(fc.constant(directory.grefs[0]), fc.nat(0xffffffff));
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
              ...constants({ ...open, grefDirectory: directory.grefs[0] }),
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
      });
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

Deno.test("a guest that goes from state to state as it likes cannot confuse the backend", () =>
  inServedBox(async (box) => {
    using xen = await openXen({ sandbox: box.xen, domid: 1 });
    const path = "/local/domain/1/device/vsnd/0/state";
    const { Unknown, Initialising, Initialised, Connected, Closing, Closed } = XenbusState;
    let random = 1;
    for (let step = 0; step < 200; step++) {
      random = random * 48271 % 0x7fffffff;
      const states = [
        Unknown,
        Initialising,
        Initialised,
        Connected,
        Closing,
        Closed,
        "",
        "nonsense",
        "4\0",
        1e9,
      ];
      xen.store.write(path, String(states[random % states.length]));
    }
    xen.store.remove(path);
    xen.store.write(path, "6");
    await withRaw(box, (_card, playback) => assertWorks(playback));
  }));
