// SPDX-License-Identifier: MIT
/** xsnd provision and deprovision over the world's XenStore: killed at each system call, and among other toolstacks. */
import assert from "node:assert/strict";
import { Exit } from "../../../lib/base/error.ts";
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import { type Configuration, CONFIGURATIONS } from "./configurations.ts";
import type { ProvisionRequest, RunningCommand } from "./provisioner.ts";
import { type Bench, onBench, SECOND, test } from "./toolstack_bench.ts";

const FILE = "/world/guests.yaml";

const named = (name: string): Configuration => CONFIGURATIONS.find((one) => one.name === name)!;

/** A card of one stream for each guest: few system calls. */
const small = (rest: string) =>
  ["domU", "domV"].reduce(
    (text, name) =>
      `${text}\n  ${name}: { cards: [{ pcms: [{ streams: [{ type: p, device: "dummy:"${rest} }] }] }] }`,
    "domains:",
  );
const SMALL = small("");
const SMALL_DENIED = small(", denied: true");
const SMALL_NARROW = small(", buffer-size: 16384");

const makers = (bench: Bench) =>
  bench.account.cards.map(({ address: { domid, card }, states }) =>
    `${domid}/${card} ${states.map(({ maker }) => maker).join("|")}`
  );

const code = (command: RunningCommand) => command.exit?.kind === "exited" ? command.exit.code : "killed";

/** The guests domU and domV, and the file with a configuration. */
function prepare(bench: Bench, text: string): void {
  for (const name of ["domU", "domV"]) bench.domain(name);
  bench.host.files.write(FILE, text);
}

async function provision(bench: Bench, request: ProvisionRequest = { file: FILE }): Promise<RunningCommand> {
  const command = bench.provisioner.provision(request);
  await bench.exitOf(command);
  return command;
}

/** Has the guest's driver and the backend be connected, or seem so. */
function connect(bench: Bench, domid: number, card: number): void {
  const { frontend, backend } = cardPaths({ domid, card, backendDomid: 0 });
  for (const end of [frontend, backend]) bench.services.store.write(`${end}/state`, "4");
}

test("xsnd provision makes the cards of a file, and the account has them", async (bench) => {
  prepare(bench, named("by place").text);
  const command = await provision(bench);
  assert.equal(code(command), Exit.done);
  assert.deepEqual(makers(bench), ["1/0 xsnd", "1/1 xsnd", "2/0 xsnd", "2/1 xsnd"]);
  assert.deepEqual(bench.problems(), []);
  await bench.pass(SECOND);
  assert.deepEqual(bench.problems(), []);
  assert.equal(code(await provision(bench, { file: FILE, wait: "initwait" })), Exit.done);
  await bench.exitOf(bench.provisioner.deprovision({ domain: "domU" }));
  await bench.exitOf(bench.provisioner.deprovision({ domain: "domV", card: 1 }));
  assert.deepEqual([makers(bench), bench.problems()], [["2/0 xsnd"], []]);
  await bench.finish(bench.xl.destroy(2, bench.random(1)));
  assert.deepEqual([makers(bench), bench.problems()], [[], []]);
});

test("xsnd provision examines the devices, and refuses what no device can do", async (bench) => {
  prepare(bench, named("narrow").text);
  assert.equal(code(await provision(bench, { file: FILE, examines: true })), Exit.done);
  bench.host.files.write(
    FILE,
    named("narrow").text.replaceAll("[48000]", "[5512]").replaceAll("32768", "16384"),
  );
  const refused = await provision(bench, { file: FILE, examines: true });
  assert.equal(code(refused), Exit.badConfiguration, bench.log.join("\n"));
  assert.deepEqual([makers(bench), bench.problems()], [["1/0 xsnd", "2/0 xsnd"], []]);
});

test("xsnd provision of a card in use refuses, and with --replace detaches the card first", async (bench) => {
  prepare(bench, named("hw:0").text);
  await provision(bench);
  await bench.pass(SECOND);
  connect(bench, 1, 0);
  bench.host.files.write(FILE, named("narrow").text);
  const { exit } = await provision(bench);
  assert.match(String(exit?.kind === "exited" && exit.error), /is in use/);
  assert.deepEqual(bench.problems(), []);
  const policy = () => bench.nodes.value("/local/domain/0/backend/vsnd/1/0/xsnd/0/0/buffer-size");
  assert.equal(policy(), "65536");
  assert.equal(code(await provision(bench, { file: FILE, isReplacing: true })), Exit.done);
  assert.deepEqual([policy(), bench.problems()], ["32768", []]);
});

test("xsnd deprovision of a backend that hangs times out, and --force removes the card", async (bench) => {
  prepare(bench, named("by place").text);
  await provision(bench);
  await bench.pass(SECOND);
  bench.backend = "hangs";
  const late = bench.provisioner.deprovision({ domain: "domU", timeout: 3 });
  await bench.exitOf(late);
  assert.deepEqual([code(late), bench.problems()], [Exit.timedOut, []]);
  assert(bench.account.card(1, 0)?.mayBeOffline);
  const forced = bench.provisioner.deprovision({ domain: "domU", force: true });
  await bench.exitOf(forced);
  assert.deepEqual([code(forced), bench.problems()], [Exit.done, []]);
  assert.deepEqual(makers(bench), ["2/0 xsnd", "2/1 xsnd"]);
});

/** A command, on a bench where that command has something to do. */
const COMMANDS: Readonly<Record<string, (bench: Bench) => Promise<RunningCommand>>> = {
  "provision": (bench) => {
    prepare(bench, SMALL);
    return Promise.resolve(bench.provisioner.provision({ file: FILE }));
  },
  "provision of other cards": async (bench) => {
    prepare(bench, SMALL);
    await provision(bench);
    bench.host.files.write(FILE, SMALL_DENIED);
    return bench.provisioner.provision({ file: FILE });
  },
  "provision --replace": async (bench) => {
    prepare(bench, SMALL);
    await provision(bench);
    await bench.pass(SECOND);
    connect(bench, 1, 0);
    connect(bench, 2, 0);
    bench.host.files.write(FILE, SMALL_NARROW);
    return bench.provisioner.provision({ file: FILE, isReplacing: true });
  },
  "deprovision": async (bench) => {
    prepare(bench, SMALL);
    await provision(bench);
    await bench.pass(SECOND);
    return bench.provisioner.deprovision({ domain: "domU" });
  },
};

for (const [name, begin] of Object.entries(COMMANDS)) {
  Deno.test(`xsnd ${name} killed at each of its system calls leaves nothing half done`, async () => {
    let kills = 0;
    for (let isOver = false; !isOver; kills++) {
      await onBench(async (bench) => {
        const command = await begin(bench);
        command.process.killAfter(kills);
        await bench.exitOf(command);
        isOver = command.exit!.kind === "exited";
        assert.deepEqual(bench.problems(), [], `killed at call ${kills}`);
        for (const card of makers(bench)) {
          assert.match(card, /^\d\/\d (xsnd|xsnd\|xsnd)$/, `killed at call ${kills}`);
        }
        await bench.pass(20 * SECOND);
        assert.deepEqual(bench.problems(), [], `killed at call ${kills}, and later`);
        if (kills % 4 > 0) return;
        // Whatever the killed command has left, another one goes on.
        const again = await provision(bench, { file: FILE, isReplacing: true });
        assert.equal(code(again), Exit.done, `killed at call ${kills}`);
        assert.deepEqual(bench.problems(), []);
        bench.account.cards.forEach(({ states }) => assert.equal(states.length, 1));
      });
    }
    assert(kills > 20, `${kills}`);
  });

  Deno.test(`xsnd ${name} while xl destroys the guest: what is left are cards that were made in a dying domain`, async () => {
    let orphans = 0;
    for (let start = 0; start < 60; start++) {
      await onBench(async (bench) => {
        // The destroyer begins before the command, or after: the command takes some 5 ms.
        const wait = start * 1_500;
        let destroyer: ReturnType<typeof bench.xl.destroy> | undefined;
        const command = await begin(bench);
        bench.clock.after(wait, () => {
          destroyer = bench.xl.destroy(1, bench.random(start));
        });
        await bench.until(() => command.exit !== undefined && destroyer?.isRunning === false);
        await bench.pass(20 * SECOND);
        assert.deepEqual(bench.problems(), [], `destroyed ${wait} us later`);
        orphans += bench.account.cards.filter(({ isOrphan }) => isOrphan).length;
      }, { seed: start });
    }
    assert(name.startsWith("provision") || orphans === 0, `${orphans}`);
  });
}

Deno.test("two provisions at the same time: each card is as one of the two wants it", async () => {
  for (let wait = 0; wait < 20; wait++) {
    await onBench(async (bench) => {
      prepare(bench, SMALL);
      bench.host.files.write("/world/other.yaml", SMALL_DENIED);
      const commands = [bench.provisioner.provision({ file: FILE })];
      bench.clock.after(wait * 300, () => {
        commands.push(bench.provisioner.provision({ file: "/world/other.yaml" }));
      });
      await bench.until(() => commands.length === 2 && commands.every(({ exit }) => exit !== undefined));
      assert.deepEqual([bench.problems(), commands.map(code)], [[], [Exit.done, Exit.done]]);
      bench.account.cards.forEach(({ states }) => assert.equal(states.length, 1));
    }, { seed: wait });
  }
});

Deno.test("XenStore is lost in each request of a provision: nothing is half done", async () => {
  let isOver = false;
  for (let request = 0; !isOver; request++) {
    for (const lost of ["done", "not done"] as const) {
      await onBench(async (bench) => {
        prepare(bench, SMALL);
        const { xenstored } = bench.host.xen;
        const command = bench.provisioner.provision({ file: FILE });
        xenstored.dieAt(request, lost);
        await bench.exitOf(command);
        isOver = xenstored.isRunning;
        if (isOver) return;
        xenstored.comeBack();
        assert.deepEqual(bench.problems(), [], `lost in request ${request}, ${lost}`);
        assert.notEqual(code(command), Exit.done, `lost in request ${request}, ${lost}`);
        assert.equal(code(await provision(bench)), Exit.done);
        assert.deepEqual(bench.problems(), []);
      });
    }
  }
});
