// SPDX-License-Identifier: MIT
/** `xsnd doctor`: on this machine, in a healthy embedded Xen, and with each fault that it should find. */
import assert from "node:assert/strict";
import type { Finding, Level } from "../../lib/doctor/doctor_finding.ts";
import { type Box, inBox, makeWav, Process, type Result, testAtOnce, until, xsnd } from "./harness.ts";

interface Report {
  readonly version: number;
  readonly fit: boolean;
  readonly findings: readonly (Finding & { readonly group: string })[];
}

/** An environment without Xen, even if the tests themselves run in a sandbox. */
const NO_XEN = { XSND_SANDBOX: "", XENSTORED_PATH: "" };
const LEVELS: readonly Level[] = ["ok", "warn", "fail", "skip"];
/** A long timeout: a slow check on a busy machine must not fail. */
const PATIENT = ["--timeout", "30"];

async function reportOf(result: Promise<Result>): Promise<Report & { code: number }> {
  const { code, stdout, stderr } = await result;
  assert.equal(stderr, "");
  const report: Report = JSON.parse(stdout);
  assert.equal(report.version, 1);
  assert.equal(report.fit, report.findings.every(({ level }) => level !== "fail"), stdout);
  assert.equal(code, report.fit ? 0 : 1, stdout);
  for (const { group, level, subject, detail, ...rest } of report.findings) {
    for (const text of [group, subject, detail, ...Object.values(rest)]) assert.equal(typeof text, "string");
    assert.equal("page" in rest, level === "fail", stdout);
    assert(LEVELS.includes(level));
    assert(Object.keys(rest).every((key) => ["mend", "command", "page"].includes(key)));
  }
  return { code, ...report };
}

function examine(box: Box, env: Record<string, string> = {}): Promise<Report> {
  return reportOf(box.spawnWith(env, "doctor", "--json", ...PATIENT).result);
}

/** The only finding of `group` (and `subject`) whose level is not "ok". */
function onlyFault({ findings }: Report, group: string, subject?: string): Finding {
  const found = findings.filter((finding) =>
    finding.group === group && finding.level !== "ok" && (subject ?? finding.subject) === finding.subject
  );
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0]!;
}

/** Runs the finding's command. */
async function carryOut(box: Box, { command }: Finding): Promise<void> {
  assert(command !== undefined);
  const [program, ...args] = command.split(" ");
  if (program === "xsnd") await box.ok(...args);
  else {
    const { code, stderr } = await new Process(program!, args, { env: box.environment }).result;
    assert.equal(code, 0, stderr);
  }
}

const STREAM = [{ type: "playback", device: "dummy:" } as const];
const FRONTEND = "/local/domain/1/device/vsnd/0";
const BACKEND = "/local/domain/0/backend/vsnd/1/0";
const RECORD = "/libxl/1/device/vsnd/0";

/** A test with a planted fault in a box with a card: doctor finds the fault at `level`, and the finding's command mends it. */
function mendable(level: Level, detail: RegExp, plant: (box: Box) => Promise<unknown>): () => Promise<void> {
  return () =>
    inBox(async (box) => {
      await box.provision("domU", STREAM);
      await plant(box);
      const fault = onlyFault(await examine(box), "guests' cards");
      assert.equal(fault.level, level);
      assert.match(fault.detail, detail);
      await carryOut(box, fault);
      const { findings } = await examine(box);
      const after = findings.filter(({ group }) => group === "guests' cards");
      assert.deepEqual(after.map(({ level }) => level), ["ok"], JSON.stringify(after));
      assert.deepEqual(await emptyDirectories(box), [], "and nothing of it is left");
    });
}

/** The empty XenStore directories of virtual sound cards. */
async function emptyDirectories(box: Box): Promise<string[]> {
  const paths = (await box.xenstore("ls", "-f", "/")).split("\n").map((line) => line.split(" = ")[0]!);
  return paths.filter((path) =>
    /\/vsnd(\/\d+)*$/.test(path) && !paths.some((other) => other.startsWith(`${path}/`))
  );
}

/** Has domU play for longer than a test takes. */
async function startPlaying(box: Box): Promise<void> {
  const sound = { format: "s16_le", channels: 2, rate: 8000, frames: 800_000 };
  box.spawn("play", makeWav(box.path("in.wav"), sound), "domU");
  await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
}

testAtOnce("doctor", {
  "a healthy embedded Xen, with a daemon: exit 0, and nothing in it is changed": () =>
    inBox(async (box) => {
      await box.provision("domU", STREAM);
      await box.serve();
      const before = await box.xenstore("ls", "-f", "-p", "/");
      const { fit, findings } = await examine(box);
      assert(fit);
      for (const group of ["libraries", "grants and event channels", "XenStore", "guests' cards", "daemon"]) {
        const ofGroup = findings.filter((finding) => finding.group === group);
        assert(ofGroup.length > 0 && ofGroup.every(({ level }) => level === "ok"), JSON.stringify(ofGroup));
      }
      assert(findings.some(({ subject, level }) => subject === "playback dummy:" && level === "ok"));
      assert.equal(await box.xenstore("ls", "-f", "-p", "/"), before);
    }),

  "how far each guest's card has got, and what it waits for": () =>
    inBox(async (box) => {
      const guests = async () =>
        (await examine(box)).findings.filter(({ group }) => group === "guests")
          .map(({ level, subject, detail, command }) => [level, subject, detail, command]);
      assert.deepEqual(await guests(), [["skip", "guests", "no guest has a card", undefined]]);
      await box.provision("domU", STREAM);
      const states = (frontend: string, backend: string) => `(frontend ${frontend}, backend ${backend})`;
      assert.deepEqual(await guests(), [[
        "warn",
        "domU/0",
        `no daemon has taken the card up ${states("Initialising", "Initialising")}`,
        "xsnd serve",
      ]]);
      await box.serve();
      await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
      assert.deepEqual(await guests(), [[
        "warn",
        "domU/0",
        `the daemon waits for the guest's driver ${states("Initialising", "InitWait")}`,
        "modprobe snd_xen_front",
      ]]);
      await startPlaying(box);
      assert.deepEqual(await guests(), [["ok", "domU/0", "the guest's driver is connected", undefined]]);
    }),

  "no daemon is a warning, and no fault": () =>
    inBox(async (box) => {
      const report = await examine(box);
      assert(report.fit);
      const { level, command } = onlyFault(report, "daemon");
      assert.deepEqual([level, command], ["warn", "xsnd serve"]);
    }),

  "a card that its guest plays through is not opened": () =>
    inBox(async (box) => {
      await box.provision("domU", STREAM);
      await box.serve();
      await startPlaying(box);
      const { findings } = await examine(box);
      assert(findings.some(({ detail }) => detail === "in use by domU/0/0/0"), JSON.stringify(findings));
    }),

  "the cards of a guest that is gone": mendable(
    "warn",
    /domain 1 is gone/,
    (box) => box.xenstore("rm", "/local/domain/1"),
  ),

  "a backend's directory that outlived its guest and its record": mendable(
    "warn",
    /domain 1 is gone, and its backend is left over/,
    (box) => box.xenstore("rm", "/local/domain/1", "/libxl/1"),
  ),

  "a frontend without a backend": mendable(
    "fail",
    /no backend directory/,
    (box) => box.xenstore("rm", BACKEND),
  ),

  "a frontend that nothing else knows of": mendable(
    "fail",
    /a frontend without backend, and without a record/,
    (box) => box.xenstore("rm", "-t", BACKEND, RECORD),
  ),

  "a backend without a frontend": mendable(
    "fail",
    /no frontend directory/,
    (box) => box.xenstore("rm", FRONTEND),
  ),

  "half a backend": mendable(
    "fail",
    /the card is incomplete: .* no state/,
    (box) => box.xenstore("rm", `${BACKEND}/state`),
  ),

  "a policy that its guest may read": mendable(
    "fail",
    /xsnd\/0\/0\/device has the permissions n0 r1, and should have n0/,
    (box) => box.xenstore("chmod", `${BACKEND}/xsnd/0/0/device`, "n0", "r1"),
  ),

  "a backend that its guest may write": mendable(
    "fail",
    /has the permissions n0 b1, and should have n0 r1/,
    (box) => box.xenstore("chmod", BACKEND, "n0", "b1"),
  ),

  "both directories without a record in /libxl": () =>
    inBox(async (box) => {
      await box.provision("domU", STREAM);
      await box.xenstore("rm", RECORD);
      const { findings } = await examine(box);
      const faults = findings.filter(({ group, level }) => group === "guests' cards" && level === "fail");
      assert.deepEqual(faults.map(({ command }) => command), [
        `xenstore-rm -t ${BACKEND}`,
        `xenstore-rm -t ${FRONTEND}`,
      ]);
    }),

  "a library that cannot be loaded": () =>
    inBox(async (box) => {
      const fault = onlyFault(await examine(box, { XSND_LIBASOUND: "/nonexistent" }), "libraries");
      assert.deepEqual([fault.level, fault.subject], ["fail", "libasound.so.2"]);
      assert.match(fault.detail, /\/nonexistent/);
      assert.equal(fault.command, "unset XSND_LIBASOUND");
      // An embedded Xen does not use libxengnttab. Without libxenstore doctor cannot ask XenStore, and still reports the rest.
      const { level } = onlyFault(await examine(box, { XSND_LIBXENGNTTAB: "/nonexistent" }), "libraries");
      assert.equal(level, "warn");
      const blind = await examine(box, { XSND_LIBXENSTORE: "/nonexistent" });
      assert.equal(onlyFault(blind, "XenStore", "XenStore").level, "fail");
      assert(blind.findings.some(({ group, level }) => group === "limits" && level === "ok"));
      const deaf = await examine(box, { XSND_LIBC: "/nonexistent" });
      assert(deaf.findings.some(({ subject, level }) => subject === "libc.so.6" && level === "fail"));
      assert(deaf.findings.some(({ group }) => group === "daemon"), "the rest is still told");
    }),

  "a dummy card's file whose folder is not there, until it is": () =>
    inBox(async (box) => {
      const folder = box.path("recordings");
      await box.provision("domU", [{ type: "playback", device: `dummy:${folder}/out.wav` }]);
      const subject = `playback dummy:${folder}/out.wav`;
      const { level, detail, mend, command } = onlyFault(await examine(box), "sound", subject);
      assert.deepEqual([level, command], ["fail", undefined]);
      assert.match(detail, /cannot write \/.*out\.wav: there is no folder \/.*recordings\//);
      assert.match(mend!, /make it/);
      Deno.mkdirSync(folder);
      const { findings } = await examine(box);
      assert.equal(findings.find((finding) => finding.subject === subject)?.detail, "can be opened");
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    }),

  "a device that can do nothing of what its stream allows": () =>
    inBox(async (box) => {
      const wav = makeWav(box.path("in.wav"), { rate: 48000, channels: 2, format: "s16_le", frames: 10 });
      await box.provision("domU", [{ type: "capture", device: `dummy:${wav}` }]);
      makeWav(wav, { rate: 11025, channels: 2, format: "s16_le", frames: 10 });
      const { level, detail, mend } = onlyFault(await examine(box), "sound", `capture dummy:${wav}`);
      assert.equal(level, "fail");
      assert.match(detail, /nothing that the stream allows: the device has 11025 Hz/);
      assert.equal(mend, "allow what the device can do");
    }),

  "a broken asound.conf: the file and the line": () =>
    inBox(async (box) => {
      const path = box.path("asound.conf");
      const env = { ALSA_CONFIG_PATH: path };
      Deno.writeTextFileSync(path, "pcm.speakers { type null }\n\npcm.broken = }\n");
      await box.provision("domU", [{ type: "playback", device: "speakers" }]);
      const broken = await examine(box, env);
      const place = `ALSA says: ${path}:3:14: Unexpected char`;
      for (const subject of ["ALSA setup", "playback speakers"]) {
        const { level, detail } = onlyFault(broken, "sound", subject);
        assert.equal(level, "fail");
        assert(detail.endsWith(place), detail);
      }
      Deno.writeTextFileSync(path, "pcm.speakers { type null }\n");
      const { findings } = await examine(box, env);
      for (const subject of ["ALSA setup", "playback speakers"]) {
        assert.equal(findings.find((finding) => finding.subject === subject)?.level, "ok");
      }
    }),

  "a PCM that cannot be opened, and a file that is not there": () =>
    inBox(async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      for (
        const [device, detail] of [["hw:99,0", /hw:99,0/], ["dummy:/nonexistent.wav", /nonexistent\.wav/]]
      ) {
        await box.xenstore("write", `${BACKEND}/xsnd/0/0/device`, device as string);
        await box.xenstore("write", `${BACKEND}/xsnd/0/0/type`, "c");
        const fault = onlyFault(await examine(box), "sound", `capture ${device}`);
        assert.equal(fault.level, "fail");
        assert.match(fault.detail, detail as RegExp);
      }
    }),

  "what a guest wrote drives no terminal": () =>
    inBox(async (box) => {
      await box.provision("domU", STREAM);
      await box.xenstore("write", "/local/domain/1/name", "\u001b[31mred\u009b");
      await box.xenstore("rm", `${BACKEND}/state`);
      const { code, stdout } = await box.run("doctor", ...PATIENT);
      assert.equal(code, 1);
      assert.match(stdout, /\\u001b\[31mred\\u009b\/0/);
      assert(!/\p{Cc}/u.test(stdout.replaceAll("\n", "")));
    }),

  "an embedded Xen that is gone": () =>
    inBox(async (box) => {
      await box.stopXen();
      const report = await examine(box);
      assert(!report.fit);
      assert.equal(onlyFault(report, "XenStore", "XenStore").level, "fail");
    }),

  "a machine without Xen: exit 1, what would mend it, and no fault besides": async () => {
    const report = await reportOf(xsnd(["doctor", "--json", ...PATIENT], NO_XEN));
    const faults = report.findings.filter(({ level }) => level === "fail");
    if (report.findings.some(({ subject, level }) => subject === "Xen" && level === "ok")) return; // on a Xen host
    assert.deepEqual(faults.map(({ subject }) => subject), ["Xen"]);
    assert.match(faults[0]!.mend!, /boot under Xen.*`xsnd demo`/);
  },

  "a XenStore that does not answer is a finding": async () => {
    const directory = Deno.makeTempDirSync();
    const path = `${directory}/stuck.sock`;
    using listener = Deno.listen({ transport: "unix", path });
    const connections: Deno.Conn[] = [];
    const accepting = (async () => {
      for await (const connection of listener) connections.push(connection);
    })();
    try {
      const env = { ...NO_XEN, XENSTORED_PATH: path };
      const { findings } = await reportOf(xsnd(["doctor", "--json", "--timeout", "3"], env));
      const stuck = findings.find(({ subject }) => subject === "XenStore")!;
      assert.deepEqual([stuck.level, stuck.detail], ["fail", "no answer within 3 s"]);
      assert(findings.some(({ subject }) => subject === "daemon"), "it goes on after it");
    } finally {
      listener.close();
      await accepting;
      for (const connection of connections) connection.close();
      Deno.removeSync(directory, { recursive: true });
    }
  },

  "for people: at most 80 columns, and colours on a terminal only, unless NO_COLOR": async () => {
    const { stdout } = await xsnd(["doctor", ...PATIENT], NO_XEN);
    for (const line of stdout.split("\n")) assert(line.length <= 80 || /^ +\$ /.test(line), line);
    assert(!stdout.includes("\u001b"));
    const onTerminal = async (noColor: string, columns = 80) => {
      const line = `stty cols ${columns}; env ${noColor} ./xsnd doctor ${PATIENT.join(" ")}`;
      const args = ["-qec", line, "/dev/null"];
      const process = new Process("script", args, { env: { ...NO_XEN, TERM: "xterm" } });
      await until("it ends", () => process.ended);
      return process.stdout;
    };
    assert(!(await onTerminal("NO_COLOR=1")).includes("\u001b"));
    assert((await onTerminal("--unset=NO_COLOR")).includes("\u001b[31mfail"));
    const narrow = (await onTerminal("NO_COLOR=1", 60)).split(/\r?\n/);
    // A word is never broken, and a detail has 27 columns before it.
    const fits = (line: string) => line.length <= 60 || !line.slice(27).includes(" ") || /^ +\$ /.test(line);
    assert.deepEqual(narrow.filter((line) => !fits(line)), []);
    assert(narrow.some((line) => line.length > 40));
  },
});
