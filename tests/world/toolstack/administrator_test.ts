// SPDX-License-Identifier: MIT
/** The administrator and the real daemon: starts, ends, kills, replacements, and which configuration is in force. */
import assert from "node:assert/strict";
import type { StreamPolicy } from "../../../lib/vsnd/model/card.ts";
import { CONFIG_FILE, type DaemonRun } from "../daemon.ts";
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import { configOf, ConfigurationInForce } from "./configuration_in_force.ts";
import { CONFIGURATIONS } from "./configurations.ts";
import { deviceProblem, openProblem } from "./policy_history.ts";
import { Clock } from "../machine/clock.ts";
import { type Bench, onBench, SECOND, test } from "./toolstack_bench.ts";
import { XL_CARDS } from "./xl_card.ts";

const withDaemon = { hasBackend: false };

const text = (name: string) => CONFIGURATIONS.find((one) => one.name === name)!.text;
const config = (name: string) => configOf(text(name))!;

/** Starts a daemon, and waits until it serves. */
async function serve(bench: Bench): Promise<DaemonRun> {
  const run = bench.administrator.start(bench.random(10))!;
  await bench.until(() => run.servesSince !== undefined || run.ending !== undefined, 20);
  assert.equal(run.ending, undefined, bench.log.join("\n"));
  return run;
}

const backendState = (bench: Bench, domid: number, card: number) =>
  bench.nodes.value(`${cardPaths({ domid, card, backendDomid: 0 }).backend}/state`);

function put(bench: Bench, name: string): void {
  bench.host.files.write(CONFIG_FILE, text(name));
}

test("a daemon announces itself, offers the cards of both toolstacks, and leaves nothing", async (bench) => {
  bench.administrator.options = { defaultDevice: "hw:0", defaultCaptureDevice: "hw:0" };
  await serve(bench);
  const domid = await bench.finish(bench.xl.create("domU", [XL_CARDS[0]!], bench.random(1)));
  const command = bench.provisioner.provision({ domain: "domU", device: "dummy:", wait: "initwait" });
  await bench.exitOf(command);
  await bench.pass(SECOND);
  assert.deepEqual([backendState(bench, domid, 0), bench.problems()], ["2", []], bench.log.join("\n"));
  bench.administrator.stop();
  await bench.until(() => bench.daemons.current === undefined);
  assert.equal(bench.daemons.runs[0]!.ending, "in order");
  assert.deepEqual([backendState(bench, domid, 0), bench.problems()], ["1", []]);
  await bench.finish(bench.xl.destroy(domid, bench.random(2)));
  assert.deepEqual([bench.problems(), bench.nodes.lines("/local/domain/0/backend")], [[], []]);
}, withDaemon);

test("a second daemon ends at once, and leaves the first one serving", async (bench) => {
  bench.administrator.options = { defaultDevice: "hw:0" };
  const first = await serve(bench);
  const second = bench.administrator.startSecond()!;
  bench.administrator.isSupervised = false;
  await bench.until(() => second.ending !== undefined);
  assert.deepEqual([second.ending, first.ending], ["failed", undefined]);
  await bench.finish(bench.xl.create("domU", [XL_CARDS[1]!], bench.random(1)));
  assert.deepEqual(bench.problems(), []);
}, withDaemon);

test(
  "a service manager starts a daemon again that was killed, and none whose file is refused",
  async (bench) => {
    bench.administrator.options = { config: CONFIG_FILE };
    put(bench, "hw:0");
    const first = await serve(bench);
    first.process.kill();
    await bench.pass(3 * SECOND);
    const second = bench.daemons.current!;
    assert(second !== first && second.servesSince !== undefined);
    put(bench, "no YAML");
    second.process.kill();
    await bench.pass(10 * SECOND);
    assert.equal(bench.daemons.current, undefined);
  },
  withDaemon,
);

Deno.test("a daemon that is replaced in every way hands its cards to the next one", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    await onBench(async (bench) => {
      bench.administrator.options = { defaultDevice: "hw:0", defaultCaptureDevice: "hw:0" };
      const first = await serve(bench);
      const domid = await bench.finish(bench.xl.create("domU", [XL_CARDS[0]!], bench.random(1)));
      bench.administrator.replace(bench.random(2));
      await bench.pass(10 * SECOND);
      assert.equal(first.ending, "in order");
      assert(bench.daemons.serving(SECOND) !== undefined, `seed ${seed}\n${bench.log.join("\n")}`);
      assert.deepEqual([backendState(bench, domid, 0), bench.problems()], ["2", []], `seed ${seed}`);
    }, { seed, hasBackend: false });
  }
});

Deno.test("a daemon killed at its system calls leaves nothing that the next daemon does not find", async () => {
  let isOver = false;
  for (let calls = 0; !isOver; calls += 7) {
    await onBench(async (bench) => {
      bench.administrator.isSupervised = false;
      bench.administrator.options = { defaultDevice: "hw:0", defaultCaptureDevice: "hw:0" };
      const run = bench.administrator.start(bench.random(10))!;
      run.process.killAfter(calls);
      const program = bench.xl.create("domU", [XL_CARDS[0]!], bench.random(1));
      await bench.pass(5 * SECOND);
      isOver = run.ending === undefined;
      if (isOver) return;
      assert.deepEqual(bench.problems(), [], `killed at call ${calls}`);
      await serve(bench);
      await bench.over(program);
      assert.equal(program.outcome?.kind, "done", `killed at call ${calls}`);
      await bench.pass(2 * SECOND);
      assert.deepEqual([backendState(bench, 1, 0), bench.problems()], ["2", []], `killed at call ${calls}`);
      bench.administrator.stop();
      await bench.until(() => bench.daemons.current === undefined);
      await bench.finish(bench.xl.destroy(1, bench.random(2)));
      assert.deepEqual(bench.problems(), [], `killed at call ${calls}`);
    }, { hasBackend: false });
  }
});

test("the configuration in force is known as soon as the daemon has said so", async (bench) => {
  bench.administrator.options = { config: CONFIG_FILE };
  put(bench, "hw:0");
  const configs = () => bench.administrator.policies.map(({ config }) => config);
  await serve(bench);
  assert.deepEqual(configs(), [config("hw:0")]);
  // The file alone changes nothing.
  put(bench, "all denied");
  assert.deepEqual(configs(), [config("hw:0")]);
  bench.administrator.hangUp(bench.random(1));
  await bench.pass(2 * SECOND);
  assert.deepEqual(configs(), [config("all denied")], bench.log.join("\n"));
  put(bench, "no YAML");
  bench.administrator.hangUp(bench.random(1));
  await bench.pass(2 * SECOND);
  assert.deepEqual(configs(), [config("all denied")]);
  bench.administrator.remove();
  bench.administrator.hangUp(bench.random(1));
  await bench.pass(2 * SECOND);
  assert.deepEqual(configs(), [config("all denied")]);
}, withDaemon);

Deno.test("an administrator who edits, signals, goes back and starts daemons: one configuration is in force in the end", async () => {
  let reloads = 0;
  for (let seed = 1; seed <= 12; seed++) {
    await onBench(async (bench) => {
      const { administrator } = bench;
      administrator.options = { config: CONFIG_FILE, defaultDevice: "hw:0", defaultCaptureDevice: "hw:0" };
      put(bench, "hw:0");
      await serve(bench);
      await bench.finish(bench.xl.create("domU", [XL_CARDS[0]!], bench.random(1)));
      for (let n = 0; n < 8; n++) {
        const random = bench.random(20 + n);
        const what = random.below(10);
        if (what === 0) administrator.kill(random);
        else if (what === 1) administrator.replace(random);
        else administrator.reload(random);
        await bench.pass(random.below(random.oneIn(2) ? 100_000 : 3 * SECOND));
        const configs = administrator.policies.map(({ config }) => config);
        assert(!configs.includes(undefined), `seed ${seed}`);
      }
      await bench.pass(15 * SECOND);
      if (bench.daemons.serving(SECOND) !== undefined) assert.equal(administrator.policies.length, 1);
      assert.deepEqual(bench.problems(), [], `seed ${seed}`);
      reloads += bench.log.filter((line) => line.includes("is reloaded")).length;
    }, { seed, hasBackend: false });
  }
  assert(reloads > 20, `${reloads}`);
});

Deno.test("ConfigurationInForce has every text that a daemon can have read", () => {
  const clock = new Clock();
  const [a, b, c, bad] = [text("hw:0"), text("hw:1"), text("pulse"), "no"] as const;
  /** What the candidates were when a change was told last. */
  let told: readonly unknown[] = [configOf(a)];
  const inForce = new ConfigurationInForce(clock, a, () => told = inForce.candidates);
  const expect = (...texts: string[]) => {
    assert.deepEqual([...inForce.candidates], texts.map((text) => configOf(text)));
    assert.deepEqual(told, inForce.candidates, "each change is told");
  };
  expect(a);
  inForce.written(b);
  expect(a, b);
  inForce.serves();
  expect(a, b);
  inForce.hangUp(c);
  expect(a, b, c);
  inForce.reloaded(true);
  expect(c);
  inForce.written(a);
  expect(c);
  inForce.hangUp(bad);
  inForce.reloaded(false);
  expect(c);
  // Two signals: the first answer may be that of either.
  inForce.hangUp(a);
  inForce.written(b);
  inForce.hangUp(b);
  inForce.reloaded(true);
  expect(c, a, b);
  inForce.reloaded(true);
  expect(b);
  // The daemon makes one reload of two signals: nothing comes any more.
  inForce.hangUp(a);
  inForce.hangUp(a);
  inForce.reloaded(true);
  expect(b, a);
  clock.now += 20 * SECOND;
  void clock.runUntil(clock.now);
  expect(a);
  // XenStore is away: the cards follow later.
  inForce.hangUp(c);
  inForce.reloaded(true, true);
  expect(a, c);
  inForce.caughtUp();
  expect(c);
});

test("PolicyHistory knows what a stream was allowed, and since when", async (bench) => {
  bench.administrator.options = { config: CONFIG_FILE, defaultDevice: "hw:1" };
  put(bench, "hw:0");
  await serve(bench);
  const domid = await bench.finish(bench.xl.create("domU", [XL_CARDS[1]!], bench.random(1)));
  await bench.pass(SECOND);
  const place = { domid, card: 0, pcm: 0, stream: 0 };
  const devices = (from: number, to = bench.clock.now + 1) =>
    bench.history.during(place, from, to).map(({ device, denied }) => denied ? "denied" : device);
  assert.deepEqual(devices(bench.clock.now + 1), ["hw:0"]);
  const before = bench.clock.now;
  put(bench, "all denied");
  bench.administrator.hangUp(bench.random(1));
  await bench.pass(2 * SECOND);
  assert.deepEqual(devices(bench.clock.now + 1), ["denied"]);
  assert.deepEqual(devices(before).slice(-1), ["denied"]);
  assert(devices(before).includes("hw:0"));
  // A name that the file does not have: the former name still counts, as the daemon has decided by it.
  await bench.finish(bench.xl.rename(domid, "web", bench.random(2)));
  assert.deepEqual(devices(bench.clock.now + 1), ["denied", "hw:1"]);
  await bench.exitOf(bench.provisioner.provision({ domain: "web", device: "pulse", isReplacing: true }));
  assert.deepEqual(devices(bench.clock.now + 1), ["pulse"], bench.log.join("\n"));
  await bench.finish(bench.xl.destroy(domid, bench.random(3)));
  assert.deepEqual(devices(bench.clock.now + 1), []);
}, withDaemon);

Deno.test("openProblem() and deviceProblem() refuse what no policy allows", () => {
  const policies = config("narrow").get("domU")!.cards[0]!.pcms[0]!.streams as readonly StreamPolicy[];
  const opened = { rate: 48000, format: "s16_le", channels: 2, bufferBytes: 32768 };
  assert.equal(openProblem(opened, policies), undefined);
  for (
    const wrong of [{ rate: 44100 }, { format: "s32_le" }, { channels: 3 }, { channels: 0 }, {
      bufferBytes: 32769,
    }]
  ) {
    assert(openProblem({ ...opened, ...wrong }, policies) !== undefined);
    assert(openProblem({ ...opened, ...wrong }, []) !== undefined);
  }
  const denied = config("all denied").get("domU")!.cards[0]!.pcms[0]!.streams;
  assert.equal(deviceProblem("hw:0", policies, policies), undefined);
  assert.match(deviceProblem("hw:1", policies, policies)!, /hw:0/);
  assert.match(deviceProblem("hw:0", policies, denied)!, /denied/);
  assert.match(deviceProblem("hw:0", [], [])!, /not served/);
});

Deno.test("an administrator's work is the same for the same seed", async () => {
  const logOf = async (seed: number) => {
    const bench = await onBench(async (bench) => {
      const { administrator } = bench;
      administrator.options = { config: CONFIG_FILE, defaultDevice: "hw:0" };
      administrator.write(bench.random(1));
      administrator.start(bench.random(2));
      await bench.pass(SECOND);
      bench.xl.create("domU", [XL_CARDS[0]!], bench.random(3));
      for (let n = 0; n < 6; n++) {
        administrator.reload(bench.random(10 + n));
        await bench.pass(SECOND / 4);
      }
      administrator.kill(bench.random(4));
      await bench.pass(5 * SECOND);
      administrator.replace(bench.random(5));
      await bench.pass(5 * SECOND);
    }, { seed, hasBackend: false });
    return bench.log.join("\n");
  };
  const log = await logOf(3);
  assert.equal(await logOf(3), log);
  assert.notEqual(await logOf(4), log);
});
