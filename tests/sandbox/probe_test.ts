// SPDX-License-Identifier: MIT
/** probe, and check --probe, on ALSA's plugins and a sound server, so that no sound hardware is needed. */
import assert from "node:assert/strict";
import { ERRORS, EVER, FaultyCards } from "./faulty_cards.ts";
import { assertFails, type Box, inBox, makeWav } from "./harness.ts";
import { endAtReboot } from "./shell.ts";
import { PulseServer } from "./pulse_server.ts";

/** An ALSA configuration with two PCMs; a hint advertises one of them. */
function alsa(box: Box): Record<string, string> {
  const path = box.path("asound.conf");
  Deno.writeTextFileSync(
    path,
    "pcm.nowhere { type null }\npcm.linear { type linear slave { pcm nowhere format S16_LE }\n" +
      '  hint { show on description "converts" } }\n',
  );
  return { ALSA_CONFIG_PATH: path };
}

Deno.test("probe says what each PCM can do, and what cannot be asked, without stopping at it", () =>
  inBox(async (box) => {
    const wav = makeWav(box.path("in.wav"), { rate: 44100, channels: 2, format: "s16_le", frames: 10 });
    const env = alsa(box);
    const { code, stdout, stderr } = await box.spawnWith(
      env,
      ...["probe", "--json", "hw:31,0", "linear", `dummy:${wav}`],
    ).result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const { pcms } = JSON.parse(stdout);
    const found = pcms.map((
      { pcm, type, problem }: Record<string, unknown>,
    ) => [pcm, type, problem !== null]);
    assert.deepEqual(found.slice(0, 4), [
      ["hw:31,0", "playback", true],
      ["hw:31,0", "capture", true],
      ["linear", "playback", false],
      ["linear", "capture", false],
    ]);
    assert(pcms[2].formats.includes("s32_le") && !pcms[2].formats.includes("float_le"), pcms[2].formats);
    const { formats, rates, channelsMin, channelsMax } = pcms[5];
    assert.deepEqual([rates, channelsMin, channelsMax], [[44100], 2, 2]);
    assert(formats.includes("s16_le"));
    const table = await box.spawnWith(env, "probe").result;
    assert.match(
      table.stdout,
      /^PCM +TYPE +RATES +CHANNELS +FORMATS\nlinear +playback +5512-192000 +1-255 +s8 u8 /,
    );
    const none = await box.spawnWith(env, "probe", "hw:31,0").result;
    assert.equal(none.code, 1);
    assert.match(
      none.stdout,
      /^hw:31,0 \(playback, capture\):\n {2}cannot open PCM "hw:31,0": [^`]*\n {2}ALSA says: /,
    );
    assert.equal(none.stdout.match(/hw:31,0 \(/g)?.length, 1, "once for both directions");
    assert.match(none.stderr, /^xsnd: no PCM is usable; `xsnd probe` without a name shows all PCMs\n$/);
  }));

Deno.test("what probe --yaml prints passes check --probe and provision; --xl says the same", () =>
  inBox(async (box) => {
    await using pulse = await PulseServer.start({ rate: 48000, channels: 2 });
    const run = (...args: string[]) => box.spawnWith(pulse.environment, ...args).result;
    const { code, stdout, stderr } = await run("probe", "--yaml", "pulse", "dummy:", "hw:31,0");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const yaml = box.path("probed.yaml");
    Deno.writeTextFileSync(yaml, stdout);
    assert.deepEqual(await run("check", "--probe", yaml), {
      code: 0,
      stdout: `${yaml} is right: 1 domain, 1 card, 4 streams\n`,
      stderr: "",
    });
    const provisioned = await run("provision", "-f", yaml);
    assert.deepEqual(
      [provisioned.code, provisioned.stdout],
      [0, `domU card 0: created\n${endAtReboot("domU")}\n`],
      provisioned.stderr,
    );
    const xl = await run("probe", "--xl", "pulse", "dummy:", "hw:31,0");
    assert.equal(xl.stdout, (await box.run("export", yaml)).stdout);
  }));

Deno.test("check --probe finds what the devices lack, each with its place", () =>
  inBox(async (box) => {
    const file = box.path("x.yaml");
    const wav = makeWav(box.path("in.wav"), { rate: 44100, channels: 2, format: "s16_le", frames: 10 });
    Deno.writeTextFileSync(
      file,
      `domains:
  domU:
    cards:
      - pcms:
          - streams:
              - { type: p, device: linear, sample-formats: [s16_le, float_le] }
              - { type: c, device: "dummy:${wav}", sample-rates: [44100, 48000], channels-max: 4 }
              - { type: p, device: nothing }
              - { type: p, device: linear, sample-formats: [float_le] }
              - { type: p, device: nothing, denied: true }
              - { type: p, device: linear }
`,
    );
    const probed = await box.spawnWith(alsa(box), "check", "--probe", "--json", file).result;
    assert.equal(probed.code, 6);
    const { findings } = JSON.parse(probed.stdout);
    const at = "domains.domU.cards[0].pcms[0].streams";
    assert.deepEqual(findings.map(({ line, path }: Record<string, unknown>) => [line, path]), [
      [6, `${at}[0].sample-formats`],
      [7, `${at}[1].sample-rates`],
      [7, `${at}[1].channels-max`],
      [8, `${at}[2].device`],
      [9, `${at}[3].device`],
    ]);
    assert.equal(findings[0].what, "the device cannot do float_le");
    assert.match(findings[3].what, /^cannot open PCM "nothing" for playback/);
    assert.match(findings[4].what, /can do nothing that the stream allows: .*format/);
    assert.match(await box.ok("check", file), /is right/);
    const both = await box.run("probe", "--yaml", "--xl");
    assert.deepEqual([both.code, both.stdout], [2, ""]);
    assert.match(both.stderr, /option '--yaml' cannot be used with option '--xl'/);
  }));

Deno.test("probe shows the file and line at which ALSA's configuration is broken, and keeps plugins' noise to itself", () =>
  inBox(async (box) => {
    const path = box.path("asound.conf");
    Deno.writeTextFileSync(path, "pcm.nowhere { type null }\n\npcm.broken = }\n");
    const broken = { ALSA_CONFIG_PATH: path };
    const place = new RegExp(`ALSA says: ${path}:3:\\d+: `);
    const all = await box.spawnWith(broken, "probe").result;
    assertFails(all, 1, place);
    const one = await box.spawnWith(broken, "probe", "nowhere").result;
    assert.equal(one.code, 1);
    assert.match(one.stdout.replaceAll(/\n {2}(?! *ALSA)/g, " "), place);
    const json = await box.spawnWith(broken, "probe", "--json", "nowhere").result;
    assert.match(JSON.parse(json.stdout).pcms[0].alsaMessages[0], /asound\.conf:3:/);
    Deno.writeTextFileSync(path, "pcm.nowhere { type null }\n");
    const odd = await box.spawnWith(broken, "probe", "\u001b[31mred").result;
    assert.match(odd.stdout, /ALSA says: Unknown PCM \\u001b/);
    assert(!/\p{Cc}/u.test((odd.stdout + odd.stderr).replaceAll("\n", "")));

    const cards = new FaultyCards(box, ["card"]);
    cards.fail("card", ["open", ERRORS.ENODEV, 0, EVER]);
    const { stdout, stderr } = await box.spawnWith(cards.environment, "probe", "card").result;
    assert.match(stdout, /^card \(playback, capture\):\n/);
    assert.equal(stderr, "xsnd: no PCM is usable; `xsnd probe` without a name shows all PCMs\n");
  }));

Deno.test("probe --yaml proposes neither silence nor a rate converter, unless it is named", () =>
  inBox(async (box) => {
    const path = box.path("asound.conf");
    const env = { ALSA_CONFIG_PATH: path };
    const hint = 'hint { show on description "x" }';
    const config = `pcm.null { type null ${hint} }
pcm.converter { type rate slave { pcm null rate 48000 } converter linear ${hint} }\n`;
    Deno.writeTextFileSync(path, config);
    assertFails(
      await box.spawnWith(env, "probe", "--yaml").result,
      1,
      /no PCM here belongs to a card or a sound server; .*`xsnd probe --yaml PCM`/,
    );
    const named = await box.spawnWith(env, "probe", "--yaml", "null", "converter").result;
    assert.equal(named.code, 0, named.stderr);
    assert.deepEqual(devicesIn(named.stdout), ["null", "null", "converter", "converter"]);
    Deno.writeTextFileSync(
      path,
      `${config}pcm.server { type linear slave { pcm null format S16_LE } ${hint} }\n`,
    );
    const all = await box.spawnWith(env, "probe", "--yaml").result;
    assert.equal(all.code, 0, all.stderr);
    assert.deepEqual(devicesIn(all.stdout), ["server", "server"]);
  }));

function devicesIn(yaml: string): string[] {
  return [...yaml.matchAll(/device: "?(\w+)/g)].map(([, name]) => name!);
}

Deno.test("check --probe has no finding for a busy device, and ALSA's reason for one that is not there", () =>
  inBox(async (box) => {
    const cards = new FaultyCards(box, ["card"]);
    const file = box.path("x.yaml");
    const check = async (...devices: string[]) => {
      const streams = devices.map((device) => ({ type: "playback", device }));
      Deno.writeTextFileSync(
        file,
        JSON.stringify({ domains: { domU: { cards: [{ pcms: [{ streams }] }] } } }),
      );
      return await box.spawnWith(cards.environment, "check", "--probe", file).result;
    };
    cards.fail("card", ["open", ERRORS.EBUSY, 0, EVER]);
    assert.match((await check("card")).stdout, / is right: /);
    assertFails(await check("card", "nosuch"), 6, /ALSA says: Unknown PCM nosuch; .*; `xsnd probe` lists/);
    assertFails(await check(`dummy:${box.path("none")}/f.wav`), 6, /there is no folder \/.*\/none\b/);
  }));
