/**
 * provision, deprovision, list, show and check as a user runs them: the real command in the embedded Xen, looked at
 * with Debian's XenStore tools.
 */
import assert from "node:assert/strict";
import { Exit } from "../../lib/error.ts";

const root = new URL("../../", import.meta.url).pathname;
const launcher = `${root}xsnd`;
const backend = "/local/domain/0/backend/vsnd/1/0";
const frontend = "/local/domain/1/device/vsnd/0";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(launcher, { args: [...args], cwd: root, env })
    .output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs a shell script in a sandbox with the guests domU and guest2; `xsnd` is the command there. */
function inSandbox(script: string, env: Record<string, string> = {}): Promise<Result> {
  const prelude = `
xsnd() { "$XSND_LAUNCHER" "$@"; }
status() { "$@"; echo "status $?"; }
as_guest() { XENSTORED_PATH="$XSND_SANDBOX/xenstored-1.sock" "$@"; }
be=${backend} fe=${frontend}
`;
  return run(
    ["sandbox", "--domain", "domU", "--domain", "guest2", "--", "sh", "-c", prelude + script],
    { ...env, XSND_LAUNCHER: launcher },
  );
}

function assertOk({ code, stderr }: Result): void {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
}

async function withTempDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

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
    // xenstore-ls leaves out the directory that it was asked for
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
    "domU card 0 (xsnd): unchanged",
    "domU card 0 (xsnd): changed",
    `  ${backend}/xsnd/0/0/device: "hw:0,0" -> "dummy:"`,
    `  ${backend}/xsnd/0/1/device: "hw:0,0" -> "dummy:"`,
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
    /^xsnd: card 0 of domU is in use \(frontend Initialised, backend Initialising\) and cannot change so: [^\n]+ Unload the guest's driver first, or let --replace detach the card and attach it anew\n$/,
  );
  assert.equal(result.stdout, "status 1\ndomU card 0 (xsnd): unchanged\nstatus 0\n");
});

Deno.test("provision of several cards ends in a summary, and --wait says of each what keeps it", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    status xsnd provision -f fixtures/two-guests.yaml --wait=connected --timeout=100ms`);
  assert.match(result.stdout, /^domU card 0 \(Music\): changed\n( {2}.*\n)+domU card 1 \(Calls\): created\n/);
  assert.match(result.stdout, /\nguest2 card 0: created\n3 cards: 2 created, 1 changed\nstatus 124\n$/);
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
    ["1", "1", /no daemon serves it: start `xsnd serve`, or/],
    ["1", "2", /its guest does not take it: is domU running, and its driver loaded/],
    ["6", "2", /its guest does not take it/],
    ["3", "2", /its two ends do not come together: look at the daemon's log, and at the guest's/],
    ["3", "4", /its two ends do not come together/],
    ["3", "5", /the daemon refuses its guest's rings, or it is being detached/],
    ["4", "6", /it has been detached: `xsnd deprovision domU 0`, and provision it again/],
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
  cases.forEach(([, , advice], i) => assert.match(lines[i], advice));
  assert.match(result.stdout, /status 0\ndomU card 0 \(xsnd\): unchanged\nstatus 0\nstatus 2\n$/);
});

Deno.test("provision --dry-run prints what xenstore-ls shows of what it would write, and writes nothing", async () => {
  const result = await inSandbox(`
    cd $XSND_SANDBOX
    shown() { xenstore-ls -fp / | sort > $1; }
    file=${root}fixtures/two-guests.yaml
    shown before
    xsnd provision -f $file --dry-run > dry
    shown still && cmp before still
    xsnd provision -f $file > /dev/null
    shown after
    comm -13 before after > made
    grep '^/' dry | sort | cmp - made && echo the same
    grep '^#' dry
    xsnd provision -f $file --dry-run
    cat > odd.yaml <<'END'
{ domains: { domU: { cards: [ { long-name: '\\ é', pcms: [ { streams: [ { type: p, device: d } ] } ] } ] } } }
END
    xsnd provision -f odd.yaml --dry-run | grep '^/.*long-name'
    xsnd provision -f odd.yaml > /dev/null; xenstore-ls -fp $fe | grep long-name
    xsnd provision domU --dry-run --json`);
  assertOk(result);
  const lines = result.stdout.split("\n");
  assert.deepEqual(lines.slice(0, 9), [
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
  assert.equal(lines[9], lines[10], "as xenstore-ls escapes it");
  assert.match(lines[9], /long-name = "\\\\ \\xc3\\xa9"/);
  const { cards, changes } = JSON.parse(lines.slice(11).join("\n"));
  assert.equal(cards[0].action, "changed");
  assert.deepEqual(changes[0], { op: "remove", path: frontend });
  assert.deepEqual(changes.find(({ path }: { path: string }) => path === `${backend}/online`), {
    op: "write",
    path: `${backend}/online`,
    value: "1",
    permissions: "n0,r1",
  });
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
  assert.match(missing, /^domU card 0 \(Music\): would be created\n(.*\n){2}3 cards: 3 created\n$/);
  assert.match(same, /3 cards: 3 unchanged\n$/);
  assert.equal(one, "guest2 card 0: unchanged\n");
  assert.match(other, /^domU card 0 \(Music\): would be changed\n {2}\S+\/xsnd\/0\/0\/device: "other" -> /);
  assert.match(other, /\n {2}0\/0\/device: holds from the next time that the guest opens the stream\n/);
  const [card] = JSON.parse(json);
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

Deno.test("deprovision asks a backend to close and waits for it", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    xenstore-write $be/state 4
    (until [ "$(xenstore-read $be/state)" = 5 ]; do sleep 0.05; done
     echo "online $(xenstore-read $be/online)"; xenstore-write $be/state 6) &
    xsnd deprovision domU --timeout 60
    wait
    xenstore-exists $be || xenstore-exists $fe || xenstore-exists /libxl/1/device/vsnd || echo gone`);
  assertOk(result);
  assert.equal(result.stdout, "online 0\ndomU card 0: removed\ngone\n");
});

Deno.test("deprovision gives up in time with exit 124, and --force takes the card away", async () => {
  const result = await inSandbox(`
    xsnd provision domU >/dev/null
    xenstore-write $be/state 2
    status xsnd deprovision domU --timeout 0.1
    xenstore-read $be/state $be/xsnd/0/0/device
    status xsnd deprovision domU --force`);
  assert.match(
    result.stderr,
    /backend at .* did not close within 0\.1 s \(it is Closing\); .* with --force\n$/,
  );
  assert.equal(result.stdout, "status 124\n5\ndefault\ndomU card 0: removed\nstatus 0\n");
});

Deno.test("list and show print cards of ours and of xl's, with states, in 80 columns", async () => {
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
  const lines = list.split("\n");
  assert.equal(lines.length, 5);
  assert.match(lines[0], /^DOMAIN +CARD +NAME +BY +FRONTEND +BACKEND +STREAMS$/);
  assert.match(lines[1], /^domU +0 +a very long na… +xsnd +Initialising +Initialising +3 playbacks$/);
  assert.match(lines[4], /^guest2 +7 +- +xl +Connected +absent +1 capture$/);
  for (const line of result.stdout.split("\n")) {
    assert.ok([...line].length <= 80, line);
    assert.ok(!/\p{Cc}/u.test(line), JSON.stringify(line));
  }
  assert.match(domU, /domU\/0\/0\/0 {2}playback "front" on dummy:front\.wav\n/); // not what the guest wrote
  assert.match(domU, /problem: \/local\/domain\/1\/device\/vsnd\/0\/short-name:/);
  assert.match(guest2, /made by xl, served by Domain-0 \(0\)/);
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

Deno.test("each command says in one line what is wrong, with its exit code, and writes nothing", async () => {
  await withTempDir(async (dir) => {
    const file = (name: string, text: string) => {
      Deno.writeTextFileSync(`${dir}/${name}.yaml`, text);
      return `${dir}/${name}.yaml`;
    };
    const guest = (backend: string) =>
      `{ backend: "${backend}", cards: [ { pcms: [ { streams: [ { type: p, device: d } ] } ] } ] }`;
    const cases: [command: string, code: number, message: RegExp][] = [
      ["provision", Exit.usage, /provision what\? name a DOMAIN, or a file with --file/],
      ["provision domU --device ''", Exit.usage, /the device "" is empty; name an ALSA PCM/],
      ["provision domU --device x -f y", Exit.usage, /cannot be used with/],
      [
        "provision nobody",
        Exit.failed,
        /there is no domain "nobody"; there are Domain-0 \(0\), domU \(1\), guest2 \(2\)/,
      ],
      ["provision 9", Exit.failed, /there is no domain "9"/],
      [
        "provision -f nowhere.yaml",
        Exit.badConfiguration,
        /cannot read .* nowhere\.yaml: there is no such file/,
      ],
      [
        `provision -f ${file("key", "domains: {}\nsound: 1\n")}`,
        Exit.badConfiguration,
        /key\.yaml:2:1: sound: unknown key/,
      ],
      [
        `provision -f ${file("gone", `domains: { domU: ${guest("0")}, gone: ${guest("0")} }`)}`,
        Exit.failed,
        /no domain "gone"/,
      ],
      [
        `provision -f ${file("back", `domains: { domU: ${guest("gone")} }`)}`,
        Exit.failed,
        /no domain "gone"/,
      ],
      [
        `provision -f ${file("both", `domains: { domU: ${guest("0")}, "1": ${guest("0")} }`)}`,
        Exit.badConfiguration,
        /domU twice/,
      ],
      [
        "provision guest2 -f fixtures/domU.yaml",
        Exit.failed,
        /has no cards for guest2; it has some for domU/,
      ],
      [
        "provision domU --wait=served",
        Exit.usage,
        /'served' is invalid.*Allowed choices are initwait, connected/,
      ],
      [
        "provision domU --timeout 1m",
        Exit.usage,
        /'1m' is invalid. Write a number of seconds, such as 2\.5, or 500ms/,
      ],
      ["diff", Exit.usage, /diff what\? name a DOMAIN, or a file with --file/],
      ["diff nobody", Exit.failed, /there is no domain "nobody"/],
      ["diff -f nowhere.yaml", Exit.badConfiguration, /there is no such file/],
      ["deprovision domU", Exit.failed, /domU has no virtual sound card/],
      ["deprovision nobody", Exit.failed, /there is no domain "nobody"/],
      ["deprovision domU first", Exit.usage, /'first' is invalid/],
      ["deprovision domU --timeout soon", Exit.usage, /'soon' is invalid/],
      ["show nobody", Exit.failed, /there is no domain "nobody"; there are/],
      ["show domu", Exit.failed, /there is no domain "domu" \(did you mean domU\?\); there are/],
      ["show", Exit.usage, /missing required argument 'domain'/],
      ["list everything", Exit.usage, /too many arguments|Expected 0 arguments/],
      ["check nowhere.yaml", Exit.badConfiguration, /there is no such file/],
      [`check ${dir}/key.yaml`, Exit.badConfiguration, /key\.yaml:2:1: sound: unknown key/],
    ];
    const result = await inSandbox(`
      xenstore-ls -f -p / > $XSND_SANDBOX/before
      ${cases.map(([command]) => `status xsnd ${command}; echo "end of ${command}" >&2`).join("\n")}
      xenstore-ls -f -p / | cmp - $XSND_SANDBOX/before; rm $XSND_SANDBOX/before`);
    const codes = result.stdout.trim().split("\n");
    const errors = result.stderr.split(/end of .*\n/);
    cases.forEach(([command, code, message], index) => {
      assert.equal(codes[index], `status ${code}`, `${command}: ${errors[index]}`);
      assert.match(errors[index], message, command);
      if (code !== Exit.usage) assert.equal(errors[index].trim().split("\n").length, 1, errors[index]);
      assert.ok(!/^\s+at /m.test(errors[index]), `a stack: ${errors[index]}`);
    });
    assert.equal(codes.length, cases.length, result.stdout);
  });
});

Deno.test("as a guest every command but check is refused: exit 4", async () => {
  const result = await inSandbox(`
    for command in "list" "show domU" "provision domU" "provision domU --dry-run" "diff domU" "deprovision domU" "wait domU --for=connected"; do
      status as_guest env -u XSND_SANDBOX "$XSND_LAUNCHER" $command
    done`);
  assert.equal(result.stdout, "status 4\n".repeat(7), result.stderr);
  for (const line of result.stderr.trim().split("\n")) {
    assert.match(line, /EACCES; only the toolstack's domain/);
  }
});

Deno.test("without Xen: check works, the others say how to get one (exit 5)", async () => {
  const nowhere = { XENSTORED_PATH: "/nowhere", XSND_SANDBOX: "" };
  const check = await run(["check", "fixtures/two-guests.yaml"], nowhere);
  assertOk(check);
  assert.equal(check.stdout, "fixtures/two-guests.yaml is right: 2 domains, 3 cards, 6 streams\n");
  for (const args of [["list"], ["provision", "domU"], ["deprovision", "domU"], ["show", "domU"]]) {
    const { code, stdout, stderr } = await run(args, nowhere);
    assert.equal(code, Exit.xenOrLibraryMissing, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /cannot open XenStore at \/nowhere .*`xsnd sandbox` brings its own\n$/);
  }
});

Deno.test("check --json gives each finding with path, line and column", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/x.yaml`;
    Deno.writeTextFileSync(
      path,
      "domains:\n  domU:\n    cards:\n      - pcms: [ { streams: [ { type: x, device: d } ] } ]\n",
    );
    const { code, stdout, stderr } = await run(["check", "--json", path]);
    assert.equal(code, Exit.badConfiguration);
    const why = "the Linux frontend refuses the whole card if one stream has no type that it knows";
    const what = "domains.domU.cards[0].pcms[0].streams[0].type";
    assert.equal(stderr, `xsnd: ${path}:4:32: ${what}: "x" will not do; ${why}; write playback or capture\n`);
    assert.deepEqual(JSON.parse(stdout), {
      file: path,
      valid: false,
      findings: [{
        path: what,
        line: 4,
        column: 32,
        what: '"x" will not do',
        why,
        instead: "write playback or capture",
      }],
    });
  });
});
