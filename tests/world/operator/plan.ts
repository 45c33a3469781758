// SPDX-License-Identifier: MIT
/**
 * What an operator is about to do, as plain data: a command of xsnd with its options and how it is cut short, or another program at
 * the control socket that knows the protocol badly, or not at all.
 */
import { STREAM_GOALS, type StreamGoal } from "../../../lib/control/protocol.ts";
import { OPERATOR_TRIGGERS, type OperatorTrigger } from "../../../lib/stream/stream_state.ts";
import type { Random } from "../machine/random.ts";

/** The commands of xsnd that ask the daemon. */
export const VERBS = [
  "status",
  "watch",
  "top",
  "trigger",
  "volume",
  "mute",
  "unmute",
  "wait",
  "trace",
  "last",
] as const;
export type Verb = typeof VERBS[number];

/**
 * Other programs at the socket.
 * `silent` says nothing. `deaf` asks again and again, and reads no answer. `garbage` sends lines that are no requests. `half`
 * sends the beginning of a request. `lines` sends several requests at once. `shut` sends a request and shuts down its sending side.
 * `endless` sends a line without end.
 */
export const ODD_CLIENTS = ["silent", "deaf", "garbage", "half", "lines", "shut", "endless"] as const;
export type OddClient = typeof ODD_CLIENTS[number];

/**
 * How a command is cut short. `interrupt`: SIGINT; `kill`: SIGKILL between two turns; `die`: SIGKILL at a system call; `hang up`:
 * closes the connection; `line`: sends another request; `enough`: sends an empty line.
 */
export const CUTS = ["interrupt", "kill", "die", "hang up", "line", "enough"] as const;
export type CutKind = typeof CUTS[number];

export interface Cut {
  readonly kind: CutKind;
  /** From the start of the command, ms; for `hang up`, `line` and `enough` from its first request. */
  readonly afterMs: number;
  /** System calls until the command dies, for `die`. */
  readonly calls: number;
}

export interface CommandPlan {
  readonly verb: Verb;
  /** The stream, as the operator writes it. Commands without a stream have one that they do not use. */
  readonly stream: string;
  /** `--timeout`, ms. */
  readonly waitMs: number;
  readonly trigger: OperatorTrigger;
  /** dB for `volume`; undefined: the command only shows the volume. */
  readonly volume?: number;
  readonly goal: StreamGoal;
  /** `top --interval`, ms, and `--iterations`. */
  readonly intervalMs: number;
  readonly iterations: number;
  /** `mute --for`, `trace record --seconds`, `trace last --seconds`, and `--until closed`. */
  readonly seconds?: number;
  readonly untilClosed: boolean;
  readonly cut?: Cut;
}

export interface OddPlan {
  readonly odd: OddClient;
  /** What a client sends that sends requests. */
  readonly requests: readonly CommandPlan[];
  /** When the client hangs up at the latest, ms. */
  readonly holdMs: number;
  /** For octets that mean nothing. */
  readonly seed: number;
}

export type Plan = CommandPlan | OddPlan;

/** A stream that an operator may mean. */
export interface Target {
  /** `DOMAIN/CARD/PCM/STREAM`. */
  readonly name: string;
  readonly domid: number;
}

/** Times that operators say: at once, shorter and longer than a guest takes to connect, and any other. */
const WAITS_MS = [0, 0, 1, 20, 200, 1000, 5000, 10_000];

/** Holds are ended more often than made: a command for a stream that is held does not wait. */
const TRIGGERS: readonly OperatorTrigger[] = [...OPERATOR_TRIGGERS, "resume", "start"];

/** Volumes: bounds, none, usual ones, and one with more digits than are kept. */
const VOLUMES = [-120, 12, 0, -6, -3.5, -0.0004, 11.9996];

/** Names that no stream has. */
const WRONG_NAMES = [
  "",
  "/",
  "nobody",
  "nobody/0/0/0",
  "domU/00/0/0",
  "domU/0/0/0/",
  "\ud83d\ude00",
  "x".repeat(900),
];

/** The name of `target` as operators write it: whole, shortened, by number, or misspelt. */
export function spelling({ name, domid }: Target, random: Random): string {
  const parts = name.split("/");
  switch (random.below(8)) {
    case 0:
      return parts.slice(0, random.between(1, 4)).join("/");
    case 1:
      return [domid, ...parts.slice(1)].join("/");
    case 2:
      return name.slice(0, -1) + random.below(3);
    case 3:
      return random.oneIn(3) ? random.pick(WRONG_NAMES) : name;
    default:
      return name;
  }
}

/** How a command with this time-out is cut short; undefined: not at all. */
function cutOf(waitMs: number, random: Random): Cut | undefined {
  if (!random.oneIn(3)) return undefined;
  const afterMs = random.below(Math.max(20, Math.ceil(waitMs * 1.2)) * 1000) / 1000;
  return { kind: random.pick(CUTS), afterMs, calls: random.below(8) };
}

/** A volume that leaves frames as they are, or changes them so much that they do not look like a run of another stream's. */
function anyVolume(random: Random): number {
  if (random.oneIn(2)) return random.pick(VOLUMES);
  const volume = random.between(-120_000, 12_000) / 1000;
  return Math.abs(volume) < 1 ? 3 * Math.sign(volume) : volume;
}

/** A command with arguments of any kind. Without `targets` it names a stream that is not there. */
export function commandPlan(verb: Verb, targets: readonly Target[], random: Random): CommandPlan {
  const waitMs = random.oneIn(4) ? random.below(20_000_000) / 1000 : random.pick(WAITS_MS);
  return {
    verb,
    stream: targets.length === 0 ? random.pick(WRONG_NAMES) : spelling(random.pick(targets), random),
    waitMs,
    trigger: random.pick(TRIGGERS),
    ...(!random.oneIn(6) && { volume: anyVolume(random) }),
    goal: random.pick(STREAM_GOALS),
    intervalMs: random.between(100, 2000),
    iterations: random.between(1, 5),
    ...(random.oneIn(2) && { seconds: random.between(1, 3000) / 1000 }),
    untilClosed: random.oneIn(3),
    cut: cutOf(waitMs, random),
  };
}

/** A command that waits for as long as it takes, for one stream. */
export function patientPlan(verb: Verb, target: Target, random: Random): CommandPlan {
  const { cut: _none, ...plan } = commandPlan(verb, [target], random);
  return { ...plan, stream: target.name, waitMs: 10_000 };
}

/** A hold that waits for its guest to start the stream, and is given up before it may. */
export function impatientPlan(targets: readonly Target[], random: Random): CommandPlan {
  const plan = commandPlan("trigger", targets, random);
  return {
    ...plan,
    stream: targets.length === 0 ? plan.stream : random.pick(targets).name,
    trigger: random.pick(["pause", "stop"]),
    waitMs: random.between(2000, 30_000),
    cut: { kind: random.pick(CUTS), afterMs: random.between(1, 2000), calls: random.between(2, 5) },
  };
}

/** Another program. */
export function oddPlan(odd: OddClient, targets: readonly Target[], random: Random): OddPlan {
  const verbs = VERBS.filter((verb) => verb !== "top");
  const count = odd === "lines" ? random.between(2, 40) : odd === "deaf" ? random.between(1, 200) : 1;
  return {
    odd,
    requests: Array.from({ length: count }, () => commandPlan(random.pick(verbs), targets, random)),
    holdMs: random.oneIn(3) ? random.between(9000, 12_000) : random.between(1, 3000),
    seed: random.word(),
  };
}

/** Any plan. Commands that change something are the most frequent. */
export function anyPlan(targets: readonly Target[], random: Random): Plan {
  if (random.oneIn(6)) return oddPlan(random.pick(ODD_CLIENTS), targets, random);
  if (random.oneIn(8)) return impatientPlan(targets, random);
  const changing = ["trigger", "volume", "mute", "unmute"] as const;
  return commandPlan(random.oneIn(3) ? random.pick(VERBS) : random.pick(changing), targets, random);
}

/** The plan as a command line, for the log. */
export function describePlan(plan: Plan): string {
  if ("odd" in plan) {
    const what = plan.requests.length === 1
      ? ` ${describePlan(plan.requests[0]!)}`
      : ` ${plan.requests.length} requests`;
    return `${plan.odd} client:${what}, for ${plan.holdMs} ms`;
  }
  const { verb, stream, waitMs, trigger, volume, goal, cut } = plan;
  const name = stream.length > 40 ? `${stream.slice(0, 40)}…` : stream;
  const said: Record<Verb, string> = {
    status: "status",
    watch: "status --watch",
    top: `top --interval ${plan.intervalMs}ms --iterations ${plan.iterations}`,
    trigger: `trigger ${trigger} ${name}`,
    volume: `volume ${name}${volume === undefined ? "" : ` ${volume}`}`,
    mute: `mute ${name}`,
    unmute: `unmute ${name}`,
    wait: `wait ${name} --for=${goal}`,
    trace: `trace record ${name}${plan.seconds === undefined ? "" : ` --seconds ${plan.seconds}`}` +
      (plan.untilClosed ? " --until closed" : ""),
    last: `trace last ${name}${plan.seconds === undefined ? "" : ` --seconds ${plan.seconds}`}`,
  };
  const end = cut === undefined
    ? ""
    : `; ${cut.kind} ${cut.kind === "die" ? `at call ${cut.calls}` : `after ${cut.afterMs} ms`}`;
  return `xsnd ${said[verb]} --timeout ${waitMs}ms${end}`;
}
