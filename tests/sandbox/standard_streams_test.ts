// SPDX-License-Identifier: MIT
/** `-` is standard input or output of every command that takes a file; a reader that leaves is no error. */
import assert from "node:assert/strict";
import {
  assertSameSamples,
  type Box,
  makeWav,
  Process,
  type Result,
  samplesOf,
  sharedBox,
} from "./harness.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 24_000 };

const shared = sharedBox(async (box) => {
  makeWav(box.path("sound.wav"), sound);
  await box.provision("domU", [
    { type: "playback", device: "dummy:" },
    { type: "capture", device: `dummy:${box.path("sound.wav")}` },
  ]);
  await box.serve();
});

/** Runs a line of bash in the repository, with the box's environment and its directory as $D. */
function shell(box: Box, script: string): Promise<Result> {
  const env = { ...box.environment, D: box.directory };
  return new Process("bash", ["-o", "pipefail", "-c", script], { env }).result;
}

async function ok(box: Box, script: string): Promise<string> {
  const { code, stdout, stderr } = await shell(box, script);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, script);
  return stdout;
}

Deno.test("check - reads standard input, in either syntax", async () => {
  const box = shared();
  const right = "standard input is right: 1 domain, 1 card, 2 streams\n";
  assert.equal(await ok(box, "./xsnd check - <fixtures/domU.yaml"), right);
  assert.equal(await ok(box, "./xsnd export - <fixtures/domU.yaml | ./xsnd check -"), right);
  const { code, stderr } = await shell(box, "echo 'domains: 7' | ./xsnd check -");
  assert.equal(code, 6);
  assert.match(stderr, /^xsnd: standard input:1:1: domains: 7 is not allowed/);
});

Deno.test("check takes several files, and fails if one is invalid", async () => {
  const box = shared();
  const files = "fixtures/domU.yaml fixtures/two-guests.yaml";
  assert.equal((await ok(box, `./xsnd check ${files}`)).split("\n").length, 3);
  const { code, stdout, stderr } = await shell(box, `./xsnd check $D/none.yaml ${files} main.ts`);
  assert.equal(code, 6);
  assert.equal(stdout.split("\n").length, 3, "the others are checked");
  assert.match(stderr, /none\.yaml: no such file.*\nmain\.ts:\d+:\d+: not YAML/);
  const documents = await ok(box, `./xsnd check --json ${files} | jq -c '[.file, .valid]'`);
  assert.equal(documents, '["fixtures/domU.yaml",true]\n["fixtures/two-guests.yaml",true]\n');
});

Deno.test("import - and export - convert in a pipe, there and back", async () => {
  const box = shared();
  const yaml = await ok(box, "./xsnd import - <fixtures/xl/linux.cfg 2>/dev/null");
  assert.equal(
    await ok(box, "./xsnd import fixtures/xl/linux.cfg 2>/dev/null | ./xsnd export - | ./xsnd import -"),
    yaml,
  );
  const { code, stderr } = await shell(box, "./xsnd export - <fixtures/two-guests.yaml");
  assert.equal(code, 2);
  assert.match(stderr, /^xsnd: an xl\.cfg is for one domain, and standard input has /);
});

Deno.test("provision -f - and diff -f - take the cards from standard input", async () => {
  const box = shared();
  const differs = await shell(box, "./xsnd diff domU -f - <fixtures/domU.yaml");
  assert.equal(differs.code, 1, "the card is another one");
  assert.match(differs.stdout, /domU/);
  await ok(box, "./xsnd diff domU -f - <$D/domU.yaml");
  assert.match(await ok(box, "./xsnd provision domU -f - <$D/domU.yaml"), /unchanged/);
  const { code, stderr } = await shell(box, "echo nonsense | ./xsnd provision -f -");
  assert.equal(code, 6);
  assert.match(stderr, /^xsnd: standard input:1:1: /);
});

Deno.test("a trace goes through pipes: record -o -, show -, plot - -o -", async () => {
  const box = shared();
  const script = `
    { ./xsnd trace record ${STREAM} -o - --until closed 2>$D/end; } | tee $D/piped.trace | ./xsnd trace show - >$D/shown &
    until [ -s $D/piped.trace ]; do sleep 0.05; done
    ./xsnd play $D/sound.wav ${STREAM} >$D/played
    wait $!`;
  const { code, stderr } = await shell(box, script);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(
    Deno.readTextFileSync(box.path("end")),
    /^recorded to standard output: \d+ requests, 0 refused/,
  );
  const shown = Deno.readTextFileSync(box.path("shown"));
  assert.equal(shown, await ok(box, "./xsnd trace show $D/piped.trace"));
  assert.match(shown, /op=OPEN/);
  const page = await ok(box, "./xsnd trace plot - -o - <$D/piped.trace");
  assert.match(page, /^<!DOCTYPE html>[^]*<\/html>\s*$/i);
});

Deno.test("record - writes the sound alone to standard output, and its report to stderr", async () => {
  const box = shared();
  const { code, stdout, stderr } = await shell(
    box,
    "./xsnd record - domU/0/0/1 --seconds 0.5 --raw | cat >$D/take.raw",
  );
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /^recorded 24000 frames /);
  assertSameSamples(Deno.readFileSync(box.path("take.raw")), samplesOf(box.path("sound.wav")));
  const json = await shell(box, "./xsnd record - domU/0/0/1 --seconds 0.5 --json >$D/take.wav");
  assert.equal(JSON.parse(json.stderr).frames, 24_000);
});

Deno.test("a reader that leaves ends a command in silence", async () => {
  const box = shared();
  for (
    const command of [
      "export - <fixtures/domU.yaml",
      "check fixtures/domU.yaml fixtures/two-guests.yaml",
      "trace plot - -o - <$D/piped.trace",
      "trace show - <$D/piped.trace",
    ]
  ) {
    const script = `{ { sleep 0.3; ./xsnd ${command}; echo "code $?" >&3; } | true; } 3>&1`;
    const { stdout, stderr } = await shell(box, script);
    assert.deepEqual({ stdout, stderr }, { stdout: "code 0\n", stderr: "" }, command);
  }
});
