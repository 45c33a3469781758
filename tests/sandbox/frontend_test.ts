// SPDX-License-Identifier: MIT
/**
 * The backend under guests that the command line cannot imitate. They keep to the protocol; they open and close many times,
 * and prepare twice.
 */
import assert from "node:assert/strict";
import { EventFd } from "../../ffi/libc/event_fd.ts";
import { CardFrontend } from "../../lib/guest/card_frontend.ts";
import { GuestPcm } from "../../lib/guest/guest_pcm.ts";
import { runTogether } from "../../lib/guest/turns.ts";
import { RequestError, type StreamFrontend } from "../../lib/guest/stream_frontend.ts";
import { type EventIdBehaviour, formatByName, XEN_EIO } from "../../lib/sndif/mod.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { numbered, playedNumbers, servedCard } from "./guest_card.ts";
import type { Box } from "./harness.ts";

const S16 = formatByName("s16_le")!.code;
const params = { rate: 48000, channels: 2, format: S16, bufferFrames: 2048, periodFrames: 512 };
const FRAME_BYTES = 4;

const inServedBox = servedCard();

/** Connects as domU's frontend, and drives the card's first stream as snd_xen_front does. */
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

function waitForPeriod(pcm: GuestPcm): void {
  runTogether([(function* () {
    assert(yield pcm, "no period");
  })()]);
}

/** A check that an error is a refusal with this status. */
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
          waitForPeriod(pcm);
          assert(pcm.hwPtr > 128 && stream.positionBytes === pcm.hwPtr * FRAME_BYTES);
          assert(stream.events > events);
          pcm.stop();
          pcm.close();
        }
      });
      const played = playedNumbers(output);
      assert.deepEqual(played, Array.from(new Uint32Array(numbered(49_001, played.length).buffer)));
    }));
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
        waitForPeriod(pcm);
      }
      pcm.stop();
      pcm.close();
    });
    const played = playedNumbers(output);
    assert(played.length >= params.periodFrames);
    assert.deepEqual(played, Array.from(new Uint32Array(numbered(20_001, played.length).buffer)));
  }));

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
