// SPDX-License-Identifier: MIT
/** Tests the reader of libasound's error messages: it takes them from standard error and shortens them. */
import assert from "node:assert/strict";
import { libc } from "../../ffi/libc/libc.ts";
import { KeptStderr, StderrCapture } from "../../ffi/libc/stderr.ts";
import { parseAlsaMessages, readAlsaConfiguration } from "../../lib/pcm/alsa/alsa_messages.ts";

const say = (text: string) => {
  const octets = new TextEncoder().encode(text);
  assert.equal(libc().write(2, octets, BigInt(octets.length)), BigInt(octets.length));
};
const stderrIs = () => Deno.readLinkSync("/proc/self/fd/2");
const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;

Deno.test("StderrCapture has what is written on stderr, until its end, and leaves no descriptor", () => {
  const [before, open] = [stderrIs(), descriptors()];
  {
    using capture = new StderrCapture();
    assert.notEqual(stderrIs(), before);
    say("one\n");
    assert.equal(capture.text(), "one\n");
    say("two\n");
    assert.equal(capture.text(), "one\ntwo\n", "reading does not move the writers");
  }
  assert.deepEqual([stderrIs(), descriptors()], [before, open]);
});

Deno.test("KeptStderr.restore() ends a capture that its owner does not end", () => {
  const before = stderrIs();
  using kept = new KeptStderr();
  using _lost = new StderrCapture();
  kept.restore();
  assert.equal(stderrIs(), before);
});

Deno.test("parseAlsaMessages() gives the place of a syntax error the name of its file", () => {
  const stderr = "ALSA lib conf.c:2007:(_snd_config_load_with_include) _toplevel_:4:12:Unexpected char\n" +
    "ALSA lib conf.c:4096:(config_file_open) /etc/my asound.conf may be old or corrupted: consider to remove or fix it\n" +
    "ALSA lib conf.c:4018:(snd_config_hooks_call) function snd_config_hook_load returned error: Invalid argument\n" +
    "ALSA lib conf.c:4625:(snd_config_update_r) hooks failed, removing configuration\n";
  assert.deepEqual(parseAlsaMessages(stderr), ["/etc/my asound.conf:4:12: Unexpected char"]);
});

Deno.test("parseAlsaMessages() names a file that another one includes, and says what it does not know to place", () => {
  const line = (text: string) => `ALSA lib conf.c:2007:(_snd_config_load_with_include) ${text}\n`;
  assert.deepEqual(parseAlsaMessages(line("/etc/included.conf:2:1:Unexpected char")), [
    "/etc/included.conf:2:1: Unexpected char",
  ]);
  assert.deepEqual(parseAlsaMessages(line("_toplevel_:2:1:Unexpected char")), [
    "its configuration:2:1: Unexpected char",
  ]);
});

Deno.test("parseAlsaMessages() leaves out other libraries' lines, repetitions and what follows from an error", () => {
  const stderr = "jack server is not running or cannot be started\n" +
    "ALSA lib confmisc.c:855:(parse_card) cannot find card '0'\n" +
    "ALSA lib conf.c:5180:(_snd_config_evaluate) function snd_func_card_inum returned error: No such file\n" +
    "ALSA lib confmisc.c:422:(snd_func_concat) error evaluating strings\n" +
    "ALSA lib conf.c:5703:(snd_config_expand) Evaluate error: No such file or directory\n" +
    "ALSA lib confmisc.c:855:(parse_card) cannot find card '0'\n" +
    "ALSA lib pcm.c:2666:(snd_pcm_open_noupdate) [error.pcm] Unknown PCM default\n";
  assert.deepEqual(parseAlsaMessages(stderr), ["cannot find card '0'", "Unknown PCM default"]);
  const onlyAftermath = "ALSA lib conf.c:5703:(snd_config_expand) Evaluate error: Invalid argument\n";
  assert.deepEqual(parseAlsaMessages(onlyAftermath), ["Evaluate error: Invalid argument"]);
  const many = Array.from({ length: 100 }, (_, i) => `ALSA lib a.c:1:(f) ${i}\n`).join("");
  assert.deepEqual(parseAlsaMessages(many), ["0", "1", "2", "3", "4"]);
  assert.deepEqual(parseAlsaMessages(""), []);
});

Deno.test("readAlsaConfiguration() finds the line of a broken file, and none in one that is right", () => {
  const directory = Deno.makeTempDirSync();
  const inherited = Deno.env.get("ALSA_CONFIG_PATH");
  const path = `${directory}/asound.conf`;
  Deno.env.set("ALSA_CONFIG_PATH", path);
  try {
    Deno.writeTextFileSync(path, "pcm.nowhere { type null }\n\npcm.broken = }\n");
    const { read, messages } = readAlsaConfiguration();
    assert.equal(read, false);
    assert.equal(messages.length, 1);
    assert.match(messages[0]!, /^\/.*\/asound\.conf:3:\d+: /);
    Deno.writeTextFileSync(path, "pcm.nowhere { type null }\n");
    assert.deepEqual(readAlsaConfiguration(), { read: true, messages: [] });
  } finally {
    if (inherited === undefined) Deno.env.delete("ALSA_CONFIG_PATH");
    else Deno.env.set("ALSA_CONFIG_PATH", inherited);
    Deno.removeSync(directory, { recursive: true });
  }
});
