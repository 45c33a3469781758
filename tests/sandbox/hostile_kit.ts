// SPDX-License-Identifier: MIT
/**
 * Tests of a hostile guest: while one guest attacks, a witness plays, and must not lose a sample. After each attack the kit
 * asserts that the daemon lives, and that it still serves a guest that keeps to the protocol.
 */
import assert from "node:assert/strict";
import { assertSameSamples, type Box, makeWav, type Process, samplesOf, sharedBox } from "./harness.ts";
import { assertWorks, RawCard, STREAMS } from "./raw_frontend.ts";

/** The witness's sound, about as long as a group of attacks. */
const WITNESS = { format: "s16_le", channels: 2, rate: 48000, frames: 10 * 48000 };

export interface Attacked {
  readonly box: Box;
  /** Domain 1's card, connected by the protocol: two playback streams, 0 and 2, and a capture stream, 1. */
  connect(): Promise<RawCard>;
  /** What the daemon has logged since the attack began. */
  log(): string;
}

/** Attacks by name. */
export type Attacks = Readonly<Record<string, (attacked: Attacked) => void | Promise<void>>>;

/** One box for all attacks of a file; returns a function that runs attacks while the witness plays. */
export function attackedBox(): (attacks: Attacks) => Promise<void> {
  let daemon: Process;
  const attacked = sharedBox(
    async (box) => {
      await box.provision("hostile", [
        { type: "playback", device: "dummy:" },
        { type: "capture", device: "dummy:" },
        { type: "playback", device: "dummy:" },
      ]);
      await box.provision("witness", [{ type: "playback", device: `dummy:${box.path("witness.wav")}` }]);
      daemon = await box.serve();
    },
    "hostile",
    "witness",
  );

  return async (attacks) => {
    const box = attacked();
    const wav = makeWav(box.path("in.wav"), WITNESS);
    const playing = box.spawn("play", wav, "witness", "--json");
    await box.untilStream("witness/0/0/0", ({ state }) => state === "running");
    for (const [name, attack] of Object.entries(attacks)) {
      const from = daemon.stderr.length;
      const connect = () => RawCard.connect(box.xen, 1, STREAMS);
      try {
        await attack({ box, connect, log: () => daemon.stderr.slice(from) });
        assert(!daemon.ended, daemon.stderr.slice(from));
        await using card = await connect();
        for (const stream of [card.streams[0], card.streams[2]]) assertWorks(stream!);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
      const said = daemon.stderr.slice(from);
      assert(!/^\s+at /m.test(said), `${name}: a defect's trace in the log: ${said}`);
      assert(said.split("\n").length < 100, `${name}: too much is logged: ${said}`);
    }
    const { code, stdout, stderr } = await playing.result;
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).xruns, 0, "the witness's xruns");
    assertSameSamples(samplesOf(box.path("witness.wav")), samplesOf(wav), "the witness's samples");
  };
}
