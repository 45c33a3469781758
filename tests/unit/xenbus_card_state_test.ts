// SPDX-License-Identifier: MIT
/** What a pair of XenBus states means for a card: the whole table, as a reader of sndif.h and libxl would draw it. */
import assert from "node:assert/strict";
import { backendClaim, type CardPhase, meaningOf, XenbusState } from "../../lib/xenbus/mod.ts";

type State = XenbusState | undefined;

/** Both ends in the order of these columns and rows: no node, then 0 to 8. */
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

/** A row a backend state, a column a frontend state. */
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

/** `-` for an end without a state, else the state's digit. */
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
