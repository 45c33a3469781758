// SPDX-License-Identifier: MIT
/** A daemon without free descriptors: clients wait, playing streams play on, and both work again once descriptors are free. */
import assert from "node:assert/strict";
import {
  assertSameSamples,
  type Box,
  descriptorLimit,
  descriptors,
  inBox,
  limitThatLeaves,
  makeWav,
  samplesOf,
  settledDescriptors,
  until,
} from "./harness.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000, frames: 3 * 48000 };

/** Fetches the metrics from the daemon's metrics socket. */
async function scrape(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode("GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  let text = "";
  for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
  return text;
}

async function provision(box: Box): Promise<string> {
  const played = box.path("played.wav");
  await box.provision("domU", [{ type: "playback", device: `dummy:${played}` }]);
  return played;
}

Deno.test("EMFILE at the control socket and at the metrics': clients wait, sound goes on, and both answer again", () =>
  inBox(async (box) => {
    const played = await provision(box);
    const metrics = box.path("metrics.sock");
    const daemon = await box.serve("--metrics", `unix:${metrics}`);
    const wav = makeWav(box.path("sound.wav"), SOUND);
    const playing = box.spawn("play", wav, "domU");
    await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
    const taken = await settledDescriptors(daemon.pid);
    const limit = await descriptorLimit(daemon.pid, String(limitThatLeaves(0, taken)));
    try {
      const status = box.status();
      const scraped = scrape(metrics).catch(() => "");
      await until("both are said", () =>
        /warning: control: cannot accept a client/.test(daemon.stderr) &&
        /warning: metrics: cannot accept a client/.test(daemon.stderr));
      assert(!daemon.ended, daemon.stderr);
      await descriptorLimit(daemon.pid, limit);
      assert.equal((await status).streams.length, 1);
      await scraped;
    } finally {
      await descriptorLimit(daemon.pid, limit);
    }
    await until(
      "the metrics are there again",
      async () => /xsnd_streams/.test(await scrape(metrics).catch(() => "")),
    );
    assert.equal((await playing.result).code, 0, playing.stderr);
    assertSameSamples(samplesOf(played), samplesOf(wav));
  }));

Deno.test("more control clients than the daemon serves are told so, and it keeps descriptors for its guests", () =>
  inBox(async (box) => {
    await provision(box);
    const daemon = await box.serve();
    const before = descriptors(daemon.pid).size;
    const path = `${box.xen}/control.sock`;
    const clients: Deno.Conn[] = [];
    try {
      for (let i = 0; i < 200; i++) clients.push(await Deno.connect({ transport: "unix", path }));
      const buffer = new Uint8Array(1000);
      const count = await clients.at(-1)!.read(buffer);
      assert.match(
        new TextDecoder().decode(buffer.subarray(0, count!)),
        /"the daemon has 64 clients already; /,
      );
      assert(descriptors(daemon.pid).size <= before + 64);
    } finally {
      for (const client of clients) client.close();
    }
    await until("it answers again", () => box.status().catch(() => undefined));
  }));

Deno.test("control clients that come and go without end leave no descriptors open, and keep nobody waiting", () =>
  inBox(async (box) => {
    await provision(box);
    const daemon = await box.serve();
    const before = descriptors(daemon.pid).size;
    const path = `${box.xen}/control.sock`;
    let most = 0;
    for (let i = 0; i < 1000; i++) {
      (await Deno.connect({ transport: "unix", path })).close();
      if (i % 50 === 0) most = Math.max(most, descriptors(daemon.pid).size);
    }
    const asked = performance.now();
    await box.status();
    most = Math.max(most, descriptors(daemon.pid).size);
    assert(performance.now() - asked < 3000, `${performance.now() - asked} ms without an answer`);
    assert(most <= before + 128, `${most} descriptors, of which it had ${before} at first`);
  }));
