// SPDX-License-Identifier: MIT
/** `xsnd serve`: the daemon's end, its restart, and the cards that it takes over. */
import assert from "node:assert/strict";
import {
  assertFails,
  assertSameSamples,
  type Box,
  controlClients,
  descriptorLimit,
  inBox,
  makeWav,
  type Process,
  samplesOf,
  sleep,
  until,
} from "./harness.ts";
import { assertWorks, RawCard } from "./raw_frontend.ts";
import { ResponseView, Taken } from "../../lib/sndif/mod.ts";

const STREAM = "domU/0/0/0";
const BACKEND = "/local/domain/0/backend/vsnd/1/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };

/** A box with a guest's playback stream, without a daemon. */
async function inProvisionedBox(body: (box: Box, output: string) => Promise<void>): Promise<void> {
  await inBox(async (box) => {
    const output = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
    await body(box, output);
  });
}

/** Plays a short file; every sample must arrive. */
async function assertPlays(box: Box, output: string): Promise<void> {
  const input = makeWav(box.path("short.wav"), sound);
  await box.ok("play", input, STREAM);
  assertSameSamples(samplesOf(output), samplesOf(input));
}

/** Starts a guest that plays for 20 s; returns when it plays. */
async function startPlaying(box: Box) {
  const playing = box.spawn("play", makeWav(box.path("long.wav"), { ...sound, frames: 960_000 }), STREAM);
  await box.untilStream(STREAM, ({ state, positionFrames }) => state === "running" && positionFrames > 2400);
  return playing;
}

const backendState = (box: Box) => box.xenstore("read", `${BACKEND}/state`).then((text) => text.trim());

const GUESTS = ["g1", "g2", "g3", "g4", "g5"];

Deno.test("serve says in one line that it serves, and whom", () =>
  inBox(
    async (box) => {
      const config = box.path("none.yaml");
      Deno.writeTextFileSync(
        config,
        'domains: { later: { cards: [{ pcms: [{ streams: [{ type: playback, device: "dummy:" }] }] }] } }\n',
      );
      const said = async (...args: string[]) => {
        const { stderr } = await (await box.serve(...args)).end("SIGTERM");
        return /^xsnd: info: serve: (serving .*)$/m.exec(stderr)?.[1];
      };
      assert.equal(await said(), "serving no guest yet: `xsnd provision DOMAIN` gives one a card");
      assert.equal(
        await said("--config", config),
        `serving no guest yet: those of ${config} get their cards as soon as they are there`,
      );
      await box.provision("domU", [{ type: "playback", device: "dummy:" }], [{
        type: "capture",
        device: "dummy:",
      }]);
      assert.equal(await said(), "serving 2 streams of domU");
      for (const guest of GUESTS) await box.provision(guest, [{ type: "playback", device: "dummy:" }]);
      assert.equal(await said(), "serving 7 streams of domU, g1, g2, g3, 2 other guests");
      assert.equal(await said("--quiet"), undefined);
    },
    "domU",
    ...GUESTS,
  ));

Deno.test("serve ended in mid-play closes its streams, leaves its cards to the next one, which goes on with them", () =>
  inProvisionedBox(async (box, output) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const daemon = await box.serve();
      await until("InitWait", async () => await backendState(box) === "2");
      const playing = await startPlaying(box);
      const { code, stdout, stderr } = await daemon.end(signal);
      assert.deepEqual([code, stdout], [0, ""], stderr);
      assert(!/^\s+at /m.test(stderr) && !/error:/.test(stderr), stderr);
      assert.equal(
        await backendState(box),
        "4",
        "a change would make the driver start over, with its PCM open",
      );
      assert.throws(() => Deno.statSync(`${box.xen}/control.sock`), Deno.errors.NotFound);
      assert(samplesOf(output).length > 2400 * 4, "what was played is a whole file");
      await using _again = await box.serve();
      await box.untilStream(STREAM, ({ state }) => state === "running");
      await playing.end("SIGINT");
      await assertPlays(box, output);
    }
  }));

Deno.test("serve ends though an operator still waits for a stream, or has gone while waiting", () =>
  inProvisionedBox(async (box) => {
    const daemon = await box.serve();
    const record = () => box.spawn("trace", "record", "domU/7", "-o", box.path("never"), "--timeout", "60");
    const [waiting, gone] = [record(), record()];
    // Both commands have sent their request, and wait for a card.
    await until("both ask", () => controlClients(box) >= 2);
    await gone.end("SIGKILL");
    const { code, stderr } = await daemon.end("SIGTERM");
    assert.equal(code, 0, stderr);
    assertFails(await waiting.result, 3, /the daemon hung up without an answer/);
  }));

Deno.test("serve that was killed in mid-play is replaced by another, which goes on with the rings that it finds", () =>
  inProvisionedBox(async (box, output) => {
    const daemon = await box.serve();
    const playing = await startPlaying(box);
    await daemon.end("SIGKILL");
    assert.equal(await backendState(box), "4");
    assert(Deno.statSync(`${box.xen}/control.sock`).isSocket, "it could not take its socket away");
    const message = /no daemon answers at .* \(waited 0\.1 s\)/;
    assertFails(await box.run("status", "--timeout", "0.1"), 3, message);
    await using again = await box.serve();
    await box.untilStream(STREAM, ({ state }) => state === "running");
    assert.match(again.stderr, /info: domU\/0: taken over, 1 streams\n/);
    await playing.end("SIGINT");
    await assertPlays(box, output);
  }));

Deno.test("serve tells a guest of an answer that its predecessor gave as it died, or it would hear of none after it", () =>
  inProvisionedBox(async (box) => {
    const daemon = await box.serve();
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    const [stream] = card.streams;
    await daemon.end("SIGKILL");
    stream!.ring.reserve();
    assert(stream!.ring.pushRequests());
    const [RSP_PROD, RSP_EVENT] = [2, 3];
    assert.equal(stream!.words[RSP_EVENT], 1);
    stream!.words[RSP_PROD] = 1;
    while (stream!.channels.pending() >= 0) { /* what the first one told */ }
    stream!.channels.unmask(stream!.requestPort);
    await box.serve();
    await until("it is told", () => stream!.channels.pending() === stream!.requestPort);
    stream!.channels.unmask(stream!.requestPort);
    assert.equal(stream!.ring.take(new ResponseView()), Taken.one);
    assert.equal(stream!.ring.finalCheckForResponses(), false);
    assertWorks(stream!);
  }));

Deno.test("serve that finds a card whose frontend has died waits for another", () =>
  inProvisionedBox(async (box, output) => {
    const daemon = await box.serve();
    const playing = await startPlaying(box);
    await daemon.end("SIGKILL");
    await playing.end("SIGKILL");
    await box.serve();
    await until("InitWait", async () => await backendState(box) === "2");
    await assertPlays(box, output);
  }));

Deno.test("serve has one daemon at a time: a second one says so and touches nothing", () =>
  inProvisionedBox(async (box, output) => {
    const daemon = await box.serve();
    const input = makeWav(box.path("in.wav"), { ...sound, frames: 60_000 });
    const playing = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    assertFails(await box.run("serve"), 1, /a daemon is already running: it answers at .*control\.sock/);
    const { code, stderr } = await playing.result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assertSameSamples(samplesOf(output), samplesOf(input));
    assert(!daemon.ended);
  }));

Deno.test("serve takes a card in whatever state it was left", () =>
  inProvisionedBox(async (box, output) => {
    for (const state of ["1", "2", "3", "4", "5", "6"]) {
      await box.xenstore("write", `${BACKEND}/state`, state);
      await using _daemon = await box.serve();
      await until("InitWait", async () => await backendState(box) === "2");
    }
    await box.serve();
    await assertPlays(box, output);
  }));

Deno.test("serve takes up cards that come, and lets go of cards that are taken away, also in mid-play", () =>
  inBox(async (box) => {
    const daemon = await box.serve();
    assert.equal(await box.ok("status"), "no streams; `xsnd provision DOMAIN` makes a card\n");
    for (let round = 0; round < 3; round++) {
      const output = box.path(`played-${round}.wav`);
      await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
      const playing = await startPlaying(box);
      const { code, stderr } = await box.run("deprovision", "domU", "--force");
      assert.equal(code, 0, stderr);
      await until("the stream is gone", async () => (await box.status()).streams.length === 0);
      assert.equal(await box.ok("list", "--json"), "[]\n");
      assert.equal(await box.xenstore("ls", "/local/domain/0/backend/vsnd").catch(() => ""), "");
      await playing.end("SIGKILL");
    }
    assert(!daemon.ended);
  }));

Deno.test("serve gives xl's cards the device that --default-device or --config names", () =>
  inBox(async (box) => {
    const output = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: "dummy:", "unique-id": "speakers" }]);
    // xl writes no policy into XenStore.
    await box.xenstore("rm", `${BACKEND}/xsnd`);
    {
      await using daemon = await box.serve();
      await until(
        "it says so",
        () => /domU\/0 was made by xl and is not served: no device/.test(daemon.stderr),
      );
      assert.deepEqual((await box.status()).streams, []);
    }
    {
      await using _daemon = await box.serve("--default-device", `dummy:${output}`);
      await assertPlays(box, output);
    }
    Deno.removeSync(output);
    const config = box.path("devices.yaml");
    const streams = [{
      type: "playback",
      "unique-id": "speakers",
      device: `dummy:${output}`,
      "channels-max": 2,
    }];
    const card = { "sample-rates": [48000], pcms: [{ streams }] };
    Deno.writeTextFileSync(config, JSON.stringify({ domains: { domU: { cards: [card] } } }));
    await using _daemon = await box.serve("--config", config);
    await assertPlays(box, output);
  }));

Deno.test("serve does not serve what its guest cannot be served with, and says why; others are none the worse", () =>
  inBox(
    async (box) => {
      const output = box.path("played.wav");
      await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
      await box.provision("domV", [{ type: "playback", device: "dummy:" }]);
      const daemon = await box.serve();
      const frontend = "/local/domain/2/device/vsnd/0";
      const backend = "/local/domain/0/backend/vsnd/2/0";
      const publish = async (nodes: Record<string, string>) => {
        const paths = Object.entries(nodes).flatMap(([name, value]) => [`${frontend}/0/0/${name}`, value]);
        await box.xenstore("write", ...paths, `${frontend}/state`, "3");
      };
      const transport = {
        "ring-ref": "1",
        "event-channel": "1",
        "evt-ring-ref": "2",
        "evt-event-channel": "2",
      };
      for (
        const [change, reason] of [
          [{ "ring-ref": "4294967295" }, /grant/],
          [{ "event-channel": "x" }, /event-channel is no 32-bit number: "x"/],
          [{ "evt-ring-ref": "0x8" }, /evt-ring-ref is no 32-bit number/],
        ] as const
      ) {
        const from = daemon.stderr.length;
        await publish({ ...transport, ...change });
        await until("it is refused", async () => await box.xenstore("read", `${backend}/state`) === "5\n");
        assert.match(
          daemon.stderr.slice(from),
          /error: domV\/0: not served until its frontend starts over: /,
        );
        assert.match(daemon.stderr.slice(from), reason);
        assert(!/^\s+at /m.test(daemon.stderr), daemon.stderr);
        await box.xenstore("write", `${frontend}/state`, "1");
        await until(
          "it may start over",
          async () => await box.xenstore("read", `${backend}/state`) === "2\n",
        );
      }
      await assertPlays(box, output);
      assert(!daemon.ended);
    },
    "domU",
    "domV",
  ));

Deno.test("serve whose engine fails says so, lets go of its cards, and ends: exit 1", () =>
  inProvisionedBox(async (box, output) => {
    const daemon = await box.serve();
    const playing = await startPlaying(box);
    // The engine's poll(2) fails: poll(2) refuses more descriptors than the process's limit.
    await descriptorLimit(daemon.pid, "1");
    const { code, stderr } = await daemon.result;
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /\nxsnd: the engine has failed: poll: [^\n]+ \(EINVAL\); start `xsnd serve` again\n$/,
    );
    await playing.end("SIGKILL");
    assert.equal(await backendState(box), "4");
    await box.serve();
    await assertPlays(box, output);
  }));

Deno.test("serve whose sandbox has ended says so, closes what it played, and ends: exit 1", () =>
  inProvisionedBox(async (box, output) => {
    const daemon = await box.serve();
    const playing = await startPlaying(box);
    await box.stopXen();
    const { code, stderr } = await daemon.result;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /\nxsnd: XenStore is lost: [^\n]+\n$/);
    assert(!/^\s+at /m.test(stderr), stderr);
    assert(samplesOf(output).length > 2400 * 4, "what was played is a whole file");
    await playing.end("SIGKILL");
  }));

Deno.test("serve that is ended after XenStore is gone, and before it has noticed, ends in order", () =>
  inProvisionedBox(async (box) => {
    const daemon = await box.serve();
    await box.untilStream(STREAM, ({ state }) => state === "detached");
    await box.stopXen();
    const { code, stderr } = await daemon.end("SIGTERM");
    assert([0, 1].includes(code), stderr);
    assert(!/^\s+at /m.test(stderr), stderr);
  }));

Deno.test("serve that hangs as it ends is forced to by a second signal, as its first word on it says", () =>
  inProvisionedBox(async (box) => {
    for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
      const daemon = await box.serve();
      await untilAtRest(daemon);
      // XenStore no longer answers, so the ending daemon waits for an answer.
      const xenstored = xenstoredOf(box);
      Deno.kill(xenstored, "SIGSTOP");
      try {
        daemon.kill("SIGTERM");
        await until(
          "it is said",
          () => /info: serve: SIGTERM: ending; a second signal forces the end\n/.test(daemon.stderr),
        );
        assert.equal((await daemon.end(signal)).code, code);
      } finally {
        Deno.kill(xenstored, "SIGCONT");
      }
    }
  }));

/** Waits until a process's main thread has been idle for half a second. */
async function untilAtRest({ pid }: Process): Promise<void> {
  const wakeUps = () =>
    /^voluntary_ctxt_switches:.*$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![0];
  await until("it is at rest", async () => {
    const before = wakeUps();
    await sleep(500);
    return wakeUps() === before;
  });
}

/** The process id of the box's XenStore. */
function xenstoredOf(box: Box): number {
  const isIt = (pid: string) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").includes(`--directory=${box.xen}`);
    } catch {
      return false; // the process has just ended
    }
  };
  const pids = Array.from(Deno.readDirSync("/proc"), ({ name }) => name).filter((name) => /^\d+$/.test(name));
  return Number(pids.find(isIt));
}
