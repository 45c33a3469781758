// SPDX-License-Identifier: MIT
/** Tests the planted defects of tests/world/mutations: each fits the program as it is now, and the hunt tells how it ends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ProjectCopy } from "../world/mutations/apply.ts";
import { hunt, type Outcome, Report, runWorlds } from "../world/mutations/hunt.ts";
import { CHECKS } from "../world/invariants/invariants.ts";
import { STATEMENTS } from "../world/invariants/statements.ts";
import { mutated, MUTATIONS } from "../world/mutations/mutations.ts";
import { pageOf } from "../world/mutations/page.ts";

const root = new URL("../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFileSync(join(root, path));

/** The least number of defects. */
const LEAST = 25;

Deno.test("there are enough planted defects, each with a name, a sentence and a place of its own", () => {
  assert(MUTATIONS.length >= LEAST, String(MUTATIONS.length));
  for (const { name, sentence, find, replace } of MUTATIONS) {
    assert.match(name, /^[a-z]+(-[a-z]+)+$/);
    assert.match(sentence, /^\w[^\n|]*[^.\n|]$/, name);
    assert.notEqual(find, replace, name);
  }
  for (const part of ["name", "sentence"] as const) {
    assert.equal(new Set(MUTATIONS.map((one) => one[part])).size, MUTATIONS.length, part);
  }
  const changes = new Set(MUTATIONS.map(({ file, find, replace }) => `${file}\n${find}\n${replace}`));
  assert.equal(changes.size, MUTATIONS.length);
});

Deno.test("a planted defect that no world can find has a test, and there are few of them", () => {
  const beyond = MUTATIONS.filter(({ beyond }) => beyond !== undefined);
  for (const { name, beyond: reason, test } of beyond) {
    assert.match(reason!, /^\w[^\n|]*[^.\n|]$/, name);
    assert(test !== undefined, name);
  }
  assert(beyond.length <= 3, String(beyond.length));
});

Deno.test("the text that a planted defect replaces stands in its file once", () => {
  for (const mutation of MUTATIONS) assert.notEqual(mutated(mutation, read(mutation.file)), undefined);
});

Deno.test("planted defects are spread over the program, and each invariant has one to find", () => {
  const folders = new Set(MUTATIONS.map(({ file }) => file.split("/").slice(0, 2).join("/")));
  for (
    const folder of ["engine", "bridge", "daemon", "xen", "pcm", "sndif", "control", "service", "stream"]
  ) {
    assert(folders.has(`lib/${folder}`), folder);
  }
  const found = new Set<string>(MUTATIONS.map(({ finds }) => finds));
  assert.deepEqual(Object.keys(STATEMENTS).filter((name) => !found.has(name)), []);
  assert.deepEqual(CHECKS.filter(({ name }) => !(name in STATEMENTS)), []);
});

Deno.test("mutated() refuses a text in which the place is missing, or stands twice", () => {
  const mutation = { ...MUTATIONS[0]!, find: "a", replace: "b" };
  assert.equal(mutated(mutation, "xay"), "xby");
  assert.throws(() => mutated(mutation, "xyz"), /0 times/);
  assert.throws(() => mutated(mutation, "xaya"), /2 times/);
});

Deno.test("each file with a planted defect can be parsed", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    for (const mutation of MUTATIONS) {
      Deno.writeTextFileSync(join(folder, `${mutation.name}.ts`), mutated(mutation, read(mutation.file)));
    }
    const format = async () => {
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["fmt", "--quiet", "--no-config", folder],
        env: { NO_COLOR: "1" },
      }).output();
      return { success, message: new TextDecoder().decode(stderr) };
    };
    const { success, message } = await format();
    assert(success, message);
    Deno.writeTextFileSync(join(folder, "broken.ts"), "const x = {;\n");
    assert.equal((await format()).success, false, "the check itself finds nothing");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("ProjectCopy plants a defect in its own files, takes it away again, and leaves nothing behind", () => {
  const mutation = MUTATIONS[0]!;
  const sound = read(mutation.file);
  const copy = new ProjectCopy();
  const planted = () => Deno.readTextFileSync(join(copy.path, mutation.file));
  {
    using _copy = copy;
    {
      using _planted = copy.plant(mutation);
      assert.equal(planted(), mutated(mutation, sound));
    }
    assert.equal(planted(), sound);
  }
  assert.equal(read(mutation.file), sound);
  assert.throws(() => Deno.statSync(copy.path), Deno.errors.NotFound);
});

Deno.test("hunt() plays a seed that hangs once more, and goes on from there; it hangs if it does so twice", async () => {
  const outcomes: Outcome[] = [
    { finder: "hang", seed: 3, events: 30 },
    { finder: "hang", seed: 4, events: 20 },
    { finder: "answers", seed: 6, events: 27 },
  ];
  const firsts: number[] = [];
  const run = (first: number) => {
    firsts.push(first);
    return Promise.resolve(outcomes[firsts.length - 1]!);
  };
  const budget = { seeds: 10, events: 10, timeoutMs: 1 };
  assert.deepEqual(await hunt(run, budget), { finder: "answers", seed: 6, events: 57 });
  assert.deepEqual(firsts, [1, 3, 4]);
  const hang: Outcome = { finder: "hang", seed: 2, events: 20 };
  assert.deepEqual(await hunt(() => Promise.resolve(hang), budget), { finder: "hang", seed: 2, events: 30 });
});

Deno.test("a run of the world is told by its report, its exit code and its time", async () => {
  const folder = Deno.makeTempDirSync();
  const script = join(folder, "run.ts");
  const outcomeOf = (text: string, timeoutMs = 30_000) => {
    Deno.writeTextFileSync(script, text);
    const args = ["run", "--quiet", "--no-check", "--no-config", script];
    const command = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" });
    return runWorlds(command, 4, { seeds: 9, events: 900, timeoutMs });
  };
  const forEver = "setInterval(() => {}, 1000);";
  try {
    const held = 'console.log("seed 4: 900 events, 5 turns, log 0: all invariants hold");';
    assert.deepEqual(await outcomeOf(held), { finder: undefined, seed: 4, events: 900 });
    // A run that has told its violation is waited for no longer.
    assert.deepEqual(
      await outcomeOf(
        `${held}console.log("seed 5: 20 events: violation: samples: 3 are missing\\n  at event 17");${forEver}`,
      ),
      { finder: "samples", seed: 5, events: 917 },
    );
    assert.deepEqual(await outcomeOf('throw new Error("at event 5: a defect")'), {
      finder: "crash",
      seed: 4,
      events: 5,
    });
    assert.deepEqual(await outcomeOf(`${held}Deno.exit(3)`), { finder: "crash", seed: 5, events: 1800 });
    assert.deepEqual(await outcomeOf(held + forEver, 1000), { finder: "hang", seed: 5, events: 1800 });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("Report takes the first violation, and the first event", () => {
  const report = new Report(7);
  for (
    const line of ["at event 4", "violation: totals: one fell", "violation: answers: none", "at event 9"]
  ) {
    report.add(line);
  }
  assert(report.isComplete);
  assert.deepEqual(report.outcome(1, { seeds: 9, events: 50, timeoutMs: 1 }), {
    finder: "totals",
    seed: 7,
    events: 4,
  });
});

Deno.test("the page says which defects are found, and how soon", () => {
  const [one, two] = MUTATIONS.map((mutation) => ({ ...mutation, test: undefined }));
  const three = { ...MUTATIONS[2]!, beyond: "it takes a third hand", test: "tests/unit/third_test.ts" };
  const page = pageOf(
    [
      { mutation: one!, finding: { finder: "answers", seed: 2, events: 1600 } },
      { mutation: two!, finding: { finder: undefined, seed: 20, events: 30000 } },
    ],
    [three],
    { seeds: 20, events: 1500, timeoutMs: 1 },
  );
  const row =
    `| \`${three.name}\` | ${three.sentence} | it takes a third hand | \`tests/unit/third_test.ts\` |`;
  assert(page.includes(row), page);
  assert.match(page, /\*\*1 of 2 are found\*\*, 1 of them/);
  assert(page.includes(`| \`${one!.name}\` | ${one!.sentence} | \`answers\` | 2 | 1600 |  |`), page);
  assert(page.includes(`| \`${two!.name}\` | ${two!.sentence} | nothing |  | more than 30000 |  |`), page);
});
