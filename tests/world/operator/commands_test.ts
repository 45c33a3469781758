// SPDX-License-Identifier: MIT
/** Tests operators' commands against the real control server, under virtual time. */
import assert from "node:assert/strict";
import { Exit } from "../../../lib/base/error.ts";
import { actAs } from "../machine/credentials.ts";
import { reportUnhandled } from "../machine/platform.ts";
import { Random } from "../machine/random.ts";
import { CONTROL_SOCKET } from "./commands.ts";
import { OperatorRig } from "./fake_daemon.ts";
import { type CommandPlan, commandPlan, type Cut, CUTS, ODD_CLIENTS, oddPlan, VERBS } from "./plan.ts";
import type { CommandRecord, Outcome } from "./record.ts";

const unhandled: unknown[] = [];
reportUnhandled((error) => unhandled.push(error));

const STREAM = "domU/0/0/0";

const PLAIN: CommandPlan = {
  verb: "status",
  stream: STREAM,
  waitMs: 1000,
  trigger: "pause",
  goal: "running",
  intervalMs: 500,
  iterations: 3,
  untilClosed: false,
};

/** A rig, checked at its end: no defects, and nothing left behind. */
async function withRig(body: (rig: OperatorRig) => Promise<void>, seed = 1): Promise<void> {
  const rig = new OperatorRig(seed);
  await rig.pass(10);
  await body(rig);
  rig.operators.killAll();
  await rig.pass(30_000);
  assert.deepEqual([...rig.machine.defects, ...unhandled.splice(0)], []);
  const { process } = rig.daemon;
  if (!process.isAlive) return;
  assert.equal(process.files.size, 2, "the daemon has its listener and its lock, and no client");
  assert.equal(process.timers.size, 0, "no request of the daemon's still waits");
}

function outcomes({ asked }: CommandRecord): (Outcome["kind"] | undefined)[] {
  return asked.map(({ outcome }) => outcome?.kind);
}

/** How a command ended: its exit code and its error. */
function exitOf({ end }: CommandRecord): [number | undefined, string | undefined] {
  assert(end !== undefined, "the command runs");
  return [end.exitCode, end.error];
}

const cut = (kind: Cut["kind"], afterMs: number, calls = 0): Cut => ({ kind, afterMs, calls });

Deno.test("each command does what it is for, and its record says so", () =>
  withRig(async ({ operators, daemon, observations, pass: _, ...rig }) => {
    const pass = (ms: number) => rig.machine.pass(ms * 1000);
    daemon.setStarted(STREAM, true);
    const start = (plan: Partial<CommandPlan>) => operators.start({ ...PLAIN, ...plan });
    const status = start({ verb: "status" });
    await pass(100);
    assert.deepEqual(exitOf(status), [0, undefined]);
    assert.equal(observations.at(-1)!.report.streams[0]!.stream, STREAM);
    const trigger = start({ verb: "trigger" });
    await pass(100);
    assert.deepEqual(exitOf(trigger), [0, undefined]);
    const [asked] = trigger.asked;
    assert.deepEqual(asked!.request, { command: "trigger", stream: STREAM, trigger: "pause", waitMs: 1000 });
    const outcome = asked!.outcome;
    assert(outcome?.kind === "done" && outcome.report?.hold === "paused");
    assert(trigger.startedAt < asked!.sentAt && asked!.sentAt < asked!.endedAt);
    for (const verb of ["mute", "volume"] as const) start({ verb, volume: -6 });
    await pass(100);
    assert.deepEqual(daemon.settings.get(STREAM), { hold: "paused", volume: -6, muted: true });
    const unmute = start({ verb: "unmute" });
    const shown = start({ verb: "volume", stream: "domV" });
    await pass(100);
    assert.deepEqual(daemon.settings.get(STREAM), { hold: "paused", volume: -6, muted: false });
    assert.deepEqual([exitOf(unmute), exitOf(shown)], [[0, undefined], [0, undefined]]);
    const wait = start({ verb: "wait", stream: "domV/0", goal: "running", waitMs: 2000 });
    const top = start({ verb: "top" });
    const watch = start({ verb: "watch", cut: cut("interrupt", 900) });
    const trace = start({ verb: "trace", seconds: 0.4 });
    const last = start({ verb: "last" });
    await pass(500);
    assert.equal(wait.end, undefined);
    daemon.setStarted("domV/0/0/0", true);
    const before = observations.length;
    await pass(700);
    const exits = [wait, top, trace, last].map(exitOf);
    assert.deepEqual(exits, exits.map(() => [0, undefined]));
    assert.equal(top.asked.length, 3);
    assert.deepEqual(exitOf(watch), [Exit.interrupted, "interrupted"]);
    assert(observations.length > before, "watch has seen the change");
    assert.deepEqual(unhandled, []);
  }));

Deno.test("a command is refused, times out, or finds no daemon", () =>
  withRig(async ({ operators, daemon, machine }) => {
    const start = (plan: Partial<CommandPlan>) => operators.start({ ...PLAIN, ...plan });
    const unknown = start({ verb: "volume", stream: "domW", volume: 0, waitMs: 0 });
    const ambiguous = start({ verb: "mute", stream: "domU/0/0" });
    const late = start({ verb: "trigger", waitMs: 300 });
    await machine.pass(250_000);
    assert.match(exitOf(unknown)[1]!, /the daemon serves no stream "domW"/);
    assert.deepEqual(exitOf(ambiguous)[0], Exit.usage);
    assert.equal(late.end, undefined);
    await machine.pass(100_000);
    assert.deepEqual(exitOf(late), [Exit.timedOut, `${STREAM} is not ready`]);
    assert.deepEqual(outcomes(late), ["refused"]);
    daemon.setStarted(STREAM, true);
    await machine.pass(100_000);
    assert.equal(daemon.settings.get(STREAM)!.hold, "none", "what has timed out does not happen");
    daemon.process.kill();
    const alone = start({ verb: "status", waitMs: 500 });
    await machine.pass(400_000);
    assert.equal(alone.end, undefined);
    await machine.pass(200_000);
    assert.deepEqual(exitOf(alone)[0], Exit.noDaemon);
    assert.deepEqual(alone.asked, []);
  }));

for (const kind of CUTS) {
  Deno.test(`a command that is cut short in the middle of its wait (${kind}) never happens`, () =>
    withRig(async ({ operators, daemon, machine }) => {
      const record = operators.start({
        ...PLAIN,
        verb: "trigger",
        waitMs: 5000,
        // connect, write, read: the third call of the process dies.
        cut: cut(kind, 200, 2),
      });
      await machine.pass(400_000);
      if (kind === "line" || kind === "enough") {
        assert.deepEqual(exitOf(record)[0], Exit.interrupted);
        assert.equal(outcomes(record)[0], "refused");
      } else {
        assert(record.end !== undefined);
        assert.deepEqual(outcomes(record), ["cancelled"]);
      }
      assert.deepEqual(daemon.handled[0], "trigger", "the daemon has it");
      daemon.setStarted(STREAM, true);
      await machine.pass(10_000_000);
      assert.equal(daemon.settings.get(STREAM)!.hold, "none");
    }));
}

Deno.test("a trace that is interrupted before the daemon has answered is given up, and not refused", () =>
  withRig(async ({ operators, machine }) => {
    const asked = [];
    for (let afterMs = 0.05; afterMs < 2; afterMs += 0.05) {
      const record = operators.start({ ...PLAIN, verb: "trace", seconds: 5, cut: cut("interrupt", afterMs) });
      await machine.pass(10_000);
      asked.push(...outcomes(record));
    }
    assert(asked.length > 0);
    assert.deepEqual(new Set(asked), new Set(["cancelled", "done"]));
  }));

Deno.test("a command that waits is told when the daemon is killed, and the next daemon takes its socket", () =>
  withRig(async ({ operators, daemon, machine }) => {
    const start = (plan: Partial<CommandPlan>) => operators.start({ ...PLAIN, waitMs: 3000, ...plan });
    const trigger = start({ verb: "trigger" });
    const watch = start({ verb: "watch" });
    const wait = start({ verb: "wait" });
    await machine.pass(100_000);
    daemon.process.kill();
    const early = start({ verb: "mute" });
    await machine.pass(500_000);
    assert.deepEqual(exitOf(trigger), [Exit.noDaemon, "the daemon hung up without an answer; see its log"]);
    assert.deepEqual(outcomes(trigger), ["broken"]);
    assert.deepEqual(exitOf(watch), [Exit.noDaemon, "the daemon has ended; start it with `xsnd serve`"]);
    assert.deepEqual([wait.end, early.end], [undefined, undefined]);
    daemon.start();
    daemon.setStarted(STREAM, true);
    await machine.pass(500_000);
    assert.deepEqual([exitOf(wait), exitOf(early)], [[0, undefined], [0, undefined]]);
    assert.equal(daemon.settings.get(STREAM)!.muted, true);
    daemon.end();
    await machine.pass(100_000);
    assert.equal(machine.files.node(CONTROL_SOCKET), undefined, "a daemon that ends takes its socket along");
  }));

Deno.test("a daemon that is killed at any system call: clients are told, and the next one serves", async () => {
  let isKilled = true;
  let calls = 0;
  for (; isKilled; calls++) {
    await withRig(async ({ operators, daemon, machine }) => {
      daemon.process.kill();
      daemon.setStarted(STREAM, true);
      const killed = daemon.start();
      killed.killAfter(calls);
      const records = Array.from(
        { length: 5 },
        () => operators.start({ ...PLAIN, verb: "trigger", waitMs: 300 }),
      );
      await machine.pass(1_000_000);
      isKilled = !killed.isAlive;
      killed.killAfter(Infinity);
      for (const { end, asked } of records) {
        assert(end !== undefined, `call ${calls}`);
        const isTold = isKilled ? end.exitCode === 0 || end.exitCode === Exit.noDaemon : end.exitCode === 0;
        assert(isTold, `call ${calls}: ${end.exitCode} ${end.error} ${asked[0]?.outcome?.kind}`);
      }
      if (isKilled) daemon.start();
      const next = operators.start({ ...PLAIN, verb: "status" });
      await machine.pass(1_000_000);
      assert.deepEqual(exitOf(next), [0, undefined], `call ${calls}`);
    }, calls + 1);
  }
  assert(calls > 25, `${calls} calls`);
});

Deno.test("sixty clients at a time are served; root's places stay free of others", () =>
  withRig(async ({ operators, daemon, machine }) => {
    daemon.setStarted(STREAM, true);
    const all = Array.from({ length: 60 }, () => operators.start({ ...PLAIN, verb: "volume", volume: -1 }));
    await machine.pass(1_000_000);
    for (const record of all) assert.deepEqual(exitOf(record), [0, undefined]);
    const waiting = Array.from(
      { length: 70 },
      () => operators.start({ ...PLAIN, verb: "wait", goal: "closed", waitMs: 5000 }),
    );
    await machine.pass(1_000_000);
    const refused = waiting.filter(({ end }) => end !== undefined);
    assert.equal(refused.length, 6);
    for (const record of refused) assert.match(exitOf(record)[1]!, /^the daemon has 64 clients already; try/);
    operators.killAll();
    await machine.pass(100_000);
    // Members of the daemon's group have 56 places.
    daemon.process.kill();
    await machine.pass(1000);
    daemon.start();
    await machine.pass(10_000);
    machine.files.node(CONTROL_SOCKET)!.mode = 0o666;
    machine.files.node("/world/run/xsnd")!.mode = 0o755;
    const members = Array.from({ length: 60 }, (_, i) => {
      const process = machine.process(`member ${i}`);
      actAs(process, { uid: 1000, gid: 1000, groups: [] });
      return machine.start(process, async () => {
        const connection = await Deno.connect({ transport: "unix", path: CONTROL_SOCKET });
        const buffer = new Uint8Array(200);
        const count = await connection.read(buffer);
        return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
      });
    });
    await machine.pass(1_000_000);
    const answers = members.flatMap(({ settled }) =>
      settled !== undefined && "value" in settled ? [settled.value] : []
    );
    assert.equal(answers.length, 4);
    for (const answer of answers) assert.match(answer!, /56 clients already, and keeps 8 places for root/);
    const root = operators.start(PLAIN);
    await machine.pass(1_000_000);
    assert.deepEqual(exitOf(root), [0, undefined]);
  }));

Deno.test("a daemon without descriptors left serves again when it has some", () =>
  withRig(async ({ operators, daemon, machine }) => {
    daemon.process.descriptors = 6;
    const records = Array.from(
      { length: 5 },
      () => operators.start({ ...PLAIN, verb: "wait", waitMs: 1000 }),
    );
    await machine.pass(500_000);
    assert.equal(daemon.process.files.size, 3);
    daemon.process.descriptors = 1024;
    await machine.pass(5_000_000);
    for (const record of records) assert.deepEqual(exitOf(record)[0], Exit.timedOut);
  }));

for (const odd of ODD_CLIENTS) {
  Deno.test(`a ${odd} client does no harm, whatever its seed and the size of buffers`, async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      await withRig(async ({ operators, daemon, machine, targets }) => {
        machine.sockets.capacity = random.pick([1500, 5000, 212_992]);
        daemon.setStarted(STREAM, true);
        const before = daemon.settings.get(STREAM);
        const odds = Array.from({ length: 3 }, () => operators.start(oddPlan(odd, targets, random)));
        await machine.pass(500_000);
        const plain = operators.start(PLAIN);
        await machine.pass(13_000_000);
        assert.deepEqual(exitOf(plain), [0, undefined]);
        for (const record of odds) assert(record.end !== undefined, odd);
        const isHarmless = odd === "silent" || odd === "garbage" || odd === "half" || odd === "endless";
        if (isHarmless) assert.deepEqual(daemon.settings.get(STREAM), before);
        if (odd === "lines") {
          assert(odds.every(({ asked }) => asked.every(({ outcome }) => outcome !== undefined)));
        }
      }, seed);
    }
  });
}

Deno.test("the same seed makes the same log; another seed makes another", async () => {
  const run = async (seed: number): Promise<string> => {
    const rig = new OperatorRig(seed);
    const { machine, daemon, operators, targets } = rig;
    const random = new Random(seed);
    for (let round = 0; round < 40; round++) {
      if (random.oneIn(8)) operators.crowd(random.between(2, 60), targets, random);
      else operators.operate("any", targets, random);
      if (random.oneIn(3)) daemon.setStarted(random.pick(rig.streams), random.oneIn(2));
      if (random.oneIn(10)) daemon.process.killAfter(random.below(100));
      await rig.pass(random.below(400));
      if (!daemon.process.isAlive) daemon.start();
    }
    await rig.pass(30_000);
    operators.killAll();
    await rig.pass(20_000);
    assert.deepEqual([...machine.defects, ...unhandled.splice(0)], []);
    const states = [...daemon.settings].map(([name, settings]) => `${name} ${JSON.stringify(settings)}`);
    const asked = operators.asked.map(({ client, sentAt, endedAt, outcome }) =>
      `${client} ${sentAt} ${endedAt} ${outcome?.kind}`
    );
    return [...rig.log, ...states, ...asked, String(rig.observations.length)].join("\n");
  };
  const first = await run(7);
  assert(first.split("\n").length > 300, String(first.split("\n").length));
  for (let again = 0; again < 20; again++) assert.equal(await run(7), first);
  assert.notEqual(await run(8), first);
});

Deno.test("plans of chance have every verb, every cut and every kind of name", () => {
  const random = new Random(3);
  const targets = [{ name: STREAM, domid: 4 }];
  const plans = Array.from({ length: 2000 }, () => commandPlan(random.pick(VERBS), targets, random));
  assert.deepEqual(new Set(plans.map(({ verb }) => verb)), new Set(VERBS));
  assert.deepEqual(new Set(plans.flatMap(({ cut }) => cut === undefined ? [] : [cut.kind])), new Set(CUTS));
  const names = new Set(plans.map(({ stream }) => stream));
  for (const name of [STREAM, "domU", "domU/0", "domU/0/0", "4/0/0/0", "domU/0/0/2", "nobody"]) {
    assert(names.has(name), name);
  }
});
