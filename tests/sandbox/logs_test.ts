// SPDX-License-Identifier: MIT
/** `xsnd logs`, beside the stderr of the daemon that logs. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { logLine } from "../json_shapes.ts";
import { assertFails, inBox, makeWav, until } from "./harness.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000 };

Deno.test("logs shows what the daemon has logged, of all or of some streams, and follows", () =>
  inBox(
    async (box) => {
      for (const guest of ["domU", "domV"]) {
        await box.provision(guest, [{
          type: "playback",
          device: "dummy:",
        }]);
      }
      await using daemon = await box.serve();
      await box.untilStream("domV/0/0/0", ({ state }) => state === "detached");
      const following = box.spawn("logs", "domU/0/0/0", "--follow");
      const input = makeWav(box.path("in.wav"), { ...SOUND, frames: 12_000 });
      await box.ok("play", input, "domV");
      await box.ok("play", input, "domU");
      await until("the end is there", () => /domU\/0: disconnected/.test(following.stdout) || undefined);
      assert.doesNotMatch(following.stdout, /domV/);
      const lines = (text: string) => text.trimEnd().split("\n");
      // As on stderr, with the time in front.
      const all = lines(await box.ok("logs"));
      const said = all.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\S+Z /, "xsnd: "));
      assert.deepEqual(said, lines(daemon.stderr));
      for (const name of ["domU", "1/0/0/0", "dom?/0/0/0"]) {
        const some = lines(await box.ok("logs", name));
        const meant = all.filter((line) =>
          name.includes("?") ? / info: dom[UV]\//.test(line) : / info: domU\//.test(line)
        );
        assert.deepEqual(some, meant, name);
      }
      const json = lines(await box.ok("logs", "--json")).map((line) => logLine.parse(JSON.parse(line)));
      assert.deepEqual(
        json.map(({ message }) => all.some((line) => line.endsWith(message))),
        all.map(() => true),
      );
      assert.equal((await following.end("SIGINT")).code, Exit.interrupted);
      const second = box.spawn("logs", "-f");
      await until("it shows what there is", () => /serving 2 streams/.test(second.stdout) || undefined);
      await daemon.end("SIGTERM");
      assert.equal((await second.result).code, Exit.noDaemon);
      assertFails(await box.run("logs"), Exit.noDaemon, /no daemon answers/);
    },
    "domU",
    "domV",
  ));

Deno.test("logs of a guest has the lines that say why it has no sound", () =>
  inBox(
    async (box) => {
      const file = box.path("guests.yaml");
      const streams = [{ type: "playback", device: "dummy:" }];
      Deno.writeTextFileSync(
        file,
        JSON.stringify({ domains: { domU: { cards: [{ pcms: [{ streams }] }] } } }),
      );
      await box.provision("domV", streams as { type: "playback"; device: string }[]);
      const broken = "/local/domain/0/backend/vsnd/2/0/xsnd/0/0/type";
      await box.xenstore("write", broken, "neither");
      await box.serve("--config", file);
      await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
      assert.match(
        await box.ok("logs", "domU"),
        / info: domU: card 0 of domU is created, as \S+guests\.yaml says\n/,
      );
      const refused = await box.ok("logs", "domV/0/0/0");
      assert.match(
        refused,
        / error: domV\/0: \S+\/vsnd\/2\/0 is not served: the policy node \S+\/type holds "neither"/,
      );
    },
    "domU",
    "domV",
  ));
