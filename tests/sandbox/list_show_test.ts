// SPDX-License-Identifier: MIT
/** `xsnd list` and `xsnd show`, as a user runs them. */
import assert from "node:assert/strict";
import { assertOk, frontend, inSandbox } from "./shell.ts";

Deno.test("list and show print cards of ours and of xl's, with states", async () => {
  const result = await inSandbox(`
    xsnd list
    xsnd provision -f fixtures/two-guests.yaml >/dev/null
    xenstore-write /libxl/2/device/vsnd/7/backend /local/domain/0/backend/vsnd/2/7
    xenstore-write /local/domain/2/device/vsnd/7/0/0/type c /local/domain/2/device/vsnd/7/state 4
    as_guest xenstore-write $fe/short-name "$(printf 'a very long name indeed, a name\\033[2J')"
    as_guest xenstore-write $fe/0/0/type c $fe/0/0/unique-id hw:1
    echo; xsnd list; echo; xsnd show domU; echo; xsnd show guest2; echo; xsnd show Domain-0`);
  assertOk(result);
  const [none, list, domU, guest2, dom0] = result.stdout.split("\n\n");
  assert.equal(none, "no guest has a virtual sound card; `xsnd provision DOMAIN` gives it one");
  const lines = list!.split("\n");
  assert.equal(lines.length, 5);
  assert.match(lines[0]!, /^DOMAIN +CARD +NAME +BY +FRONTEND +BACKEND +STREAMS$/);
  assert.match(
    lines[1]!,
    /^domU +0 +a very long name indeed, a name +xsnd +Initialising +Initialising +3 playbacks$/,
  );
  assert.match(lines[4]!, /^guest2 +7 +- +xl +Connected +absent +1 capture$/);
  for (const line of result.stdout.split("\n")) {
    assert.ok(!/\p{Cc}/u.test(line), JSON.stringify(line));
  }
  assert.match(domU!, /domU\/0\/0\/0 {2}playback "front" on dummy:front\.wav\n/); // not what the guest wrote
  assert.match(domU!, /problem: \/local\/domain\/1\/device\/vsnd\/0\/short-name:/);
  assert.match(guest2!, /made by xl, served by Domain-0 \(0\)/);
  assert.equal(dom0, "Domain-0 (0) has no virtual sound card\n");
});

Deno.test("list --json and show --json say all that the tables do", async () => {
  const result = await inSandbox(`
    xsnd list --json; echo ,
    xsnd provision -f fixtures/domU.yaml >/dev/null
    xsnd list --json; echo ,; xsnd show domU --json; echo ,; xsnd show guest2 --json`);
  assertOk(result);
  const [none, list, show, empty] = JSON.parse(`[${result.stdout}]`);
  assert.deepEqual(none, []);
  assert.deepEqual(list, [{
    domain: "domU",
    domid: 1,
    card: 0,
    shortName: "VCard",
    longName: "Virtual sound card",
    provisionedBy: "xsnd",
    backend: "Domain-0",
    backendDomid: 0,
    frontendState: "Initialising",
    backendState: "Initialising",
    streams: [
      { stream: "domU/0/0/0", type: "playback", uniqueId: "speakers" },
      { stream: "domU/0/0/1", type: "capture", uniqueId: "mic" },
    ],
  }]);
  assert.deepEqual(show.cards[0].pcms[0].streams[1], {
    type: "capture",
    uniqueId: "mic",
    denied: false,
    device: "hw:0,0",
    rates: [44100, 48000],
    formats: ["s16_le"],
    channelsMin: 1,
    channelsMax: 2,
    bufferSizeBytes: 65536,
  });
  assert.deepEqual(show.cards[0].frontend, { path: frontend, state: "Initialising" });
  assert.deepEqual(empty, { version: 1, domain: "guest2", domid: 2, cards: [] });
});
