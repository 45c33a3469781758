// SPDX-License-Identifier: MIT
/** The project as a user types it: a demo, then its steps one by one in a sandbox. */
import assert from "node:assert/strict";
import { assertSameSamples, makeWav, Process, root, samplesOf, type StreamStatus } from "./harness.ts";

const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 48_000 };

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function shell(script: string, env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await new Process("sh", ["-ec", script], { cwd: root, env }).result;
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("demo --input some.wav --output out.wav --json", () =>
  withDirectory(async (directory) => {
    const [input, output] = [makeWav(`${directory}/some.wav`, sound), `${directory}/out.wav`];
    const text = await shell('./xsnd demo --input "$INPUT" --output "$OUTPUT" --json', {
      INPUT: input,
      OUTPUT: output,
    });
    assert.match(text, /"bitExact": ?true/);
    assertSameSamples(samplesOf(output), samplesOf(input));
  }));

const script = `./xsnd sandbox --domain domU -- sh -ec '
  ./xsnd provision domU -f "$CONFIG" && xenstore-ls /local/domain/1/device/vsnd
  ./xsnd serve &
  ./xsnd play "$INPUT" domU/0/0/0 &
  ./xsnd wait domU/0/0/0 --for running >/dev/null
  ./xsnd trigger pause domU/0/0/0; ./xsnd status --json; ./xsnd trigger resume domU/0/0/0; wait %2
  ./xsnd deprovision domU; ./xsnd list --json'`;

const melody = `${root}fixtures/melody.wav`;

/** Runs `steps` with the file `input`, of `frames` frames. */
async function assertDone(directory: string, steps: string, input: string, frames: number): Promise<void> {
  const output = `${directory}/played.wav`;
  const config = Deno.readTextFileSync(`${root}fixtures/domU.yaml`)
    .replace(/(type: playback,.*device: )"hw:0,0"/, `$1"dummy:${output}"`);
  assert(config.includes(output), "the fixture has another playback stream");
  Deno.writeTextFileSync(`${directory}/domU.yaml`, config);
  const lines = (await shell(steps, { CONFIG: `${directory}/domU.yaml`, INPUT: input })).split("\n");
  assert.equal(lines[0], "domU card 0 (VCard): created");
  const paused = lines.indexOf("domU/0/0/0: paused");
  const tree = lines.slice(1, paused).join("\n");
  for (const node of ["sample-rates", "sample-formats", "type", "backend"]) {
    assert(tree.includes(`${node} = `), node);
  }
  const { streams } = JSON.parse(lines[paused + 1]!);
  const { state, hold } = streams.find(({ stream }: StreamStatus) => stream === "domU/0/0/0");
  assert.deepEqual([state, hold], ["running", "paused"]);
  assert.equal(lines[paused + 2], "domU/0/0/0: running");
  assert.match(lines[paused + 3]!, new RegExp(`^played ${frames} frames .* 0 xruns`));
  assert.deepEqual(lines.slice(paused + 4), ["domU card 0: removed", "[]", ""]);
  assertSameSamples(samplesOf(output), samplesOf(input));
}

Deno.test("provision, serve, play, wait, pause, status, resume, deprovision, list, with no sleep between", () =>
  withDirectory((directory) => assertDone(directory, script, melody, 144_000)));
