// SPDX-License-Identifier: MIT
/** Commands print bidirectional and invisible characters in names as escapes; in JSON the names keep their value. */
import assert from "node:assert/strict";
import { type Box, inBox, makeWav, type Result, until } from "./harness.ts";

/** Bidirectional, line separator, zero width, isolate, tag, private use, unassigned: 29 octets. */
const NAME = "\u202ea\u2028b\u200bc\u2066d\u{e0041}e\ue000f\u0378";
/** The same kinds of characters in the name of a domain. */
const DOMAIN = "dom\u202eU\u200d\u{f0000}";
const UNSEEN = /[\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\p{Default_Ignorable_Code_Point}]|(?!\n)\p{Cc}/u;
const FOR_PEOPLE = String.raw`\u202ea\u2028b\u200bc\u2066d\u{e0041}e\ue000f\u0378`;
const IN_JSON = String.raw`\u202ea\u2028b\u200bc\u2066d\udb40\udc41e\ue000f\u0378`;

function assertSeen(what: string, text: string): void {
  const found = UNSEEN.exec(text);
  assert(
    found === null,
    `${what}: ${JSON.stringify(text.slice(Math.max(0, (found?.index ?? 0) - 60)).slice(0, 120))}`,
  );
}

/** Runs the command; neither stdout nor stderr may contain invisible characters. */
async function seen(box: Box, ...args: string[]): Promise<Result> {
  const result = await box.run(...args);
  assertSeen(args.join(" "), result.stdout + result.stderr);
  return result;
}

/** As {@link seen}, for a command that prints JSON, as one value or one value a line; returns its stdout. */
async function seenJson(box: Box, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await seen(box, ...args);
  assert(stdout !== "", `${args.join(" ")}: ${stderr}`);
  try {
    JSON.parse(stdout);
  } catch {
    stdout.trimEnd().split("\n").forEach((line) => JSON.parse(line));
  }
  return stdout;
}

function configure(box: Box, file: string, shortName: string): string {
  const streams = [{ type: "playback", device: "dummy:", "unique-id": "\u200bu" }];
  const card = { "short-name": shortName, "long-name": "l\u2069g", pcms: [{ name: "p\u00adm", streams }] };
  Deno.writeTextFileSync(box.path(file), JSON.stringify({ domains: { [DOMAIN]: { cards: [card] } } }));
  return box.path(file);
}

Deno.test("names with characters that cannot be seen are escapes in what every command prints", () =>
  inBox(async (box) => {
    await box.xenstore("write", "/local/domain/1/name", DOMAIN);
    const file = configure(box, "cards.yaml", NAME);
    const other = configure(box, "other.yaml", `${NAME.slice(0, 3)}\u2067`);
    for (const option of ["--dry-run", "--nodes"]) {
      assert.equal((await seen(box, "provision", "-f", file, option)).code, 0);
    }
    assert.match(await seenJson(box, "provision", "-f", file, "--json"), /created/);
    assert.equal((await seen(box, "check", file)).code, 0);
    for (const command of ["list", "show 1"]) {
      const { stdout } = await seen(box, ...command.split(" "));
      assert(stdout.includes(FOR_PEOPLE.slice(0, 12)), stdout);
      const json = await seenJson(box, ...command.split(" "), "--json");
      assert(json.includes(`"${IN_JSON}"`), json);
    }
    const difference = await seen(box, "diff", "-f", other);
    assert(difference.stdout.includes(FOR_PEOPLE), difference.stdout);
    assert((await seenJson(box, "diff", "-f", other, "--json")).includes(IN_JSON));
    await seen(box, "provision", "-f", other, "--nodes");
    await seen(box, "doctor");
    await seenJson(box, "doctor", "--json");

    // YAML and JSON have escapes for all of these characters; xl's syntax has none.
    const imported = await seen(box, "import", "1");
    Deno.writeTextFileSync(box.path("imported.yaml"), imported.stdout);
    const same = await seen(box, "diff", "-f", box.path("imported.yaml"));
    // The import moves parameters up to the card, so the diff shows them; no name differs.
    assert(
      !/\/(short-name|long-name|name|unique-id)/.test(same.stdout + same.stderr),
      same.stdout + same.stderr,
    );
    assert((await seenJson(box, "import", "1", "--json")).includes(`"${IN_JSON}"`));
    const exported = await seen(box, "export", "1");
    assert.match(exported.stdout, /short-name=\ufffda\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffd/);
    assert.match(exported.stderr, /characters that cannot be seen, for which xl has no escapes/);
    assert.equal(JSON.parse(await seenJson(box, "export", file, "--json")).vsnd.includes(NAME), true);

    const path = box.path("metrics.sock");
    const daemon = await box.serve("--metrics", `unix:${path}`, "-v");
    const stream = (await box.status()).streams[0]?.stream;
    assert.equal(stream, `${DOMAIN}/0/0/0`);
    for (const command of ["status", "top --batch --iterations 1"]) {
      const { stdout } = await seen(box, ...command.split(" "));
      assert(stdout.includes("dom\\u202e"), stdout);
      const json = await seenJson(box, ...command.split(" "), "--json");
      assert(json.includes(String.raw`"dom\u202eU\u200d\udb80\udc00/0/0/0"`), json);
    }
    const wav = makeWav(box.path("a.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 4800 });
    const trace = box.path("a.trace");
    await using recording = box.spawn("trace", "record", stream, "-o", trace);
    await until(
      "it records",
      () => exists(trace),
    );
    assert.equal((await seen(box, "play", wav, stream)).code, 0);
    await seenJson(box, "play", wav, stream, "--json");
    for (const command of [["volume", stream, "-6"], ["mute", stream], ["unmute", stream]]) {
      await seen(box, ...command);
      await seenJson(box, ...command, "--json");
    }
    await seenJson(box, "wait", stream, "--for", "closed", "--json");
    await seen(box, "trigger", "pause", stream, "--timeout", "0");
    assert((await seen(box, "logs", stream)).stdout.includes("dom\\u202e"));
    assert((await seenJson(box, "logs", "--json")).includes("dom\\u202e"));
    const { stdout, stderr } = await recording.end("SIGINT");
    assertSeen("trace record", stdout + stderr);
    await seen(box, "trace", "show", trace);
    await seenJson(box, "trace", "show", trace, "--json");
    await seen(box, "trace", "plot", trace, "-o", box.path("a.html"));
    const page = Deno.readTextFileSync(box.path("a.html"));
    assertSeen("the page", page.slice(page.indexOf("<title>"), page.indexOf("<style>")));
    assertSeen("the page", page.slice(page.indexOf("<body>"), page.indexOf("</script>")));

    const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const metrics = await (await fetch("http://xsnd/metrics", { client })).text();
    client.close();
    assertSeen("metrics", metrics);
    assert(metrics.includes(String.raw`stream="dom\\u202eU\\u200d\\u{f0000}/0/0/0"`), metrics.slice(0, 2000));
    await daemon.end("SIGTERM");
    assertSeen("the log", daemon.stderr);
    assert(daemon.stderr.includes("dom\\u202eU"), daemon.stderr);
    const json = await box.serve("-v", "--log-format", "json");
    await seen(box, "play", wav, stream);
    await json.end("SIGTERM");
    assertSeen("the log", json.stderr);
    json.stderr.trimEnd().split("\n").forEach((line) => JSON.parse(line));
  }));

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
