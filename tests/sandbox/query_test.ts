// SPDX-License-Identifier: MIT
/** HW_PARAM_QUERY: the device itself answers, and is not kept open for the answer. */
import assert from "node:assert/strict";
import { formatByName, formatsToMask, HwParam } from "../../lib/sndif/mod.ts";
import { inBox, until } from "./harness.ts";
import { PulseServer } from "./pulse_server.ts";
import { open, RawCard } from "./raw_frontend.ts";

const STREAM = "domU/0/0/0";

/** A query that allows everything. */
function anything(): HwParam {
  const param = new HwParam();
  param.formatsLow = 0xffffffff;
  for (const interval of [param.rates, param.channels, param.buffer, param.period]) interval.max = 0xffffffff;
  return param;
}

Deno.test("a query is answered by what the card can do of what is provisioned, whether it is open or not", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: `dummy:${box.path("played.wav")}` }]);
    await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    const ask = () => {
      const param = anything();
      param.rates.max = 50_000;
      assert.equal(stream!.query(param), 0);
      // A sample of sndif's s24_le has four octets; WAV has no such format.
      const formats = ["s16_le", "s24_le", "s32_le", "float_le"].map((name) => formatByName(name)!.code);
      assert.equal(param.formatsLow, formatsToMask(formats));
      assert.deepEqual([param.rates, param.channels], [{ min: 8000, max: 48000 }, { min: 1, max: 8 }]);
    };
    for (let i = 0; i < 5; i++) ask();
    const { buffer, directory } = stream!.share(open.bufferSz);
    assert.equal(stream!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
    ask();
    assert.equal(stream!.close(), 0);
    ask();
    const impossible = anything();
    impossible.rates.max = 7999;
    assert.equal(stream!.query(impossible), 0);
    assert(impossible.rates.min > impossible.rates.max, "nothing fits");
    for (const pages of [buffer, directory]) pages[Symbol.dispose]();
    assert((await box.untilStream(STREAM, () => true)).queries >= 7);
  }));

Deno.test("a card that a guest has asked about is let go of soon after", async () => {
  await using server = await PulseServer.start({ rate: 48000, channels: 2 });
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "pulse" }]);
    await box.serveWith(server.environment);
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    const before = await server.clients();
    for (let round = 0; round < 2; round++) {
      const param = anything();
      assert.equal(stream!.query(param), 0);
      assert(param.rates.min <= 48000 && param.rates.max >= 48000);
      assert.equal(await server.clients(), before + 1, "the card is asked through a handle of its own");
      for (let i = 0; i < 20; i++) assert.equal(stream!.query(anything()), 0);
      await until("it is let go of", async () => await server.clients() === before);
    }
  });
});
