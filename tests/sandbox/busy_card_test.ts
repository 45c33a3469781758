// SPDX-License-Identifier: MIT
/** A guest opens a stream while another program has the host's device open. */
import assert from "node:assert/strict";
import { ERRORS, EVER, FaultyCards } from "./faulty_cards.ts";
import { inBox, makeWav } from "./harness.ts";

const STREAM = "domU/0/0/0";

Deno.test("a busy device is replaced by silence in real time, with a line in the log, and is used as soon as it is free", () =>
  inBox(async (box) => {
    const cards = new FaultyCards(box, ["card"]);
    await box.provision("domU", [{ type: "playback", device: "card" }]);
    const daemon = await box.serveWith(cards.environment);
    cards.fail("card", ["open", ERRORS.EBUSY, 0, EVER]);
    const wav = makeWav(box.path("long.wav"), {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 5 * 48000,
    });
    const start = performance.now();
    const playing = box.spawn("play", wav, "domU", "--json");
    const silent = await box.untilStream(
      STREAM,
      ({ state, positionFrames }) => state === "running" && positionFrames > 24000,
    );
    assert.equal(silent.cardLost, true);
    assert.match(await box.ok("status"), /card lost/);
    assert.match(daemon.stderr, /error: .*"card".*EBUSY.*: the stream goes on in silence until it is free/);
    cards.mend("card");
    const found = await box.untilStream(STREAM, ({ cardLost }) => cardLost === false);
    assert.equal(found.state, "running");
    assert(found.positionFrames > silent.positionFrames);
    assert.match(daemon.stderr, /info: .*card is there again/);
    const { code, stdout, stderr } = await playing.result;
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).xruns, 0);
    assert(performance.now() - start >= 5000, "in real time");
  }));

Deno.test("a device that turns out not to fit what its guest has opened stays silent, and the log says why", () =>
  inBox(async (box) => {
    const cards = new FaultyCards(box, ["card"]);
    await box.provision("domU", [{ type: "playback", device: "card" }]);
    const daemon = await box.serveWith(cards.environment);
    cards.fail("card", ["open", ERRORS.EBUSY, 0, EVER]);
    // The device has two channels.
    const wav = makeWav(box.path("wide.wav"), {
      format: "s16_le",
      channels: 8,
      rate: 48000,
      frames: 3 * 48000,
    });
    const playing = box.spawn("play", wav, "domU");
    await box.untilStream(STREAM, ({ state }) => state === "running");
    cards.mend("card");
    assert.equal((await playing.result).code, 0, playing.stderr);
    assert.match(daemon.stderr, /warning: .*cannot set up PCM "card" for playback: .*channels/);
    // The next play learns from the device that 8 channels are too many.
    const { code, stderr } = await box.run("play", wav, "domU");
    assert.equal(code, 1, stderr);
  }));
