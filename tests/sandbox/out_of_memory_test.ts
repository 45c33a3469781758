// SPDX-License-Identifier: MIT
/**
 * A host without memory for one guest's pages: strace makes the daemon's mmap(2) of that guest's memory fail with ENOMEM.
 * RLIMIT_AS cannot replace strace: V8 ends its process when the limit refuses memory to V8.
 */
import assert from "node:assert/strict";
import { XEN_ENOMEM } from "../../lib/sndif/mod.ts";
import { grantsPath } from "../../lib/xen/embedded/layout.ts";
import { assertSameSamples, type Box, inBox, makeWav, Process, samplesOf, until } from "./harness.ts";
import { open, RawCard } from "./raw_frontend.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000 };

/** Makes every mapping of domain `domid`'s memory fail in process `pid`, until the returned object is disposed. */
async function withoutMemory(box: Box, pid: number, domid: number): Promise<AsyncDisposable> {
  const of = ["-P", grantsPath(box.xen, domid), "-e", "trace=mmap", "-e", "inject=mmap:error=ENOMEM"];
  const strace = new Process("strace", ["-f", "-p", String(pid), ...of]);
  await until("strace has the process", () => {
    assert(!strace.ended, strace.stderr);
    return /attached/.test(strace.stderr);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await strace.end("SIGINT");
      assert.match(strace.stderr, /ENOMEM.*\(INJECTED\)/, "something was refused");
    },
  };
}

Deno.test(
  "ENOMEM: OPEN is told so, a card connects when there is memory again, and who plays meanwhile plays on (needs root)",
  {
    // strace is not the daemon's parent, so only root may trace.
    ignore: Deno.uid() !== 0,
  },
  () =>
    inBox(
      async (box) => {
        const played = box.path("played.wav");
        await box.provision("witness", [{ type: "playback", device: `dummy:${played}` }]);
        await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
        const daemon = await box.serve();
        const wav = makeWav(box.path("long.wav"), { ...SOUND, frames: 8 * 48000 });
        const witness = box.spawn("play", wav, "witness");
        await box.untilStream("witness/0/0/0", ({ state }) => state === "running");
        {
          await using card = await RawCard.connect(box.xen, 2, ["0/0"]);
          const [stream] = card.streams;
          const { directory } = stream!.share(open.bufferSz);
          const request = { ...open, grefDirectory: directory.grefs[0]! };
          {
            await using _none = await withoutMemory(box, daemon.pid, 2);
            assert.equal(stream!.open(request), -XEN_ENOMEM);
          }
          assert.match(daemon.stderr, /warning: .*domU\/0\/0\/0.* domain 2 .*: ENOMEM/);
          assert.equal(stream!.open(request), 0);
        }
        const short = makeWav(box.path("short.wav"), { ...SOUND, frames: 4800 });
        let late: Process;
        {
          await using _none = await withoutMemory(box, daemon.pid, 2);
          late = box.spawn("play", short, "domU");
          await until(
            "it is said",
            () => /domU\/0.*not connected yet, tried again in 1 s: .*ENOMEM/.test(daemon.stderr),
          );
        }
        assert.equal((await late.result).code, 0, late.stderr);
        assert.equal((await witness.result).code, 0, witness.stderr);
        assertSameSamples(samplesOf(played), samplesOf(wav));
        assert(!/^\s+at /m.test(daemon.stderr), daemon.stderr);
      },
      "witness",
      "domU",
    ),
);
