// SPDX-License-Identifier: MIT
/** `xsnd test`: its verdicts, and that they are true. */
import assert from "node:assert/strict";
import { testCases } from "../tools/junit.ts";
import { assertFails, inBox, until, xsnd } from "./harness.ts";

Deno.test("test passes each of its checks without Xen and without a sound device", async () => {
  const { code, stdout, stderr } = await xsnd(["test"], { NO_COLOR: "1" });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  const names = (await xsnd(["test", "--list"])).stdout.trimEnd().split("\n");
  assert(names.length > 12 && names.includes("both-at-once"), names.join());
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.pop(), `${names.length} checks passed`);
  lines.forEach((line, i) => assert.match(line, new RegExp(`^ok   ${names[i]} +[0-9.]+ s$`)));
});

Deno.test("test says what is wrong, for people and for pipelines, and exits with 1", () =>
  inBox(async (box) => {
    const report = box.path("report.xml");
    const args = ["test", "--device", "nosuch", "playback-on*"];
    const failed = await box.run(...args, "--junit", report);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /^xsnd: warning: \S+: cannot open PCM "nosuch" for playback: .*\n$/);
    const reason = "the backend refuses the parameters: ENODEV";
    assert.match(
      failed.stdout,
      new RegExp(`^FAIL playback-on-nosuch +[0-9.]+ s {2}${reason}\n1 of 1 check failed\n$`),
    );
    assert.deepEqual(testCases(Deno.readTextFileSync(report)), [
      { name: "playback-on-nosuch", outcome: "failed" },
    ]);
    assert(Deno.readTextFileSync(report).includes(`<failure message="${reason}"/>`));

    const tap = await box.run(...args, "capture", "--tap");
    const block = `  ---\n  message: ${JSON.stringify(reason)}\n  ...\n`;
    const plan = "TAP version 14\n1..2\nok 1 - capture\nnot ok 2 - playback-on-nosuch\n";
    assert.deepEqual([tap.code, tap.stdout], [1, plan + block]);
    // The null PCM takes all sound at once.
    const quick = await box.run("test", "--device", "null", "playback-on*");
    assert.match(quick.stdout, /^FAIL playback-on-null .* (2 s of sound took [0-9.]+ s|\d+ xruns?)\n/);

    const json = (await box.run("test", "--json", "mute", "reopen")).stdout.trimEnd().split("\n");
    assert.deepEqual(json.map((line) => JSON.parse(line)).map(({ name, passed }) => [name, passed]), [
      ["reopen", true],
      ["mute", true],
    ]);
  }));

Deno.test("test says which checks there are, where a name means none", async () => {
  assertFails(
    await xsnd(["test", "plyback"]),
    2,
    /^xsnd: there is no check "plyback"; there are playback, capture, /,
  );
});

Deno.test("test tests the daemon that runs, touches no card of a guest's, and leaves nothing behind", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const before = await box.xenstore("ls", "-f", "/");
    const directories = () => [...Deno.readDirSync(box.directory)].map(({ name }) => name);
    const files = directories();
    await box.ok("test", "pause-resume", "both-at-once");
    assert.match(daemon.stderr, /info: .*\/0\/1\/0: open: 44100 Hz/);
    assert.equal(await box.xenstore("ls", "-f", "/"), before);

    const testing = box.spawn("test", "playback*");
    await until("it plays", () => daemon.stderr.split("open: 44100 Hz").length > 4);
    assert.equal((await testing.end("SIGINT")).code, 130);
    assert.equal(await box.xenstore("ls", "-f", "/"), before);
    assert.deepEqual(directories(), files);
  }));
