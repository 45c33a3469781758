// SPDX-License-Identifier: MIT
/** PCMs of ALSA's `multi`, in the real libasound: a PCM whose writes never return is refused, and no other stream waits. */
import assert from "node:assert/strict";
import { assertSameSamples, type Box, inBox, makeWav, samplesOf } from "./harness.ts";

/** Two null PCMs as one PCM of four channels: bare, behind a route and behind a rate converter; and a `multi` of a file PCM. */
const CONFIGURATION = `
pcm.null { type null }
pcm.file { type file slave.pcm null file /dev/null format raw }
pcm.both {
  type multi
  slaves.a { pcm null channels 2 }
  slaves.b { pcm null channels 2 }
  bindings [ { slave a channel 0 } { slave a channel 1 } { slave b channel 0 } { slave b channel 1 } ]
}
pcm.filed {
  type multi
  slaves.a { pcm file channels 2 }
  bindings [ { slave a channel 0 } { slave a channel 1 } ]
}
pcm.routed { type plug slave.pcm both }
pcm.rated { type plug slave { pcm both rate 44100 } }
pcm.plain { type plug slave.pcm null }
`;
const ENDLESS = ["both", "filed", "routed", "rated"];

async function inMultiBox(body: (box: Box, env: Record<string, string>) => Promise<void>): Promise<void> {
  await inBox(
    async (box) => {
      const file = box.path("asound.conf");
      Deno.writeTextFileSync(file, CONFIGURATION);
      await body(box, { ALSA_CONFIG_PATH: file });
    },
    ...ENDLESS,
    "plain",
    "witness",
  );
}

Deno.test("a PCM of multi whose writes never return is refused, others play, and SIGTERM ends the daemon", () =>
  inMultiBox(async (box, env) => {
    for (const guest of [...ENDLESS, "plain"]) {
      await box.provision(guest, [{ type: "playback", device: guest }]);
    }
    const played = box.path("witness.wav");
    await box.provision("witness", [{ type: "playback", device: `dummy:${played}` }]);
    const daemon = await box.serveWith(env);
    const wav = makeWav(box.path("a.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 48000 });
    const witness = box.spawn("play", wav, "witness");
    for (const guest of ENDLESS) {
      const { code, stderr } = await box.run("play", wav, guest);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /the backend refuses .*: ENODEV/);
    }
    assert.match(
      daemon.stderr,
      /cannot open PCM "routed" for playback: a write to ALSA's multi with a null PCM/,
    );
    assert.match(await box.ok("play", wav, "plain"), /^played /);
    assert.equal((await witness.result).code, 0);
    assertSameSamples(samplesOf(played), samplesOf(wav));
    const { stderr } = await daemon.end("SIGTERM");
    assert(!/does not come back:/.test(stderr), stderr);
  }));
