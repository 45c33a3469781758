// SPDX-License-Identifier: MIT
/**
 * `deno task world`: worlds from seeds, until one breaks an invariant.
 *
 *     --seed N        the first seed; by default drawn from what HEAD contains, so that each commit tries others
 *     --seeds N       how many seeds (default 1; with --minutes as many as there is time for)
 *     --events K      events a seed (default 1500)
 *     --minutes N     goes on with further seeds for so long
 *     --log           prints the log of each world
 *     --replay FILE   the world of a script
 *     --no-shrink     prints a script that fails as it is
 *
 * Exits with 0 if all invariants held, 1 if one was broken: the report then has the invariant, the event and a script that replays
 * it, made as short as possible.
 */
import { parseArgs } from "node:util";
import { seedOfCommit } from "./commit_seed.ts";
import { real } from "./machine/platform.ts";
import { drawScript, formatScript, parseScript, type Script } from "./script.ts";
import { shrink } from "./shrink.ts";
import { type Outcome, playScript, WEIGHTS } from "./play.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    events: { type: "string", default: "1500" },
    minutes: { type: "string" },
    replay: { type: "string" },
    log: { type: "boolean", default: false },
    "no-shrink": { type: "boolean", default: false },
  },
});

const began = real.now();
const seconds = () => (real.now() - began) / 1000;
const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const events = Number(values.events);
const first = values.seed === undefined ? await seedOfCommit() : Number(values.seed);
const seeds = Number(values.seeds ?? (values.minutes === undefined ? 1 : Infinity));
const minutes = Number(values.minutes ?? Infinity);

if (values.replay !== undefined) {
  const script = parseScript(await Deno.readTextFile(values.replay));
  const outcome = await playScript(script);
  report(script, outcome);
  Deno.exit(outcome.violation === undefined ? 0 : 1);
}

const sum = { seeds: 0, events: 0, turns: 0, seconds: 0, soundSeconds: 0 };
for (let n = 0; n < seeds && seconds() < minutes * 60; n++) {
  const script = drawScript(first + n >>> 0, events, WEIGHTS);
  const outcome = await playScript(script);
  report(script, outcome);
  sum.seeds++;
  sum.events += outcome.events;
  sum.turns += outcome.turns;
  sum.seconds += outcome.seconds;
  sum.soundSeconds += outcome.soundSeconds;
  if (outcome.violation === undefined) continue;
  if (!values["no-shrink"]) await printShortest(script, outcome);
  Deno.exit(1);
}
const took = seconds();
print(
  `${sum.seeds} seeds from ${first} on: ${sum.events} events, ${sum.turns} turns, ${
    Math.round(sum.seconds)
  } virtual s with ${Math.round(sum.soundSeconds)} s of sound in ` +
    `${took.toFixed(1)} s: ${Math.round(sum.events / took)} events and ${
      (sum.seconds / took).toFixed(1)
    } virtual s a second`,
);
Deno.exit(0);

function report(
  script: Script,
  { events, turns, seconds, soundSeconds, digest, violation, log }: Outcome,
): void {
  if (values.log) { for (const line of log) print(line); }
  const what = violation === undefined
    ? "all invariants hold"
    : `violation: ${violation.name}: ${violation.text}\n  at event ${violation.event}`;
  print(
    `seed ${script.seed}: ${events} events, ${turns} turns, ${seconds.toFixed(1)} virtual s, ${
      soundSeconds.toFixed(1)
    } s of sound, log ${digest}: ${what}`,
  );
}

async function printShortest(script: Script, { violation }: Outcome): Promise<void> {
  const upTo = { ...script, events: script.events.slice(0, violation!.event + 1) };
  const shortest = await shrink(upTo, async (candidate) => {
    const outcome = await playScript(candidate);
    return outcome.violation?.name === violation!.name;
  });
  const { violation: last, log } = await playScript(shortest);
  if (!values.log) { for (const line of log.slice(-60)) print(line); }
  print(`violation: ${last?.name}: ${last?.text}`);
  print(`the shortest script that still does that, for --replay:\n\n${formatScript(shortest)}`);
}
