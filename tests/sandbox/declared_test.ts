// SPDX-License-Identifier: MIT
/** `xsnd serve --config` makes the cards that the file declares, whenever their guests are there. */
import assert from "node:assert/strict";
import { type Box, inBox, makeWav, until } from "./harness.ts";
import { destroyDomain, makeDomain } from "./toolstack.ts";

/** A file that gives each guest one playback stream on its device. */
function declare(box: Box, guests: Readonly<Record<string, string>>, channels = 2): string {
  const file = box.path("guests.yaml");
  const domains = Object.entries(guests).map(([name, device]) => {
    const stream = { type: "playback", device, "channels-max": channels };
    return [name, { cards: [{ pcms: [{ streams: [stream] }] }] }];
  });
  Deno.writeTextFileSync(file, JSON.stringify({ domains: Object.fromEntries(domains) }));
  return file;
}

const play = (box: Box, name: string, frames: number) =>
  box.spawn(
    "play",
    makeWav(box.path(`${name}.wav`), { format: "s16_le", channels: 2, rate: 48000, frames }),
    name,
  );

Deno.test("declared guests have their cards as the daemon serves, and again after each reboot", () =>
  inBox(async (box) => {
    const daemon = await box.serve("--config", declare(box, { domU: "dummy:", later: "dummy:" }));
    assert.equal((await box.stream("domU/0/0/0")).domid, 1);
    assert.deepEqual((await box.status()).declared?.guests, [
      { domain: "domU", domid: 1 },
      { domain: "later", problem: "it does not run" },
    ]);
    const listed = await box.run("list");
    assert.match(listed.stdout, /^domU {2}/m);
    assert.match(listed.stderr, /^xsnd: later has not the cards that \S+ declares: it does not run\n$/);
    const examined = await box.run("doctor");
    assert.match(
      examined.stdout,
      /skip +later +\S+guests\.yaml\s+declares\s+its\s+cards,\s+and\s+it\s+does\s+not\s+run\n/,
    );
    const provisioned = (await box.run("provision", "domU", "-f", box.path("guests.yaml"))).stdout;
    assert.match(
      provisioned,
      /unchanged\nthe cards of domU are made again after each reboot, by \S+guests\.yaml\n$/,
    );
    for (let domid = 2; domid < 5; domid++) {
      await destroyDomain(box, domid - 1);
      await makeDomain(box, domid, "domU");
      await box.untilStream("domU/0/0/0", (stream) => stream.domid === domid);
      assert.equal((await play(box, "domU", 4800).result).code, 0);
    }
    // A name that is written late, and one that is changed.
    await makeDomain(box, 7);
    await box.xenstore("write", "/local/domain/7/name", "later--incoming");
    await box.xenstore("write", "/local/domain/7/name", "later");
    await box.untilStream("later/0/0/0", ({ domid }) => domid === 7);
    assert.deepEqual((await box.status()).declared?.guests, [
      { domain: "domU", domid: 4 },
      { domain: "later", domid: 7 },
    ]);
    assert.equal(daemon.stderr.match(/card 0 of domU is created, as \S+guests\.yaml says\n/g)?.length, 4);
    assert.doesNotMatch(daemon.stderr, /error|warning/);
  }));

Deno.test("list and provision do without a daemon that does not answer", () =>
  inBox(async (box) => {
    const daemon = await box.serve("--config", declare(box, { domU: "dummy:", later: "dummy:" }));
    daemon.kill("SIGSTOP");
    try {
      assert.match(await box.ok("list"), /^domU {2}/m);
      assert.match(
        await box.ok("provision", "domU", "-f", box.path("guests.yaml")),
        /^domU card 0: unchanged\n/,
      );
    } finally {
      daemon.kill("SIGCONT");
    }
  }));

Deno.test("a file that is read again is applied by the rules of provision, and what they refuse is told", () =>
  inBox(
    async (box) => {
      declare(box, { domU: "dummy:" });
      const daemon = await box.serve("--config", box.path("guests.yaml"));
      await using playing = play(box, "domU", 2_000_000);
      await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
      const reloaded = async (times: number) => {
        daemon.kill("SIGHUP");
        await until(
          "the reload",
          () => (daemon.stderr.match(/is reloaded/g)?.length ?? 0) === times || undefined,
        );
      };
      const other = `dummy:${box.path("other.wav")}`;
      declare(box, { domU: other, domV: "dummy:" });
      await reloaded(1);
      assert.match(
        daemon.stderr,
        /card 0 of domU is changed, .*; 0\/0\/device: takes effect when the guest next/,
      );
      assert.equal((await box.stream("domV/0/0/0")).device, "dummy:");
      declare(box, { domU: other }, 1);
      await reloaded(2);
      assert.match(
        daemon.stderr,
        /domU is not given what .* declares: card 0 of domU is in use .* cannot change/,
      );
      const { declared } = await box.status();
      assert.match(declared?.guests[0]?.problem ?? "", /^card 0 of domU is in use/);
      assert.equal((await box.stream("domU/0/0/0")).state, "running");
      // What is no longer declared stays.
      assert.equal((await box.stream("domV/0/0/0")).device, "dummy:");
      // What could not be changed is, once the guest starts anew.
      await playing[Symbol.asyncDispose]();
      await destroyDomain(box, 1);
      await makeDomain(box, 3, "domU");
      await box.untilStream("domU/0/0/0", ({ domid }) => domid === 3);
      assert.deepEqual((await box.status()).declared?.guests, [{ domain: "domU", domid: 3 }]);
    },
    "domU",
    "domV",
  ));

Deno.test("what an operator takes away stays away until the guest's next start", () =>
  inBox(async (box) => {
    await box.serve("--config", declare(box, { domU: "dummy:" }));
    await box.ok("deprovision", "domU");
    await makeDomain(box, 2, "other");
    await until("the look", async () =>
      (await box.xenstore("ls", "/local/domain/2")).includes("other") || undefined);
    assert.equal(await box.ok("list", "-o", "name"), "");
    await destroyDomain(box, 1);
    await makeDomain(box, 3, "domU");
    await box.untilStream("domU/0/0/0", ({ domid }) =>
      domid === 3);
  }));

Deno.test("a guest with a card of xl's gets no other, and --no-provision makes none at all", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      await box.xenstore("rm", "/local/domain/0/backend/vsnd/1/0/xsnd");
      const file = declare(box, { domU: `dummy:${box.path("a.wav")}`, domV: "dummy:" });
      const first = await box.serve("--config", file, "--no-provision");
      assert.match((await box.stream("domU/0/0/0")).device, /a\.wav$/);
      assert.match(
        await box.ok("provision", "domV", "--device", "dummy:"),
        /\nthe cards of domV end at a reboot, unless the file of `xsnd serve --config` declares them\n$/,
      );
      await box.ok("deprovision", "domV");
      assert.equal((await box.status()).declared, undefined);
      assert.equal(await box.ok("list", "-o", "name"), "domU/0\n");
      await first.end("SIGTERM");
      const second = await box.serve("--config", file);
      assert.match((await box.stream("domU/0/0/0")).device, /a\.wav$/);
      assert.match(second.stderr, /xl makes the cards of domU, and \S+guests\.yaml makes no others\n/);
      assert.equal(await box.ok("list", "-o", "name"), "domU/0\ndomV/0\n");
      assert.deepEqual((await box.status()).declared?.guests, [
        { domain: "domU", domid: 1 },
        { domain: "domV", domid: 2 },
      ]);
      // xl makes a card for a guest that has one already.
      await box.xenstore("write", "/libxl/2/device/vsnd/1/frontend", "/local/domain/2/device/vsnd/1");
      await until(
        "the warning",
        () => /domV has cards of xl's and cards of \S+guests\.yaml's: take/.test(second.stderr) || undefined,
      );
    },
    "domU",
    "domV",
  ));

Deno.test("a driver domain makes no cards, says so once, and serves what the toolstack makes", () =>
  inBox(
    async (box) => {
      const file = declare(box, { domU: "dummy:" });
      const config = JSON.parse(Deno.readTextFileSync(file));
      config.domains.domU.backend = "snd";
      Deno.writeTextFileSync(file, JSON.stringify(config));
      const daemon = await box.serveWith({ XSND_DOMID: "1" }, "--config", file);
      daemon.kill("SIGHUP");
      await until("the reload", () => /is reloaded/.test(daemon.stderr) || undefined);
      assert.equal(await box.ok("list", "-o", "name"), "");
      await box.ok("provision", "-f", file);
      await until("the card", async () => (await box.status()).streams[0]);
      assert.equal(daemon.stderr.match(/cards are made in domain 0/g)?.length, 1);
      assert.doesNotMatch(daemon.stderr, /error|warning/);
    },
    "snd",
    "domU",
  ));
