// SPDX-License-Identifier: MIT
/** provision and diff as a user runs them: the real command in the embedded Xen, checked with Debian's XenStore tools. */
import assert from "node:assert/strict";
import { root } from "./harness.ts";
import { assertOk, backend, endAtReboot, frontend, inSandbox } from "./shell.ts";

for (const name of ["domU", "two-guests"]) {
  Deno.test(`provision -f fixtures/${name}.yaml writes what xenstore-ls shows as fixtures/trees/${name}.txt`, async () => {
    const result = await inSandbox(`
      xsnd provision -f fixtures/${name}.yaml >/dev/null
      for domid in 1 2; do
        for path in /libxl/$domid/device/vsnd /local/domain/$domid/device/vsnd; do
          if xenstore-exists $path; then xenstore-ls -f -p $path; fi
        done
      done
      xenstore-ls -f -p /local/domain/0/backend/vsnd`);
    assertOk(result);
    const shown = result.stdout.replaceAll(/[ .]+(?=\([nrwb]\d+)/g, " ");
    const golden = Deno.readTextFileSync(`${root}fixtures/trees/${name}.txt`);
    // xenstore-ls does not print its argument's own directory.
    const below = golden.split("\n").filter((line) => !/\/vsnd = "" /.test(line)).join("\n");
    assert.equal(shown, below);
  });
}

Deno.test("provision DOMAIN makes one card, is idempotent, and deprovision leaves nothing behind", async () => {
  const result = await inSandbox(`
    xenstore-ls -f -p /local > before
    xsnd provision domU --device hw:0,0
    xsnd provision 1 --device hw:0,0
    xsnd provision domU --device dummy:
    xenstore-read $be/xsnd/0/0/device $fe/0/0/type $fe/0/1/type
    xsnd deprovision domU 0
    xenstore-ls -f -p /local > after
    cmp before after; rm before after
    xsnd list --json`.replaceAll(/\b(before|after)\b/g, "$XSND_SANDBOX/$1"));
  assertOk(result);
  assert.deepEqual(result.stdout.split("\n"), [
    "domU card 0 (xsnd): created",
    endAtReboot("domU"),
    "domU card 0 (xsnd): unchanged",
    endAtReboot("domU"),
    "domU card 0 (xsnd): changed",
    `  ${backend}/xsnd/0/0/device: "hw:0,0" -> "dummy:"`,
    `  ${backend}/xsnd/0/1/device: "hw:0,0" -> "dummy:"`,
    endAtReboot("domU"),
    "dummy:",
    "p",
    "c",
    "domU card 0: removed",
    "[]",
    "",
  ]);
});

Deno.test("provision Domain-0 keeps the frontend where dom0's kernel does not look", async () => {
  const result = await inSandbox(`
    xsnd provision Domain-0 >/dev/null
    xenstore-ls /local/domain/0/device 2>&1
    xenstore-read $(xenstore-read /libxl/0/device/vsnd/0/frontend)/0/0/type
    xsnd deprovision 0
    xenstore-list /local/domain/0`);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /\np\nDomain-0 card 0: removed\ndomid\nname\n$/);
});

Deno.test("provision prints JSON, and takes one domain of a file by name or number", async () => {
  const result = await inSandbox(`
    xsnd provision guest2 -f fixtures/two-guests.yaml --json
    xsnd provision 1 -f fixtures/two-guests.yaml --json
    xsnd provision -f fixtures/two-guests.yaml --json`);
  assertOk(result);
  const plans: { domain: string; card: number; action: string }[][] = JSON.parse(
    `[${result.stdout.replaceAll("]\n[", "],[")}]`,
  );
  assert.deepEqual(
    plans.map((plan) => plan.map(({ domain, card, action }) => `${domain} ${card} ${action}`)),
    [
      ["guest2 0 created"],
      ["domU 0 created", "domU 1 created"],
      ["domU 0 unchanged", "domU 1 unchanged", "guest2 0 unchanged"],
    ],
  );
});

Deno.test("provision refuses to change a card in use: exit 1, and nothing at all is written", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    as_guest xenstore-write $fe/state 3
    xenstore-ls -f / > $XSND_SANDBOX/before
    status xsnd provision -f fixtures/two-guests.yaml
    xenstore-ls -f / | cmp - $XSND_SANDBOX/before; rm $XSND_SANDBOX/before
    status xsnd provision domU`);
  assert.match(
    result.stderr,
    /^xsnd: card 0 of domU is in use \(frontend Initialised, backend Initialising\) and cannot change as wanted: [^\n]+ Unload the guest's driver first, or let --replace detach the card and attach it anew\n$/,
  );
  assert.equal(result.stdout, `status 1\ndomU card 0 (xsnd): unchanged\n${endAtReboot("domU")}\nstatus 0\n`);
});

Deno.test("provision of several cards ends in a summary, and --wait says of each what keeps it", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    status xsnd provision -f fixtures/two-guests.yaml --wait=connected --timeout=100ms`);
  assert.match(result.stdout, /^domU card 0 \(Music\): changed\n( {2}.*\n)+domU card 1 \(Calls\): created\n/);
  assert.match(
    result.stdout,
    /\nguest2 card 0: created\n3 cards: 2 created, 1 changed\nthe cards of domU, guest2 end at a reboot,.*\nstatus 124\n$/,
  );
  const lines = result.stderr.replace(/^xsnd: /, "").trim().split("\n");
  assert.deepEqual(lines.map((line) => line.slice(0, line.indexOf(" is"))), [
    "card 0 of domU",
    "card 1 of domU",
    "card 0 of guest2",
  ]);
  for (const line of lines) {
    assert.match(
      line,
      /is not connected after 0\.1 s: its frontend is Initialising, its backend Initialising; no daemon/,
    );
  }
});

Deno.test("provision --wait tells the cases apart in which a card does not come to be connected", async () => {
  const cases: [frontend: string, backend: string, advice: RegExp][] = [
    ["1", "1", /no daemon serves the card: start `xsnd serve`, or/],
    ["1", "2", /the guest's driver has not taken the card: is domU running, and is the driver loaded/],
    ["6", "2", /the guest's driver has not taken the card/],
    ["3", "2", /the two ends do not come together: look at the daemon's log, and at the guest's/],
    ["3", "4", /the two ends do not come together/],
    ["3", "5", /the daemon refuses the rings of the guest's driver, or the card is being detached/],
    ["4", "6", /the card has been detached: `xsnd deprovision domU 0`, and provision it again/],
  ];
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    for states in ${cases.map(([frontend, backend]) => `${frontend}:${backend}`).join(" ")}; do
      xenstore-write $fe/state \${states%:*} $be/state \${states#*:}
      xsnd provision domU --wait=connected --timeout=0
    done
    xenstore-write $fe/state 1 $be/state 2
    status xsnd provision domU --wait=initwait --timeout=0
    (sleep 0.3; xenstore-write $fe/state 4 $be/state 4) &
    status xsnd provision domU --wait=connected --timeout=60s
    status xsnd provision domU --wait=closed`);
  const lines = result.stderr.split("\n");
  cases.forEach(([, , advice], i) => assert.match(lines[i]!, advice));
  assert.match(
    result.stdout,
    /status 0\ndomU card 0 \(xsnd\): unchanged\nthe cards of domU end.*\nstatus 0\nstatus 2\n$/,
  );
});

Deno.test("provision --dry-run says what it would do, --nodes what xenstore-ls would show of it, and neither writes", async () => {
  const result = await inSandbox(`
    cd $XSND_SANDBOX
    shown() { xenstore-ls -fp / | sort > $1; }
    file=${root}fixtures/two-guests.yaml
    shown before
    xsnd provision -f $file --dry-run
    xsnd provision -f $file --nodes > dry
    shown still && cmp before still
    xsnd provision -f $file > /dev/null
    shown after
    comm -13 before after > made
    grep '^/' dry | sort | cmp - made && echo the same
    grep '^#' dry
    xsnd provision -f $file --dry-run --nodes
    cat > odd.yaml <<'END'
{ domains: { domU: { cards: [ { long-name: '\\ é', pcms: [ { streams: [ { type: p, device: 'dummy:' } ] } ] } ] } } }
END
    xsnd provision -f odd.yaml --nodes | grep '^/.*long-name'
    xsnd provision -f odd.yaml > /dev/null; xenstore-ls -fp $fe | grep long-name
    xsnd provision domU --device default --dry-run --json`);
  assertOk(result);
  const lines = result.stdout.split("\n");
  assert.deepEqual(lines.slice(0, 13), [
    "domU card 0 (Music): would be created",
    "domU card 1 (Calls): would be created",
    "guest2 card 0: would be created",
    "3 cards: 3 created",
    "the same",
    "# domU card 0 (Music): would be created",
    "# domU card 1 (Calls): would be created",
    "# guest2 card 0: would be created",
    "# 3 cards: 3 created",
    "# domU card 0 (Music): unchanged",
    "# domU card 1 (Calls): unchanged",
    "# guest2 card 0: unchanged",
    "# 3 cards: 3 unchanged",
  ]);
  assert.equal(lines[13], lines[14], "as xenstore-ls escapes it");
  assert.match(lines[13]!, /long-name = "\\\\ \\xc3\\xa9"/);
  const { cards, changes } = JSON.parse(lines.slice(15).join("\n"));
  assert.equal(cards[0].action, "changed");
  assert.deepEqual(changes[0], { op: "remove", path: frontend });
  assert.deepEqual(changes.find(({ path }: { path: string }) => path === `${backend}/online`), {
    op: "write",
    path: `${backend}/online`,
    value: "1",
    permissions: "n0,r1",
  });
});

Deno.test("provision without --file or --device makes a card where there is none, and changes none", async () => {
  const result = await inSandbox(`
    status xsnd provision domU
    xsnd provision -f fixtures/two-guests.yaml >/dev/null
    xenstore-ls -f / > $XSND_SANDBOX/before
    status xsnd provision domU
    status xsnd provision domU --dry-run
    status xsnd provision domU --replace
    xenstore-ls -f / | cmp - $XSND_SANDBOX/before; rm $XSND_SANDBOX/before
    xsnd provision domU --device default | head -n 1
    status xsnd provision domU`);
  const refused =
    "xsnd: domU has a card 0, which is not the default card; `xsnd provision domU -f FILE` changes the card, " +
    "--device PCM puts the default card on PCM in its place\n";
  assert.equal(result.stderr, refused.repeat(3));
  const end = endAtReboot("domU");
  assert.equal(
    result.stdout,
    `domU card 0 (xsnd): created\n${end}\nstatus 0\nstatus 1\nstatus 1\nstatus 1\n` +
      `domU card 0 (xsnd): changed\ndomU card 0 (xsnd): unchanged\n${end}\nstatus 0\n`,
  );
});

Deno.test("diff says what provision would change: exit 1, or 0 if that is nothing", async () => {
  const result = await inSandbox(`
    xenstore-ls -fp / > $XSND_SANDBOX/before
    status xsnd diff -f fixtures/two-guests.yaml
    xenstore-ls -fp / | cmp - $XSND_SANDBOX/before; rm $XSND_SANDBOX/before
    xsnd provision -f fixtures/two-guests.yaml >/dev/null
    status xsnd diff -f fixtures/two-guests.yaml
    status xsnd diff guest2 -f fixtures/two-guests.yaml
    xenstore-write $be/xsnd/0/0/device other $be/state 4
    status xsnd diff domU -f fixtures/two-guests.yaml
    status xsnd diff domU --device x --json`);
  assert.equal(result.stderr, "");
  const [missing, same, one, other, json] = result.stdout.split(/status \d\n/);
  assert.deepEqual(result.stdout.match(/status \d/g), [1, 0, 0, 1, 1].map((code) => `status ${code}`));
  assert.match(missing!, /^domU card 0 \(Music\): would be created\n(.*\n){2}3 cards: 3 created\n$/);
  assert.match(same!, /3 cards: 3 unchanged\n$/);
  assert.equal(one, "guest2 card 0: unchanged\n");
  assert.match(other!, /^domU card 0 \(Music\): would be changed\n {2}\S+\/xsnd\/0\/0\/device: "other" -> /);
  assert.match(other!, /\n {2}0\/0\/device: takes effect when the guest next opens the stream\n/);
  const [card] = JSON.parse(json!);
  assert.deepEqual([card.domain, card.card, card.action], ["domU", 0, "changed"]);
  assert(card.differences.length > 8);
  assert.match(card.refusal, /is in use/);
});

Deno.test("several provisions at once agree: one creates, the others find it done", async () => {
  const result = await inSandbox(`
    for i in 1 2 3 4; do xsnd provision -f fixtures/domU.yaml & done
    wait
    xenstore-ls -f -p $fe | wc -l`);
  assertOk(result);
  const lines = result.stdout.trim().split("\n");
  const count = (text: string) => lines.filter((line) => line === `domU card 0 (VCard): ${text}`).length;
  assert.deepEqual([count("created"), count("unchanged"), Number(lines.at(-1))], [1, 3, 17]);
});
