// SPDX-License-Identifier: MIT
/** Tests which settings the oracle allows, and that it finds a daemon that does not keep its word. */
import assert from "node:assert/strict";
import { Exit } from "../../../lib/base/error.ts";
import type { ControlRequest } from "../../../lib/control/protocol.ts";
import { Clock } from "../machine/clock.ts";
import { reportUnhandled } from "../machine/platform.ts";
import { Random } from "../machine/random.ts";
import { domidOf, type Misbehaviour, OperatorRig } from "./fake_daemon.ts";
import { InForce, type Settings, streamKey, UNTOUCHED } from "./in_force.ts";
import { commandPlan } from "./plan.ts";
import { Asked, type Outcome } from "./record.ts";

const unhandled: unknown[] = [];
reportUnhandled((error) => unhandled.push(error));

/** The key of the stream, and its name. */
const [STREAM, NAME] = ["1/0/0/0", "domU/0/0/0"];
const PATIENCE = { grace: 10, answer: 100 };

/** The name of a stream whose domain was not renamed. */
function nameOf(stream: string): string {
  return stream.replace(/^1/, "domU").replace(/^2/, "domV");
}

/** A history: requests with the times of their sending and their end. */
class History {
  readonly asked: Asked[] = [];
  readonly clock = new Clock();
  /** Names by key, where they are not the usual ones. */
  readonly names = new Map<string, string[]>();
  readonly inForce = new InForce(
    this.clock,
    () => this.asked,
    PATIENCE,
    (stream) => this.names.get(stream) ?? [nameOf(stream)],
  );

  add(sentAt: number, request: ControlRequest, endedAt?: number, outcome: Outcome = { kind: "done" }): this {
    this.clock.now = endedAt ?? sentAt;
    const asked = new Asked(this.clock, "operator", request, sentAt);
    if (endedAt !== undefined) asked.settle(outcome);
    this.asked.push(asked);
    return this;
  }

  /** The values that the field may have at `time`, in order; undefined: any. */
  allowed(field: keyof Settings, time: number, stream = STREAM): unknown[] | undefined {
    this.clock.now = Math.max(this.clock.now, time);
    const allowed = this.inForce.allowed(stream, field, time);
    return allowed === undefined ? undefined : [...allowed].sort();
  }
}

const volume = (dB: number, stream = NAME): ControlRequest => ({
  command: "volume",
  stream,
  volume: dB,
  waitMs: 0,
});
const trigger = (trigger: "pause" | "stop" | "resume"): ControlRequest => ({
  command: "trigger",
  stream: NAME,
  trigger,
  waitMs: 0,
});

Deno.test("a setting is in force from its answer on, and may be from its request on", () => {
  const history = new History().add(100, volume(1), 200);
  assert.deepEqual(history.allowed("volume", 99), [0]);
  assert.deepEqual(history.allowed("volume", 150), [0, 1]);
  assert.deepEqual(history.allowed("volume", 200), [0, 1]);
  assert.deepEqual(history.allowed("volume", 201), [1]);
  assert.deepEqual(history.allowed("volume", 300, "2/0/0/0"), [0], "another stream has its own");
  history.add(300, volume(2), 400).add(350, volume(3), 450);
  assert.deepEqual(history.allowed("volume", 420), [2, 3]);
  assert.deepEqual(history.allowed("volume", 500), [2, 3], "nobody knows which of two was first");
});

Deno.test("what was refused or timed out never happens, but a hold whose device has yet to obey", () => {
  const refused: Outcome = { kind: "refused", error: "no such stream", exitCode: Exit.failed };
  const late: Outcome = { kind: "refused", error: "it is closed (waited 1 s)", exitCode: Exit.timedOut };
  const history = new History().add(100, trigger("pause"), 200, refused).add(100, trigger("stop"), 300, late);
  assert.deepEqual(history.allowed("hold", 350), ["none"]);
  const holds: Outcome = {
    kind: "refused",
    error: "stop holds for domU/0/0/0, but its device hw:0 has not obeyed yet; see the log",
    exitCode: Exit.timedOut,
  };
  history.add(400, trigger("stop"), 500, holds);
  assert.deepEqual(history.allowed("hold", 501), ["stopped"]);
  assert.deepEqual(history.allowed("muted", 501), [false]);
});

Deno.test("what was cancelled may happen until the daemon knows, and not afterwards", () => {
  for (const outcome of [{ kind: "cancelled", how: "kill" }, { kind: "broken" }] as const) {
    const history = new History().add(100, volume(1), 200, outcome).add(205, volume(2), 208);
    assert.deepEqual(history.allowed("volume", 150), [0, 1]);
    assert.deepEqual(history.allowed("volume", 209), [1, 2], "the daemon may have been late");
    history.add(220, volume(3), 230);
    assert.deepEqual(history.allowed("volume", 240), [3]);
  }
  const waiting = new History().add(100, volume(1)).add(200, volume(2), 300);
  assert.deepEqual(waiting.allowed("volume", 1e9), [1, 2], "what waits may happen at any time");
  assert.equal(waiting.inForce.complaint(STREAM, { ...UNTOUCHED, volume: 1 }, 1e9), undefined);
  waiting.clock.now = 1e9 + PATIENCE.answer;
  assert.equal(waiting.inForce.belatedComplaint(), undefined);
  waiting.clock.now++;
  const complaint = waiting.inForce.belatedComplaint();
  assert.match(complaint!, /volume is 1 at 1000000000, and can be 2 alone/, "the answer has not come since");
  const unsent = new History().add(100, volume(1), 100, { kind: "unsent" });
  assert.deepEqual(unsent.allowed("volume", 1e9), [0]);
});

Deno.test("a mute may have an end, and is in force until then, unless another one takes its place", () => {
  const mute = (muted: boolean, muteMs?: number): ControlRequest => (
    { command: "volume", stream: NAME, muted, ...(muteMs !== undefined && { muteMs }), waitMs: 0 }
  );
  const history = new History().add(100, mute(true, 5), 200);
  assert.deepEqual(history.allowed("muted", 250), [true]);
  assert.deepEqual(history.allowed("muted", 5500), [false, true]);
  history.add(6000, mute(true), 6100);
  assert.deepEqual(history.allowed("muted", 6200), [true], "the end of the first one is past");
  const early = new History().add(100, mute(true, 5), 200).add(300, mute(false), 400).add(
    500,
    mute(true),
    600,
  );
  assert.deepEqual(early.allowed("muted", 50_000), [true]);
  // The daemon has read the second mute late.
  const late = new History().add(100, mute(true, 5), 200).add(300, mute(true), 6000);
  assert.deepEqual(late.allowed("muted", 5900), [false, true]);
  assert.deepEqual(late.allowed("muted", 6100), [true]);
});

Deno.test("what was seen not to have happened by then never happens", () => {
  const history = new History().add(100, volume(1), 200, { kind: "cancelled", how: "kill" });
  assert.deepEqual(history.allowed("volume", 300), [0, 1]);
  assert.equal(history.inForce.complaint(STREAM, UNTOUCHED, 205), undefined);
  assert.deepEqual(history.allowed("volume", 300), [0, 1], "it was too early to tell");
  assert.equal(history.inForce.complaint(STREAM, UNTOUCHED, 211), undefined);
  assert.deepEqual(history.allowed("volume", 300), [0]);
});

Deno.test("a shortened name may mean any stream that begins so, until the answer says which", () => {
  const history = new History().add(100, volume(1, "domU/0"));
  assert.deepEqual(history.allowed("volume", 150, "1/0/0/0"), [0, 1]);
  assert.deepEqual(history.allowed("volume", 150, "1/0/1/0"), [0, 1]);
  assert.deepEqual(history.allowed("volume", 150, "1/00/0/0"), [0]);
});

Deno.test("the daemon keeps thousandths of a dB", () => {
  const history = new History().add(100, volume(-0.0004), 200);
  assert.equal(history.inForce.complaint(STREAM, { ...UNTOUCHED, volume: 0 }, 300), undefined);
  history.add(300, volume(11.9996), 400);
  assert.equal(history.inForce.complaint(STREAM, { ...UNTOUCHED, volume: 12 }, 500), undefined);
  assert.equal(
    history.inForce.complaint(STREAM, UNTOUCHED, 500),
    "1/0/0/0: volume is 0 at 500, and can be 12 alone",
  );
});

Deno.test("a new card has new settings", () => {
  const history = new History().add(100, volume(1), 200).add(450, volume(2), 550);
  history.inForce.reset(STREAM, 500);
  assert.deepEqual(history.allowed("volume", 520), [0, 2], "this one may be of the new card");
  history.inForce.reset(STREAM, 600, "unknown");
  assert.deepEqual(history.allowed("volume", 700), undefined);
  history.add(800, volume(3), 900);
  assert.deepEqual(history.allowed("volume", 1000), [3]);
});

Deno.test("a stream keeps its settings when its domain is renamed, and may be meant by either name", () => {
  const history = new History();
  history.names.set(STREAM, ["domU/0/0/0", "domX/0/0/0"]);
  history.add(100, volume(1, "domU"), 200, { kind: "broken" }).add(300, volume(2, "domX"), 400, {
    kind: "broken",
  });
  assert.deepEqual(history.allowed("volume", 405), [0, 1, 2]);
  assert.deepEqual(history.allowed("volume", 405, "2/0/0/0"), [0]);
});

/** A rig with an oracle, which looks at all that is there to be seen. */
class JudgedRig extends OperatorRig {
  readonly complaints: string[] = [];
  readonly random: Random;
  readonly #inForce: InForce;

  constructor(seed: number, misbehaviour?: Misbehaviour) {
    super(seed);
    this.random = new Random(seed);
    this.daemon.misbehaviour = misbehaviour;
    const patience = { grace: 5000, answer: 20_000 };
    this.#inForce = new InForce(
      this.machine.clock,
      () => this.operators.asked,
      patience,
      (stream) => [nameOf(stream)],
    );
  }

  /** Lets up to `ms` pass, and judges what is to be seen then. */
  async live(ms: number): Promise<void> {
    await this.pass(this.random.below(ms * 1000) / 1000);
    const { daemon, machine, observations, complaints } = this;
    const found = [...daemon.settings].map(([stream, settings]) =>
      this.#inForce.complaint(streamKey({ domid: domidOf(stream), stream }), settings, machine.clock.now)
    );
    found.push(this.#inForce.belatedComplaint());
    for (const { report, from, to } of observations.splice(0)) {
      found.push(
        ...report.streams.map((stream) => this.#inForce.complaint(streamKey(stream), stream, from, to)),
      );
    }
    complaints.push(...found.filter((complaint) => complaint !== undefined));
  }

  /** Ends all commands; there must be no defects of the world. */
  async end(): Promise<void> {
    this.operators.killAll();
    await this.live(1000);
    assert.deepEqual([...this.machine.defects, ...unhandled.splice(0)], []);
  }
}

Deno.test("a daemon that keeps its word gives no reason to complain, also when it is killed", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const rig = new JudgedRig(seed);
    const { daemon, operators, random, targets } = rig;
    for (let round = 0; round < 150; round++) {
      operators.operate("any", targets, random);
      if (random.oneIn(4)) daemon.setStarted(random.pick(rig.streams), random.oneIn(2));
      if (random.oneIn(20)) daemon.process.killAfter(random.below(200));
      await rig.live(400);
      if (!daemon.process.isAlive) daemon.start();
    }
    await rig.end();
    assert.deepEqual(rig.complaints, [], `seed ${seed}`);
  }
});

Deno.test("a daemon that forgets what it has answered is found out", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const rig = new JudgedRig(seed, "forgetful");
    for (let round = 0; round < 20; round++) {
      rig.operators.operate("any", rig.targets, rig.random);
      await rig.live(1000);
    }
    await rig.end();
    assert(rig.complaints.length > 0, `seed ${seed}`);
  }
});

/** A trigger that is given up while it waits for the guest, who then starts the stream. */
async function giveUp(rig: JudgedRig): Promise<void> {
  const { daemon, operators, random } = rig;
  const stream = random.pick(rig.streams);
  const target = [{ name: stream, domid: 1 }];
  operators.start({ ...commandPlan("trigger", target, random), stream, trigger: "resume", cut: undefined });
  daemon.setStarted(stream, random.oneIn(2));
  await rig.live(300);
  daemon.setStarted(stream, false);
  const kind = random.pick(["kill", "interrupt", "hang up"] as const);
  const cut = { kind, afterMs: random.between(10, 1000), calls: 0 };
  const trigger = random.pick(["pause", "stop"] as const);
  operators.start({ ...commandPlan("trigger", target, random), stream, waitMs: 5000, trigger, cut });
  await rig.live(2000);
  daemon.setStarted(stream, true);
  await rig.live(1000);
}

for (const misbehaviour of [undefined, "late"] as const) {
  const what = misbehaviour === undefined ? "gives up what its clients give up" : "does not is found out";
  Deno.test(`a daemon that ${what}`, async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const rig = new JudgedRig(seed, misbehaviour);
      for (let round = 0; round < 20; round++) await giveUp(rig);
      await rig.end();
      assert.equal(rig.complaints.length > 0, misbehaviour === "late", `seed ${seed}: ${rig.complaints[0]}`);
    }
  });
}
