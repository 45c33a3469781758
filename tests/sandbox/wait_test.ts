// SPDX-License-Identifier: MIT
/** `xsnd wait`: for streams that exist, and for streams that do not exist yet. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { XENSND_OP_TRIGGER_START } from "../../lib/sndif/mod.ts";
import type { ControlRequest } from "../../lib/control/protocol.ts";
import { askAndHangUp, assertFails, controlClients, inBox, settledDescriptors, until } from "./harness.ts";
import { open, RawCard } from "./raw_frontend.ts";

const STREAM = "domU/0/0/0";

Deno.test("wait follows a stream through its life, begun before there are card and daemon", () =>
  inBox(async (box) => {
    const wait = (goal: string) => box.spawn("wait", STREAM, `--for=${goal}`, "--timeout=60s");
    const [connected, opened, running] = ["connected", "open", "running"].map(wait);
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const first = await box.serve();
    assert.equal(await box.ok("wait", "domU", "--for=closed"), `${STREAM}: closed\n`);
    const said = async (process: typeof connected) => {
      const { code, stdout, stderr } = await process!.result;
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      return stdout;
    };
    {
      await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
      assert.equal(await said(connected), "domU/0: connected\n");
      const { directory } = card.streams[0]!.share(open.bufferSz);
      assert(!opened!.ended);
      assert.equal(card.streams[0]!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(await said(opened), `${STREAM}: open\n`);
      assert(!running!.ended);
      assert.equal(card.streams[0]!.trigger(XENSND_OP_TRIGGER_START), 0);
      assert.equal(await said(running), `${STREAM}: running\n`);
      await box.ok("trigger", "pause", STREAM);
      const held = await box.run("wait", STREAM, "--for=running", "--timeout=100ms");
      assertFails(
        held,
        Exit.timedOut,
        /domU\/0\/0\/0 is running, paused by the operator, and not running \(waited/,
      );
      const closed = wait("closed");
      await box.ok("trigger", "resume", STREAM);
      assert.equal(card.streams[0]!.close(), 0);
      assert.equal(await said(closed), `${STREAM}: closed\n`);
    }
    // A wait survives a restart of the daemon.
    const anew = wait("open");
    await first.end("SIGTERM");
    await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const { directory } = card.streams[0]!.share(open.bufferSz);
    assert.equal(card.streams[0]!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
    assert.equal(await said(anew), `${STREAM}: open\n`);
    assert.deepEqual(JSON.parse(await box.ok("wait", "1", "--for=connected", "--json")), {
      domain: "domU",
      domid: 1,
      card: 0,
      state: "connected",
    });
    const { stream, state, type } = JSON.parse(await box.ok("wait", STREAM, "--for=open", "--json"));
    assert.deepEqual({ stream, state, type }, { stream: STREAM, state: "prepared", type: "playback" });
  }));

Deno.test("clients that have gone while they waited keep no place from others", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const before = await settledDescriptors(daemon.pid);
    const asked = { stream: STREAM, waitMs: 86_400_000 };
    const requests: ControlRequest[] = [
      { command: "wait", goal: "running", ...asked },
      { command: "trigger", trigger: "pause", ...asked, stream: "domU/7" },
      { command: "volume", muted: true, ...asked, stream: "domU/7" },
      { command: "trace", ...asked, stream: "domU/7" },
    ];
    for (let i = 0; i < 80; i++) await askAndHangUp(box, requests[i % requests.length]!);
    await until("their places are free", () => controlClients(box) === 0);
    assert.match(await box.ok("status"), /domU\/0\/0\/0/);
    assert.equal((await settledDescriptors(daemon.pid)).size, before.size);
  }));

Deno.test("wait refuses more than a day", () =>
  inBox(async (box) => {
    const { code, stderr } = await box.run("wait", STREAM, "--for=open", "--timeout=86401");
    assert.equal(code, Exit.usage);
    assert.match(stderr, /at most 86400, a day/);
  }));

Deno.test("wait says what there is instead, with its exit code", () =>
  inBox(async (box) => {
    const wait = (...args: string[]) => box.run("wait", ...args, "--timeout=0");
    const connected = (stream: string) => wait(stream, "--for=connected");
    assertFails(
      await connected("nobody"),
      Exit.timedOut,
      /nobody has no virtual sound card \(waited 0 s\); `xsnd list`/,
    );
    assertFails(await connected("domU/3"), Exit.timedOut, /domU has no card 3 \(waited 0 s\)/);
    assertFails(
      await connected("domU/a"),
      Exit.usage,
      /"domU\/a" is no stream name; write DOMAIN\/CARD\/PCM\/STREAM/,
    );
    assertFails(await wait(STREAM, "--for=open"), Exit.noDaemon, /no daemon answers/);
    const cards = [0, 1].map(() => ({ pcms: [{ streams: [{ type: "playback", device: "dummy:" }] }] }));
    Deno.writeTextFileSync(box.path("two.yaml"), JSON.stringify({ domains: { domU: { cards } } }));
    await box.ok("provision", "-f", box.path("two.yaml"));
    assertFails(await connected("domU"), Exit.usage, /"domU" could be domU\/0 or domU\/1; name one of them/);
    assertFails(
      await connected("domU/0/0/1"),
      Exit.failed,
      /card 0 of domU has no stream "domU\/0\/0\/1"; `xsnd show/,
    );
    assertFails(
      await connected("domU/0/0/0"),
      Exit.timedOut,
      /card 0 of domU is not connected after 0 s: its frontend is Initialising, its backend Initialising; no daemon/,
    );
    await box.serve();
    assertFails(
      await connected("domU/1"),
      Exit.timedOut,
      /the guest's driver has not taken the card: is domU running/,
    );
    assertFails(
      await wait("domU/9", "--for=open"),
      Exit.failed,
      /the daemon serves no stream "domU\/9" \(did you mean domU\/0\?\); it serves/,
    );
    assertFails(await wait("domU/0", "--for=open"), Exit.timedOut, /domU\/0\/0\/0 is detached, and not open/);
    const none = await box.run("wait", STREAM);
    assert.equal(none.code, Exit.usage);
    assert.match(none.stderr, /required option '--for <state>' not specified/);
  }));
