// SPDX-License-Identifier: MIT
/** What `xsnd doctor` says of sound servers, in a directory that stands for /run; and that the pages it names are there. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { CHECKS } from "../../lib/doctor/check_groups.ts";
import { soundServers } from "../../lib/doctor/sound_servers.ts";

Deno.test("doctor finds the sound servers of users and of the system, and says how the service reaches them", () => {
  const run = Deno.makeTempDirSync({ prefix: "xsnd-run-" });
  try {
    assert.deepEqual(soundServers(run).map(({ level }) => level), ["skip"]);
    const sockets = ["user/1000/pulse/native", "user/1000/pipewire-0", "user/7/bus", "pulse/native"];
    for (const socket of sockets) {
      Deno.mkdirSync(dirname(`${run}/${socket}`), { recursive: true });
      Deno.writeTextFileSync(`${run}/${socket}`, "");
    }
    const [system, user, ...others] = soundServers(run);
    assert.deepEqual(others, []);
    assert.deepEqual([system!.level, system!.detail], [
      "ok",
      `PulseAudio of the system: ${run}/pulse/native`,
    ]);
    assert.equal(
      user!.detail,
      `of user 1000: PulseAudio at ${run}/user/1000/pulse/native, PipeWire at ${run}/user/1000/pipewire-0`,
    );
    assert.match(user!.mend!, /ProtectHome=yes hides the socket.*cookie.*getting-started\.md#sound-servers/);
  } finally {
    Deno.removeSync(run, { recursive: true });
  }
});

Deno.test("the pages that doctor names have the sections that it names", () => {
  const pages = new Set([...CHECKS.map(({ page }) => page), "docs/getting-started.md#sound-servers"]);
  for (const page of pages) {
    const [file, section] = page.split("#");
    const text = Deno.readTextFileSync(new URL(`../../${file}`, import.meta.url));
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!.toLowerCase().replaceAll(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")
    );
    assert(anchors.includes(section!), page);
  }
});
