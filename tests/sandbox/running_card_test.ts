// SPDX-License-Identifier: MIT
/** Provisioning a card again while a daemon serves the card, with and without a connected guest. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { HwParam, XENSND_OP_TRIGGER_START, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import {
  assertFails,
  type Box,
  inBox,
  makeWav,
  type Result,
  samplesOf,
  type StreamOptions,
  until,
} from "./harness.ts";
import { assertWorks, open, RawCard, type RawStream } from "./raw_frontend.ts";

const BACKEND = "/local/domain/0/backend/vsnd/1/0";
const STREAM = "domU/0/0/0";

/** Provisions domU's card with these streams; `changes` override the card's other keys. */
function provision(box: Box, streams: StreamOptions[], changes: object, ...args: string[]): Promise<Result> {
  const card = { "buffer-size": 65536, "sample-rates": [44100, 48000], ...changes, pcms: [{ streams }] };
  const file = box.path("domU.yaml");
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: { cards: [card] } } }));
  return box.run("provision", "-f", file, ...args);
}

/** The action and the notes of a plan's only card; the command must succeed. */
async function planned(result: Promise<Result>) {
  const { code, stdout, stderr } = await result;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const [{ action, notes }] = JSON.parse(stdout);
  return { action, notes };
}

const playback = (device: string): StreamOptions => ({ type: "playback", device });
const FROM_NEXT = "takes effect when the guest next opens the stream";

/** Opens the stream and plays a page of `octet`, until an event brings a position. */
function play(stream: RawStream, octet: number): void {
  const { buffer, directory } = stream.share(open.bufferSz);
  new Uint8Array(buffer.buffer).fill(octet);
  assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, 4096), 0);
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_START), 0);
  stream.waitFor("a position", () => stream.takePositions().length > 0);
}

/** The first octet that a device has played; waits until the device's file is complete. */
const heard = (file: string) =>
  until(`${file} is whole`, () => {
    try {
      return samplesOf(file).at(0);
    } catch {
      return undefined; // the daemon still writes the file
    }
  });

Deno.test("another device is given to a stream under its guest, and takes effect at the next OPEN", () =>
  inBox(async (box) => {
    const files = [box.path("one.wav"), box.path("two.wav")];
    const [one, two] = files.map((file) => `dummy:${file}`);
    await provision(box, [playback(one!)], {});
    const daemon = await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    play(stream!, 1);
    const { action, notes } = await planned(provision(box, [playback(two!)], {}, "--json"));
    assert.deepEqual({ action, notes }, { action: "changed", notes: [`0/0/device: ${FROM_NEXT}`] });
    assert.equal(await box.xenstore("read", `${BACKEND}/xsnd/0/0/device`), `${two}\n`);
    await until(
      "the daemon has decided",
      () => /the policy of domU\/0, once its guest opens it/.test(daemon.stderr),
    );
    assert.equal((await box.stream(STREAM)).device, one);
    // The stream is opened again without a CLOSE, as snd_xen_front may do.
    play(stream!, 2);
    await box.untilStream(STREAM, ({ device }) => device === two);
    assert.equal(stream!.close(), 0);
    assert.deepEqual([await heard(files[0]!), await heard(files[1]!)], [1, 2]);
    // While the stream is closed, status shows the next device.
    await provision(box, [playback(one!)], {});
    await box.untilStream(STREAM, ({ device }) => device === one);
    await provision(box, [playback(two!)], {});
    await box.untilStream(STREAM, ({ device }) => device === two);
    assertWorks(stream!);
  }));

Deno.test("a stream is denied, and allowed again, under its guest", () =>
  inBox(async (box) => {
    const file = box.path("played.wav");
    await provision(box, [playback(`dummy:${file}`)], {});
    await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    const deny = (denied: boolean) =>
      planned(provision(box, [{ ...playback(`dummy:${file}`), denied }], {}, "--json"));
    assert.deepEqual((await deny(true)).notes, ["0/0/denied: takes effect at once"]);
    await box.untilStream(STREAM, ({ denied }) => denied);
    assertWorks(stream!);
    assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
    assert.deepEqual((await deny(false)).notes, ["0/0/denied: takes effect at once"]);
    await box.untilStream(STREAM, ({ denied }) => !denied);
    assertWorks(stream!);
    Deno.statSync(file);
  }));

Deno.test("queries are answered by the device that the next OPEN gets", () =>
  inBox(async (box) => {
    const sound = (rate: number) =>
      makeWav(box.path(`${rate}.wav`), { format: "s16_le", channels: 2, rate, frames: 100 });
    const capture = (rate: number): StreamOptions => ({ type: "capture", device: `dummy:${sound(rate)}` });
    await provision(box, [capture(48000)], {});
    await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const rates = () => {
      const param = new HwParam();
      param.formatsLow = 0xffffffff;
      for (const interval of [param.rates, param.channels, param.buffer, param.period]) {
        interval.max = 0xffffffff;
      }
      assert.equal(card.streams[0]!.query(param), 0);
      return [param.rates.min, param.rates.max];
    };
    assert.deepEqual(rates(), [48000, 48000]);
    await provision(box, [capture(44100)], {});
    await box.untilStream(STREAM, ({ device }) => device.endsWith("44100.wav"));
    assert.deepEqual(rates(), [44100, 44100]);
  }));

Deno.test("a card that is served, and not in use, can change in all ways: it is served as it is then", () =>
  inBox(async (box) => {
    await provision(box, [playback("dummy:")], {});
    await box.serve();
    await box.ok("wait", "domU", "--for=closed");
    const streams = [playback("plug:null"), playback("dummy:"), {
      type: "capture" as const,
      device: "dummy:",
    }];
    const { action } = await planned(
      provision(box, streams, { "long-name": "Other" }, "--json", "--wait=initwait"),
    );
    assert.equal(action, "changed");
    await box.untilStream("domU/0/0/2", () => true);
    assert.equal((await box.stream(STREAM)).device, "plug:null");
    await using card = await RawCard.connect(box.xen, 1, ["0/0", "0/1", "0/2"]);
    assertWorks(card.streams[1]!);
  }));

Deno.test("what a running guest has read is refused; --replace detaches the card and attaches it anew", () =>
  inBox(async (box) => {
    await provision(box, [playback("dummy:")], { "long-name": "One" });
    await box.serve();
    const card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const before = await box.xenstore("ls", "-fp", "/");
    const change = (...args: string[]) =>
      provision(box, [playback("plug:null"), playback("dummy:")], { "long-name": "Two" }, ...args);
    for (const args of [[], ["--dry-run"], ["--nodes"]]) {
      const refused = await change(...args);
      assertFails(refused, Exit.failed, /card 0 of domU is in use \(frontend Connected, backend Connected\)/);
      assert.match(
        refused.stderr,
        /long-name, 0\/1, .*: the guest's driver reads the node only when it connects/,
      );
      assert.match(refused.stderr, /0\/0\/device: a device that may block, /);
      assert.match(refused.stderr, /let --replace detach the card and attach it anew\n$/);
    }
    assertWorks(card.streams[0]!);
    const { stdout, code } = await change("--replace", "--nodes");
    assert.equal(code, 0);
    assert.match(stdout, /^# domU card 0: would be replaced\n/);
    assert.match(stdout, new RegExp(`\\n${BACKEND}/online = "0" .*\n${BACKEND}/state = "5" .*\nremove `));
    assert.equal(await box.xenstore("ls", "-fp", "/"), before);

    assert.deepEqual(await planned(change("--replace", "--json")), { action: "replaced", notes: [] });
    card.xen[Symbol.dispose]();
    await box.ok("wait", STREAM, "--for=closed");
    await box.untilStream("domU/0/0/1", () => true);
    await using anew = await RawCard.connect(box.xen, 1, ["0/0", "0/1"]);
    assertWorks(anew.streams[1]!);
    assert.equal(await box.xenstore("read", "/local/domain/1/device/vsnd/0/long-name"), "Two\n");
  }));

Deno.test("--replace gives up in time if nobody closes the card: exit 124, says how it is, and does the rest", () =>
  inBox(
    async (box) => {
      const file = box.path("two.yaml");
      const write = (name: string) =>
        Deno.writeTextFileSync(
          file,
          JSON.stringify({
            domains: Object.fromEntries(
              ["domU", "guest2"].map((domain) => [domain, {
                cards: [{ "short-name": name, pcms: [{ streams: [playback("dummy:")] }] }],
              }]),
            ),
          }),
        );
      write("One");
      await box.ok("provision", "-f", file);
      await box.xenstore("write", `${BACKEND}/state`, "4");
      const before = await box.xenstore("ls", "-fp", BACKEND);
      write("Two");
      const { code, stdout, stderr } = await box.run("provision", "-f", file, "--replace", "--timeout=200ms");
      assert.equal(code, Exit.timedOut, stderr);
      assert.match(stdout, /^guest2 card 0 \(Two\): changed\n/);
      assert.match(
        stderr,
        /^xsnd: card 0 of domU is not replaced: its backend was asked to close, and \S+ is still Closing; .* `xsnd deprovision domU 0 --force`[^\n]*\n$/,
      );
      const asked = before.replace(`online = "1"`, `online = "0"`).replace(`state = "4"`, `state = "5"`);
      assert.equal(await box.xenstore("ls", "-fp", BACKEND), asked);
      // As the message says: the same command waits until the backend is closed.
      const again = box.spawn("provision", "-f", file, "--replace", "--timeout=60");
      await box.xenstore("write", `${BACKEND}/state`, "6");
      assert.deepEqual((await again.result).code, 0);
      assert.equal(await box.xenstore("read", "/local/domain/1/device/vsnd/0/short-name"), "Two\n");
    },
    "domU",
    "guest2",
  ));

Deno.test("a device that is written by hand, and cannot be served as things are, is refused and told of", () =>
  inBox(async (box) => {
    await provision(box, [playback("dummy:")], {});
    const daemon = await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    await box.xenstore("write", `${BACKEND}/xsnd/0/0/device`, "plug:null");
    await until(
      "the daemon says so",
      () => /domU\/0\/0\/0 keeps its device: "plug:null" may wait/.test(daemon.stderr),
    );
    assertWorks(card.streams[0]!);
    assert.equal((await box.stream(STREAM)).device, "dummy:");
  }));

Deno.test("a card that was told to go, and has not been taken away, is not as wanted: diff says so, provision mends it", async () => {
  await inBox(async (box) => {
    await box.ok("provision", "domU", "--device", "dummy:");
    const backend = "/local/domain/0/backend/vsnd/1/0";
    await box.xenstore("write", `${backend}/online`, "0", `${backend}/state`, "6");
    const { code, stdout } = await box.run("diff", "domU", "--device", "dummy:");
    assert.equal(code, 1);
    assert.match(stdout, /online: "0" -> "1"/);
    assert.match(await box.ok("provision", "domU", "--device", "dummy:"), /^domU card 0.*: changed$/m);
    assert.equal(await box.xenstore("read", `${backend}/online`), "1\n");
    assert.equal(await box.xenstore("read", `${backend}/state`), "1\n");
  });
});
