// SPDX-License-Identifier: MIT
/** packaging/xsnd.service and the unit that stands by: systemd's checks, and the daemon under the units' restrictions. */
import assert from "node:assert/strict";
import { SERVICE, STANDBY_SERVICE, standbyUnit } from "../../packaging/units.ts";
import { inBox, launcher, Process, root, until } from "./harness.ts";

const unit = Deno.readTextFileSync(`${root}packaging/xsnd.service`);
const hasSystemd = await new Process("sh", ["-c", "command -v systemd-analyze"]).result.then(({ code }) =>
  code === 0
);

async function analyze(verb: string, ...options: string[]) {
  const directory = Deno.makeTempDirSync({ prefix: "xsnd-unit-" });
  try {
    const files = Object.entries({ [SERVICE]: unit, [STANDBY_SERVICE]: standbyUnit(unit) }).map(
      ([name, text]) => {
        // The command is not installed, so the units name the launcher in this tree.
        Deno.writeTextFileSync(`${directory}/${name}`, text.replace("/usr/bin/xsnd", launcher));
        return `${directory}/${name}`;
      },
    );
    return await new Process("systemd-analyze", [verb, ...options, ...files]).result;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test({
  name: "systemd finds nothing wrong with the units (needs systemd-analyze)",
  ignore: !hasSystemd,
  fn: async () => {
    assert.deepEqual(await analyze("verify", "--man=no"), { code: 0, stdout: "", stderr: "" });
  },
});

Deno.test({
  name: "systemd finds each unit's exposure to be below 1.5 of 10 (needs systemd-analyze)",
  ignore: !hasSystemd,
  fn: async () => {
    const { code, stdout, stderr } = await analyze(
      "security",
      "--offline=true",
      "--no-pager",
      "--threshold=14",
    );
    assert.equal(code, 0, stdout + stderr);
  },
});

Deno.test("no setting of the unit has systemd mount programs and libraries writable, as ExecPaths= does", () => {
  assert(!/^ExecPaths=/m.test(unit));
  assert.match(unit, /^ProtectSystem=strict$/m);
  const noExec = /^NoExecPaths=(.*)$/m.exec(unit)![1]!.split(" ");
  for (const path of ["/run/xsnd", "/var/cache/xsnd/serve", "/tmp", "/var/tmp", "/dev/shm"]) {
    assert(noExec.includes(path), `the daemon writes in ${path}, and what it writes there could be run`);
  }
});

Deno.test("serve can do all that it is for with the capabilities that the unit leaves it", () =>
  inBox(async (box) => {
    const kept = /^CapabilityBoundingSet=(.*)$/m.exec(unit)![1]!.toLowerCase().replaceAll("cap_", "+").split(
      " ",
    );
    const limits = ["--no-new-privs", "--inh-caps=-all", `--bounding-set=-all,${kept}`];
    // prlimit does the same as the unit's LimitRTPRIO=, if root may raise the limit on this machine.
    const realtime = ["prlimit", `--rtprio=${/^LimitRTPRIO=(.*)$/m.exec(unit)![1]}`];
    const mayRaise = (await new Process(realtime[0]!, [realtime[1]!, "true"]).result).code === 0;
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = box.spawnUnder(
      [...(mayRaise ? realtime : []), "setpriv", ...limits],
      "serve",
      "--realtime",
    );
    await until("the daemon answers", () => box.status().catch(() => undefined));
    assert.match(await box.ok("play", "fixtures/melody.wav", "domU/0/0/0"), /, 0 xruns;/);
    const { code, stderr } = await daemon.end("SIGTERM");
    assert.equal(code, 0, stderr);
    const refused = /^.* \(EPERM\): .*CAP_SYS_NICE\n/m;
    assert(!/warning|error/.test(mayRaise ? stderr : stderr.replace(refused, "")), stderr);
  }));
