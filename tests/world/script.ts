// SPDX-License-Identifier: MIT
/**
 * The script of a world: its seed and its events, one a line. An event's line has the µs since the former event, its kind, and the
 * seed of all that is random in it and until the next. So a script without some of its lines is a script, too, and its other events
 * change as little as possible.
 *
 *     seed 42
 *     +12500 xl.create 8f3a22c1
 */
import { Random } from "./machine/random.ts";

export interface WorldEvent {
  /** µs since the former event. */
  readonly wait: number;
  readonly kind: string;
  /** The seed of what is random in the event, and in the time until the next. */
  readonly seed: number;
}

export interface Script {
  readonly seed: number;
  readonly events: readonly WorldEvent[];
}

export function formatScript({ seed, events }: Script): string {
  const lines = events.map(({ wait, kind, seed }) =>
    `+${wait} ${kind} ${seed.toString(16).padStart(8, "0")}`
  );
  return [`seed ${seed}`, ...lines, ""].join("\n");
}

/** Lines that are empty or begin with # mean nothing. Throws SyntaxError. */
export function parseScript(text: string): Script {
  let seed: number | undefined;
  const events: WorldEvent[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, first] = /^seed (\d+)$/.exec(line) ?? [];
    const [, wait, kind, hex] = /^\+(\d+) ([a-zA-Z.]+) ([0-9a-f]{8})$/.exec(line) ?? [];
    if (first !== undefined && seed === undefined) seed = Number(first);
    else if (kind !== undefined && seed !== undefined) {
      events.push({ wait: Number(wait), kind, seed: Number.parseInt(hex!, 16) });
    } else {throw new SyntaxError(
        `line ${index + 1} of a world's script is neither its seed nor an event: ${line}`,
      );}
  }
  if (seed === undefined) throw new SyntaxError("a world's script begins with its seed");
  return { seed, events };
}

/** Whether the world of `seed` is a calm one: see `calm.ts`. */
export function isCalm(seed: number): boolean {
  return seed % 4 === 1;
}

/**
 * Whether the host of the world of `seed` is busy, so that each thread runs late: what one thread tells another has long become something
 * else by then.
 */
export function isBusy(seed: number): boolean {
  return seed % 4 === 3;
}

/** Whether threads of the daemon stand still now and then in the calm world of `seed`, which costs frames. */
export function isStalled(seed: number): boolean {
  return seed % 8 === 5;
}

/** Whether all programs of the calm world of `seed` are plain. */
export function isPlain(seed: number): boolean {
  return seed % 16 === 1 || seed % 16 === 5;
}

/** Whether the world of `seed` is one of stories: little happens beside them. Some of these have a busy host. */
export function isStoried(seed: number): boolean {
  return seed % 4 === 2 || seed % 16 === 7;
}

/** By how much a kind of events is more frequent in a world whose passion it is. */
const PASSION = 16;

/** What nothing happens without. */
const VITAL = new Set(["daemon.start", "guest.program", "xl.create"]);

/** What happens in a calm world: what costs no guest a frame. Attacks are so many times as frequent as elsewhere. */
const CALM_KINDS = /^(guest\.|xl\.|operator\.looks$|sound\.(drift|shortWrites)$)/;
const STALL = "host.stalls";
const CALM_ATTACKS = 6;

/** What happens in a world of stories beside them, and by how much stories are more frequent there. */
const STORY = /^story\./;
const BESIDE_STORIES = /^(daemon\.start|guest\.program|guest\.step|operator\.)/;
const STORIES = 2;
/** The pause before a story there, µs. */
const BEFORE_A_STORY = [500_000, 4_000_000] as const;

/** The kinds of events, each with how often it happens in relation to the others. */
export type Weights = Readonly<Record<string, number>>;

/** The first `count` events of the world of `seed`. */
export function drawScript(seed: number, count: number, weights: Weights): Script {
  const random = new Random(seed);
  if (isCalm(seed)) weights = calmed(weights, isStalled(seed));
  if (isStoried(seed)) weights = storied(weights);
  const kinds = Object.keys(weights);
  const total = kinds.reduce((sum, kind) => sum + weights[kind]!, 0);
  const factor = moodOf(random);
  const likes = kinds.map((kind) => weights[kind]! * factor(kind));
  const sum = likes.reduce((sum, like) => sum + like, 0) || total;
  const pick = () => {
    let left = random.below(1 << 20) / (1 << 20) * sum;
    return kinds.find((_, i) => (left -= likes[i]!) < 0) ?? kinds[0]!;
  };
  const events = Array.from(
    { length: count },
    () => {
      const wait = waitOf(random);
      const kind = pick();
      const isAlone = isStoried(seed) && STORY.test(kind);
      return { wait: isAlone ? random.between(...BEFORE_A_STORY) : wait, kind, seed: random.word() };
    },
  );
  return { seed, events };
}

/**
 * The likings of a world: a function that makes the factor of a kind. Each world likes some kinds more than others, so that rare orders
 * become likely somewhere. Half of the worlds have passions, and know nothing of some other kinds; but what nothing happens without is
 * in all of them.
 */
function moodOf(random: Random): (kind: string) => number {
  const isPassionate = random.oneIn(2);
  return (kind) => {
    const isVital = VITAL.has(kind);
    if (isPassionate && random.oneIn(10)) return isVital ? 4 : PASSION;
    if (isPassionate && random.oneIn(4)) return isVital ? 1 : 0;
    return random.oneIn(4) ? 4 : random.oneIn(4) && !isVital ? 0.25 : 1;
  };
}

function calmed(weights: Weights, hasStalls: boolean): Weights {
  return Object.fromEntries(
    Object.entries(weights).filter(([kind]) => CALM_KINDS.test(kind) || hasStalls && kind === STALL)
      .map(([kind, weight]) => [kind, kind === "guest.attack" ? CALM_ATTACKS * weight : weight]),
  );
}

function storied(weights: Weights): Weights {
  return Object.fromEntries(
    Object.entries(weights).filter(([kind]) => STORY.test(kind) || BESIDE_STORIES.test(kind))
      .map(([kind, weight]) => [kind, STORY.test(kind) ? STORIES * weight : weight]),
  );
}

/** Mostly moments, now and then long enough for every time-out of the program to pass. */
function waitOf(random: Random): number {
  const n = random.below(1000);
  if (n < 300) return random.below(300);
  if (n < 600) return random.below(20_000);
  if (n < 940) return random.below(200_000);
  if (n < 991) return random.below(1_000_000);
  return random.below(15_000_000);
}
