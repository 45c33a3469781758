// SPDX-License-Identifier: MIT
/** The meaning of each pair of XenBus states for a card: the full table, derived from sndif.h and libxl. */
import assert from "node:assert/strict";
import { backendClaim, type CardPhase, meaningOf, XenbusState } from "../../lib/xenbus/mod.ts";

type State = XenbusState | undefined;

/** The order of the table's rows and columns: no node, then states 0 to 8. */
const STATES: readonly State[] = [undefined, ...Object.values(XenbusState)];

const LETTERS: Readonly<Record<string, CardPhase>> = {
  R: "removed",
  u: "unserved",
  o: "offered",
  c: "connecting",
  C: "connected",
  g: "closing",
  x: "closed",
};

/** The table: one row per backend state, one column per frontend state. */
const PHASES = `
  RRRRRRRRRR
  Rxxxxxxxxx
  Ruuuuuuuuu
  Rcocccoooo
  Rxxxxxxxxx
  RccccCcccc
  Rggggggggg
  Rxxxxxxxxx
  Rxxxxxxxxx
  Rxxxxxxxxx`.trim().split(/\s+/);

Deno.test("meaningOf() gives each of the hundred pairs its phase", () => {
  STATES.forEach((backend, row) =>
    STATES.forEach((frontend, column) => {
      assert.equal(
        meaningOf({ frontend, backend }).phase,
        LETTERS[PHASES[row]![column]!],
        `${frontend}, ${backend}`,
      );
    })
  );
});

/** Each state as its digit; `-` if there is no node. */
const names = (states: readonly State[]) => states.map((state) => state ?? "-").join("");

Deno.test("a card is in use if either end is connected, about to be, or leaving", () => {
  const isInUse = (frontend: State, backend: State) => meaningOf({ frontend, backend }).isInUse;
  const alone = STATES.filter((backend) => isInUse(undefined, backend));
  assert.equal(names(alone), "34578");
  for (const frontend of STATES) {
    for (const backend of STATES) {
      assert.equal(isInUse(frontend, backend), alone.includes(frontend) || alone.includes(backend));
    }
  }
});

Deno.test("what the backend claims, and whether it offers the card, is of its own state alone", () => {
  const having = (claim: string) => names(STATES.filter((backend) => backendClaim(backend) === claim));
  assert.equal(having("none"), "01");
  assert.equal(having("claimed"), "234578");
  assert.equal(having("released"), "-6");
  for (const frontend of STATES) {
    const meanings = STATES.map((backend) => meaningOf({ frontend, backend }));
    assert.deepEqual(meanings.map(({ claim }) => claim), STATES.map(backendClaim));
    assert.equal(names(STATES.filter((_, index) => meanings[index]!.isTakenUp)), "24");
  }
});

Deno.test("a card that is connected is in use, taken up and claimed", () => {
  const states = { frontend: XenbusState.Connected, backend: XenbusState.Connected };
  assert.deepEqual(meaningOf(states), {
    phase: "connected",
    claim: "claimed",
    isTakenUp: true,
    isInUse: true,
  });
});
