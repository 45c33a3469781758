// SPDX-License-Identifier: MIT
/** xl's verbs: what they write, how long they wait, and what is left of a verb that is interrupted at each of its steps. */
import assert from "node:assert/strict";
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import { ABSENT } from "./card_target.ts";
import type { AnyProgram } from "./steps.ts";
import { type Bench, onBench, SECOND, test } from "./toolstack_bench.ts";
import { XL_CARDS, type XlCard } from "./xl_card.ts";

/** The card of fixtures/domU.yaml, as xl writes it. */
const RECORDED: XlCard = {
  "long-name": "Virtual sound card",
  "short-name": "VCard",
  "sample-rates": "44100,48000",
  "sample-formats": "s16_le",
  "channels-max": "2",
  "buffer-size": "65536",
  pcms: [{
    name: "Main",
    streams: [{ "unique-id": "speakers", type: "p" }, { "unique-id": "mic", type: "c" }],
  }],
};

const address = (domid: number, card: number) => ({ domid, card, backendDomid: 0 });

const dump = (bench: Bench, ...roots: string[]) => roots.flatMap((root) => bench.nodes.lines(root));

const values = (bench: Bench, path: string) => bench.nodes.value(path);

test("xl vsnd-attach writes the nodes that are recorded of libxl, and waits for InitWait", async (bench) => {
  const domid = await bench.finish(bench.xl.create("domU", [], bench.random()));
  const devid = await bench.finish(bench.xl.attach(domid, RECORDED, bench.random(1)));
  assert.deepEqual([domid, devid], [1, 0]);
  const recorded = Deno.readTextFileSync(new URL("../../../fixtures/trees/domU.txt", import.meta.url));
  const wanted = recorded.trim().split("\n").filter((line) => !line.includes("/1/0/xsnd"))
    .map((line) => line.replace('backend/vsnd/1/0/state = "1"', 'backend/vsnd/1/0/state = "2"'));
  const roots = ["/libxl/1/device/vsnd", "/local/domain/1/device/vsnd", "/local/domain/0/backend/vsnd"];
  assert.deepEqual(dump(bench, ...roots).sort(), wanted.sort());
  assert.deepEqual(bench.problems(), []);
});

test("xl create makes a domain with all its cards, and unpauses it when every backend has offered its card", async (bench) => {
  const program = bench.xl.create("domU", XL_CARDS, bench.random());
  bench.backend = "hangs";
  await bench.pass(5 * SECOND);
  assert.deepEqual([program.isRunning, bench.controls.domainInfo(1)?.isPaused], [true, true]);
  bench.backend = "follows";
  bench.services.store.write("/local/domain/0/backend/vsnd/nudge", "");
  const domid = await bench.finish(program);
  bench.services.store.remove("/local/domain/0/backend/vsnd/nudge");
  assert.equal(bench.controls.domainInfo(domid)?.isPaused, false);
  assert.deepEqual(bench.problems(), []);
  XL_CARDS.forEach((card, devid) => {
    const accounted = bench.account.card(domid, devid);
    assert.deepEqual(accounted?.states, [{ maker: "xl", card }]);
    assert.equal(values(bench, `${cardPaths(address(domid, devid)).backend}/state`), "2");
  });
});

test("xl create whose backend does not answer destroys the domain after ten seconds", async (bench) => {
  bench.backend = "hangs";
  const program = bench.xl.create("domU", [XL_CARDS[0]!], bench.random());
  await bench.over(program);
  assert.equal(program.outcome?.kind, "failed");
  assert(bench.clock.now > 20 * SECOND && bench.clock.now < 25 * SECOND, `${bench.clock.now}`);
  assert.deepEqual([bench.account.domains, bench.host.xen.hypervisor.domain(1)], [[], undefined]);
  assert.deepEqual(bench.problems(), []);
  assert.deepEqual(dump(bench, "/local/domain/1", "/libxl/1", "/vm/x", "/local/domain/0/backend"), []);
});

test("xl vsnd-attach whose backend does not answer fails after ten seconds, and leaves the card", async (bench) => {
  const domid = await bench.finish(bench.xl.create("domU", [], bench.random()));
  bench.backend = "hangs";
  const begun = bench.clock.now;
  const program = bench.xl.attach(domid, RECORDED, bench.random(1));
  await bench.over(program);
  assert.equal(program.outcome?.kind, "failed");
  assert(bench.clock.now - begun > 10 * SECOND && bench.clock.now - begun < 12 * SECOND);
  assert.equal(bench.account.card(domid, 0)?.states[0]?.maker, "xl");
  assert.deepEqual(bench.problems(), []);
});

test("xl vsnd-detach asks the backend to close, and removes the card with its empty parents", async (bench) => {
  const domid = await bench.finish(bench.xl.create("domU", [RECORDED], bench.random()));
  const states: (string | undefined)[] = [];
  const { backend } = cardPaths(address(domid, 0));
  bench.services.store.watch(backend, () => states.push(bench.services.store.read(`${backend}/state`)));
  await bench.finish(bench.xl.detach(domid, 0, bench.random(1)));
  await bench.pass(SECOND);
  assert.deepEqual([...new Set(states)], ["2", "5", "6", undefined]);
  assert.deepEqual(
    dump(bench, "/local/domain/0/backend", "/local/domain/1/device/vsnd", "/libxl/1/device"),
    [],
  );
  assert.deepEqual(bench.account.card(domid, 0)?.states, [ABSENT]);
  assert.deepEqual(bench.problems(), []);
});

test("xl vsnd-detach of a backend that hangs is forced after ten seconds, and removes the card after twenty", async (bench) => {
  const domid = await bench.finish(bench.xl.create("domU", [RECORDED], bench.random()));
  bench.backend = "hangs";
  const begun = bench.clock.now;
  const program = bench.xl.detach(domid, 0, bench.random(1));
  const { frontend, backend } = cardPaths(address(domid, 0));
  await bench.pass(9 * SECOND);
  assert.deepEqual([values(bench, `${backend}/online`), values(bench, `${backend}/state`)], ["0", "5"]);
  assert.deepEqual([values(bench, `${frontend}/state`), bench.problems()], ["1", []]);
  await bench.pass(5 * SECOND);
  assert.deepEqual([values(bench, frontend), bench.problems()], [undefined, []]);
  await bench.over(program);
  assert.equal(program.outcome?.kind, "failed");
  assert(bench.clock.now - begun > 20 * SECOND && bench.clock.now - begun < 24 * SECOND);
  assert.deepEqual([dump(bench, backend), bench.problems()], [[], []]);
});

test("xl reboot makes another domain of the same name with the cards that the former one had at its end", async (bench) => {
  const random = bench.random(1);
  await bench.finish(bench.xl.create("domU", [RECORDED, XL_CARDS[1]!], bench.random()));
  await bench.finish(bench.xl.attach(1, XL_CARDS[2]!, random));
  await bench.finish(bench.xl.detach(1, 0, random));
  await bench.finish(bench.xl.shutdown(1, "reboot", random));
  await bench.until(() => bench.account.domains.some(({ domid, phase }) => domid === 2 && phase === "whole"));
  assert.deepEqual(bench.account.domains.map(({ domid, name }) => [domid, name]), [[2, "domU"]]);
  assert.deepEqual(bench.account.cards.map(({ address: { domid, card } }) => [domid, card]), [[2, 1], [
    2,
    2,
  ]]);
  await bench.pass(SECOND);
  assert.deepEqual(bench.problems(), []);
  assert.deepEqual([...bench.xl.monitors.values()], [2]);
  await bench.finish(bench.xl.shutdown(2, "poweroff", random));
  await bench.until(() => bench.account.domains.length === 0);
  assert.deepEqual([bench.problems(), bench.xl.monitors.size], [[], 0]);
});

test("xl save and xl restore: the domain's nodes go, and come back under another number", async (bench) => {
  const random = bench.random(1);
  const first = await bench.finish(bench.xl.create("domU", [RECORDED], bench.random()));
  const domain = bench.host.xen.hypervisor.domain(first);
  const saved = await bench.finish(bench.xl.save(first, random));
  assert.deepEqual([bench.account.domains, bench.problems()], [[], []]);
  const second = await bench.finish(bench.xl.restore(saved, random));
  assert.deepEqual([second, bench.host.xen.hypervisor.domain(second)], [2, domain]);
  assert.deepEqual(bench.account.cards.map(({ address: { domid, card } }) => [domid, card]), [[2, 0]]);
  assert.deepEqual([bench.problems(), domain?.isPaused], [[], false]);
  const copy = await bench.finish(bench.xl.checkpoint(second, random));
  assert.equal(copy.config.name, "domU");
  assert.deepEqual([bench.problems(), domain?.isPaused], [[], false]);
});

test("xl save of a guest that does not suspend gives up after a minute, and takes its wish back", async (bench) => {
  const domid = await bench.finish(bench.xl.create("domU", [RECORDED], bench.random()));
  bench.guests = "hangs";
  const program = bench.xl.save(domid, bench.random(1));
  await bench.over(program);
  assert.equal(program.outcome?.kind, "failed");
  assert.equal(values(bench, `/local/domain/${domid}/control/shutdown`), "");
  assert.deepEqual([bench.problems(), bench.account.domains.length], [[], 1]);
});

test("xl migrate renames the incoming domain in the end", async (bench) => {
  const names: string[] = [];
  const first = await bench.finish(bench.xl.create("domU", [RECORDED], bench.random()));
  const program = bench.xl.migrate(first, bench.random(1));
  await bench.until(() => {
    for (const { name } of bench.account.domains) if (!names.includes(name)) names.push(name);
    return !program.isRunning;
  });
  assert.deepEqual(names, ["domU", "domU--incoming", "domU--migratedaway"]);
  assert.deepEqual(bench.account.domains.map(({ domid, name }) => [domid, name]), [[2, "domU"]]);
  assert.deepEqual(bench.problems(), []);
});

test("xl rename changes the name alone, and refuses a name that is taken", async (bench) => {
  const random = bench.random(1);
  const domid = await bench.finish(bench.xl.create("domU", [RECORDED], bench.random()));
  await bench.finish(bench.xl.create("other", [], random));
  await bench.finish(bench.xl.rename(domid, "renamed", random));
  assert.equal(values(bench, `/local/domain/${domid}/name`), "renamed");
  const refused = bench.xl.rename(domid, "other", random);
  await bench.over(refused);
  assert.equal(refused.outcome?.kind, "failed");
  assert.deepEqual(bench.problems(), []);
});

interface Verb {
  /** Begins the verb on domain 1, which has two cards. */
  begin(bench: Bench): AnyProgram;
  /** Whether the verb is carried out, for a program that goes on then. */
  isDone?(bench: Bench): boolean;
  /** The domain that the verb is about. */
  readonly domid?: number;
}

const VERBS: Readonly<Record<string, Verb>> = {
  create: {
    begin: (bench) => bench.xl.create("second", [RECORDED, XL_CARDS[1]!], bench.random(2)),
    domid: 2,
  },
  attach: { begin: (bench) => bench.xl.attach(1, XL_CARDS[1]!, bench.random(2)) },
  detach: { begin: (bench) => bench.xl.detach(1, 0, bench.random(2)) },
  destroy: { begin: (bench) => bench.xl.destroy(1, bench.random(2)) },
  "the monitor of a guest that reboots": {
    begin: (bench) => {
      bench.controls.shutsDown(bench.host.xen.hypervisor.domain(1)!, "reboot");
      return [...bench.xl.monitors.keys()][0]!;
    },
    isDone: ({ account }) => account.domain(2)?.phase === "whole",
  },
  rename: { begin: (bench) => bench.xl.rename(1, "renamed", bench.random(2)) },
  save: { begin: (bench) => bench.xl.save(1, bench.random(2)) },
  migrate: { begin: (bench) => bench.xl.migrate(1, bench.random(2)) },
};

/** Makes domain 1, and begins `verb`. */
async function begin(bench: Bench, verb: Verb): Promise<AnyProgram> {
  await bench.finish(bench.xl.create("domU", [RECORDED, XL_CARDS[2]!], bench.random()));
  return verb.begin(bench);
}

/** The steps of a verb that nobody disturbs. */
async function stepsOf(verb: Verb): Promise<number> {
  let steps = 0;
  await onBench(async (bench) => {
    const program = await begin(bench, verb);
    const before = program.steps;
    await bench.until(() => !program.isRunning || verb.isDone?.(bench) === true);
    assert(program.isRunning || program.outcome?.kind === "done", JSON.stringify(program.outcome));
    steps = program.steps - before;
  });
  return steps;
}

/** Destroys all domains, as an administrator does until nothing is left. */
async function destroyAll(bench: Bench): Promise<void> {
  for (const monitor of bench.xl.monitors.keys()) monitor.kill();
  for (const { domid } of bench.host.xen.hypervisor.domains) {
    if (domid === 0) continue;
    const program = bench.xl.destroy(domid, bench.random(50 + domid));
    await bench.over(program);
  }
}

for (const [name, verb] of Object.entries(VERBS)) {
  Deno.test(`xl killed at each step of ${name}: the account knows what is left, and xl destroy takes it away`, async () => {
    const steps = await stepsOf(verb);
    assert(steps > 4, `${steps}`);
    for (let step = 0; step <= steps; step++) {
      await onBench(async (bench) => {
        const program = await begin(bench, verb);
        program.killAfter(step);
        await bench.until(() => !program.isRunning || verb.isDone?.(bench) === true);
        const { account, nodes } = bench;
        assert.deepEqual(account.settle(nodes), [], `killed at step ${step}`);
        await bench.pass(5 * SECOND);
        assert.deepEqual(bench.problems(), [], `killed at step ${step}, and later`);
        await destroyAll(bench);
        await bench.pass(5 * SECOND);
        assert.deepEqual(bench.problems(), [], `destroyed after step ${step}`);
        assert.deepEqual(account.cards, [], `destroyed after step ${step}`);
        assert.deepEqual(dump(bench, "/local/domain/0/backend"), [], `destroyed after step ${step}`);
      });
    }
  });

  Deno.test(`xl destroy at each step of ${name}: what is left are cards that were made in a dying domain`, async () => {
    const steps = await stepsOf(verb);
    for (let step = 0; step <= steps; step++) {
      await onBench(async (bench) => {
        const program = await begin(bench, verb);
        const until = program.steps + step;
        await bench.until(() => !program.isRunning || program.steps > until || verb.isDone?.(bench) === true);
        const destroyer = bench.xl.destroy(verb.domid ?? 1, bench.random(3));
        const isOver = () => !program.isRunning || verb.isDone?.(bench) === true;
        await bench.until(() => !destroyer.isRunning && isOver(), 200);
        await bench.pass(10 * SECOND);
        assert.deepEqual(bench.problems(), [], `destroyed at step ${step}`);
        for (const { address: { domid } } of bench.account.cards.filter(({ isOrphan }) => isOrphan)) {
          assert(
            ["attach", "create"].includes(name),
            `domain ${domid} left a card, destroyed at step ${step}`,
          );
        }
      });
    }
  });
}

Deno.test("xl's verbs are the same for the same seed, and others for another", async () => {
  const logOf = async (seed: number) => {
    const bench = await onBench(async (bench) => {
      await bench.over(await begin(bench, VERBS.migrate!));
      await bench.finish(bench.xl.shutdown(2, "reboot", bench.random(3)));
      await bench.pass(10 * SECOND);
    }, { seed });
    return bench.log.join("\n");
  };
  const log = await logOf(7);
  assert.equal(await logOf(7), log);
  assert.notEqual(await logOf(8), log);
});
