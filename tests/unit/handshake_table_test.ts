// SPDX-License-Identifier: MIT
/** Tests the backend's next action in the XenBus handshake, for every pair of states and all that the daemon knows of a card. */
import assert from "node:assert/strict";
import {
  type Action,
  type CardEnds,
  type CardFacts,
  firstPhase,
  isReplaced,
  nextAction,
  type Phase,
} from "../../lib/daemon/handshake.ts";
import { stateName, XenbusState } from "../../lib/xenbus/mod.ts";

const { Initialising, InitWait, Initialised, Connected, Closed } = XenbusState;
const STATES = [undefined, ...Object.values(XenbusState)];
const PHASES: readonly Phase[] = ["new", "found", "waiting", "refused", "connected"];
const BOTH = [false, true];

type State = XenbusState | undefined;
type Situation = CardEnds & CardFacts;

/** A row of the table. A row matches a situation if each of its columns matches. A missing column matches every situation. */
interface Row {
  readonly phase?: readonly Phase[];
  readonly backend?: readonly State[];
  readonly frontend?: readonly State[];
  readonly isOffline?: boolean;
  readonly isFresh?: boolean;
  readonly hasPublishedAnew?: boolean;
  readonly hasDwelt?: boolean;
  readonly isOffered?: boolean;
  readonly action: Action;
}

const but = (...states: State[]): State[] => STATES.filter((state) => !states.includes(state));

/** The backend's states in which the card is neither removed nor replaced by another card. */
const THIS_CARD = but(undefined, Initialising);
const BEGUN: readonly Phase[] = ["found", "waiting", "refused", "connected"];

/** `rows`, limited to situations in which the toolstack leaves the handshake to the two ends. */
const online = (...rows: Row[]): Row[] =>
  rows.map((row) => ({ backend: THIS_CARD, isOffline: false, ...row }));

/** Exactly one row matches each situation, so the order of the rows does not matter. */
const TABLE: readonly Row[] = [
  // The toolstack takes precedence.
  { backend: [undefined], action: "removed" },
  { backend: [Initialising], phase: BEGUN, action: "replaced" },
  { backend: [Initialising], phase: ["new"], isOffline: true, action: "close" },
  { backend: THIS_CARD, isOffline: true, action: "close" },
  ...online(
    { phase: ["found"], frontend: [Connected], action: "adopt" },
    { phase: ["found"], frontend: but(Connected, Initialised), action: "initWait" },
    { phase: ["found"], backend: [Connected], frontend: [Initialised], action: "adopt" },
    {
      phase: ["found"],
      backend: but(undefined, Initialising, Connected),
      frontend: [Initialised],
      action: "initWait",
    },
    { phase: ["new"], backend: but(undefined), frontend: [Connected], action: "adopt" },
    { phase: ["new"], backend: but(undefined), frontend: but(Connected, Initialised), action: "initWait" },
    { phase: ["new"], backend: [Connected], frontend: [Initialised], action: "adopt" },
    { phase: ["new"], backend: but(undefined, Connected), frontend: [Initialised], action: "initWait" },
    // A connected frontend continues, starts over, or closes.
    { phase: ["connected"], backend: [InitWait], action: "restate" },
    ...[Connected, Initialised].flatMap((state): Row[] => [
      {
        phase: ["connected"],
        backend: but(undefined, Initialising, InitWait),
        frontend: [state],
        hasPublishedAnew: false,
        action: "none",
      },
      {
        phase: ["connected"],
        backend: but(undefined, Initialising, InitWait),
        frontend: [state],
        hasPublishedAnew: true,
        action: "startOver",
      },
    ]),
    {
      phase: ["connected"],
      backend: but(undefined, Initialising, InitWait),
      frontend: but(Connected, Initialised),
      action: "startOver",
    },
    // A guest that mistakes a fresh card for the former card is told.
    { phase: ["waiting", "refused"], frontend: [Closed], isFresh: true, action: "remind" },
    // A frontend that broke the protocol stays refused until its state changes.
    { phase: ["refused"], frontend: [Initialised], action: "none" },
    { phase: ["refused"], frontend: but(Initialised, Closed), action: "forgive" },
    { phase: ["refused"], frontend: [Closed], isFresh: false, action: "forgive" },
    // The backend waits for all other frontends in InitWait.
    // A card whose frontend leaves again and again is offered after a pause, or to a driver that was loaded anew.
    {
      phase: ["waiting"],
      backend: but(undefined, Initialising, InitWait),
      frontend: [Initialising],
      action: "initWait",
    },
    ...BOTH.flatMap((isOffered): Row[] => {
      const action = isOffered ? "initWait" : "wait";
      const backend = but(undefined, Initialising, InitWait);
      return [
        { phase: ["waiting"], backend, frontend: but(Initialising, Closed), isOffered, action },
        { phase: ["waiting"], backend, frontend: [Closed], isFresh: false, isOffered, action },
      ];
    }),
    { phase: ["waiting"], backend: [InitWait], frontend: but(Closed, Initialised), action: "none" },
    { phase: ["waiting"], backend: [InitWait], frontend: [Closed], isFresh: false, action: "none" },
    { phase: ["waiting"], backend: [InitWait], frontend: [Initialised], hasDwelt: false, action: "wait" },
    { phase: ["waiting"], backend: [InitWait], frontend: [Initialised], hasDwelt: true, action: "connect" },
  ),
];

function* situations(): Generator<Situation> {
  for (const phase of PHASES) {
    for (const backend of STATES) {
      for (const frontend of STATES) {
        for (const isOffline of BOTH) {
          for (const isFresh of BOTH) {
            for (const hasPublishedAnew of BOTH) {
              for (const dwellMs of [-1000, 0, 0.1, 300]) {
                for (const offerMs of [-1000, 0, 1000]) {
                  yield { phase, backend, frontend, isOffline, isFresh, hasPublishedAnew, dwellMs, offerMs };
                }
              }
            }
          }
        }
      }
    }
  }
}

function holds(row: Row, { phase, backend, frontend, dwellMs, offerMs, ...facts }: Situation): boolean {
  const { isOffline, isFresh, hasPublishedAnew } = facts;
  return (row.phase?.includes(phase) ?? true) && (row.backend?.includes(backend) ?? true) &&
    (row.frontend?.includes(frontend) ?? true) && (row.isOffline ?? isOffline) === isOffline &&
    (row.isFresh ?? isFresh) === isFresh && (row.hasPublishedAnew ?? hasPublishedAnew) === hasPublishedAnew &&
    (row.hasDwelt ?? dwellMs <= 0) === dwellMs <= 0 && (row.isOffered ?? offerMs <= 0) === offerMs <= 0;
}

function describe({ backend, frontend, ...facts }: Situation): string {
  return `backend ${stateName(backend)}, frontend ${stateName(frontend)}, ${JSON.stringify(facts)}`;
}

Deno.test("nextAction() does what the table says, in every situation", () => {
  const used = new Set<Row>();
  for (const situation of situations()) {
    const rows = TABLE.filter((row) => holds(row, situation));
    assert.equal(rows.length, 1, describe(situation));
    used.add(rows[0]!);
    assert.equal(nextAction(situation, situation), rows[0]!.action, describe(situation));
  }
  assert.equal(used.size, TABLE.length);
});

Deno.test("isReplaced() is what nextAction() goes by", () => {
  for (const situation of situations()) {
    const { backend, phase } = situation;
    assert.equal(
      isReplaced(backend, phase),
      nextAction(situation, situation) === "replaced",
      describe(situation),
    );
  }
});

Deno.test("firstPhase() calls no card replaced", () => {
  for (const backend of STATES) assert.equal(isReplaced(backend, firstPhase(backend)), false);
});

/** The situation after `VirtualCard` carries out an action; undefined if `VirtualCard` then waits for a change. */
function carryOut(action: Action, at: Situation): Situation | undefined {
  switch (action) {
    case "initWait":
      return {
        ...at,
        phase: "waiting",
        backend: InitWait,
        isFresh: at.isFresh || at.backend === Initialising,
      };
    case "restate":
      return { ...at, backend: Connected };
    case "startOver":
      return { ...at, phase: "waiting", backend: InitWait };
    case "forgive":
      return { ...at, phase: "waiting" };
    default:
      return undefined;
  }
}

Deno.test("the looks that follow each other come to an end in every situation", () => {
  for (const start of situations()) {
    let looks = 0;
    for (let at: Situation | undefined = start; at !== undefined; at = carryOut(nextAction(at, at), at)) {
      assert(++looks < 4, describe(start));
    }
  }
});
