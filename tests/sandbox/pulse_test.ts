// SPDX-License-Identifier: MIT
/** PulseAudio under a daemon: what every sound server has to pass, and a server that hangs. */
import assert from "node:assert/strict";
import { grantsPath } from "../../lib/xen/embedded/layout.ts";
import { assertFails, inBox, makeWav, samplesOf, sleep, until } from "./harness.ts";
import { PulseServer } from "./pulse_server.ts";
import { SINK, STREAM, testSoundServer } from "./sound_server_cases.ts";

const sound = { format: "s16_le", ...SINK, frames: 72_000 };

testSoundServer(PulseServer);

Deno.test("a sound server that hangs keeps no other stream waiting, nor the daemon's end", async () => {
  await using other = await PulseServer.start(SINK);
  await inBox(
    async (box) => {
      const output = box.path("played.wav");
      await box.provision("domU", [{ type: "playback", device: "pulse" }]);
      await box.provision("domV", [{ type: "playback", device: `dummy:${output}` }]);
      const daemon = await box.serveWith(other.environment);
      const long = makeWav(box.path("long.wav"), { ...sound, frames: 60 * sound.rate });
      const input = makeWav(box.path("in.wav"), sound);
      box.spawn("play", long, "domU");
      await box.untilStream(
        STREAM,
        ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
      );
      other.signal("SIGSTOP");
      // The stop asks the server to drop its buffer, and waits for the server's answer.
      const stopping = box.spawn("trigger", "stop", "domU");
      await sleep(300);
      assert(!stopping.ended, "nothing hangs");
      assert.equal(JSON.parse(await box.ok("play", input, "domV", "--json")).xruns, 0);
      assert.deepEqual(samplesOf(output), samplesOf(input));
      // The client does not wait for the server. The hold stays, and the device obeys when the server answers again.
      assertFails(
        await stopping.result,
        124,
        /stop holds for domU\/0\/0\/0, but its device pulse has not obeyed yet/,
      );
      assert.equal((await box.stream(STREAM)).hold, "stopped");
      other.signal("SIGCONT");

      await box.ok("trigger", "start", "domU");
      other.signal("SIGSTOP");
      box.spawn("trigger", "stop", "domU");
      await sleep(300);
      const { code, stderr } = await daemon.end("SIGTERM");
      assert.equal(code, 0, stderr);
      assert.match(stderr, /error: domU\/0\/0\/0: pulse does not come back/);
      other.signal("SIGCONT");
    },
    "domU",
    "domV",
  );
});

Deno.test("an engine that hangs in a sound server's plugin gives back what it has when it comes back", async () => {
  await using other = await PulseServer.start(SINK);
  await inBox(async (box) => {
    const daemon = await box.serveWith(other.environment);
    const engines = () =>
      Array.from(Deno.readDirSync(`/proc/${daemon.pid}/task`), ({ name }) => threadName(daemon.pid, name))
        .filter((name) => name.startsWith("worker")).length;
    /** Whether the daemon has any of the guest's pages mapped. */
    const isMapped = () => Deno.readTextFileSync(`/proc/${daemon.pid}/maps`).includes(grantsPath(box.xen, 1));
    assert.equal(engines(), 1);
    await box.provision("domU", [{ type: "playback", device: "pulse" }]);
    const long = makeWav(box.path("long.wav"), { ...sound, frames: 60 * sound.rate });
    const playing = box.spawn("play", long, "domU");
    await box.untilStream(
      STREAM,
      ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
    );
    assert.equal(engines(), 2);
    assert(isMapped());
    other.signal("SIGSTOP");
    box.spawn("trigger", "stop", "domU");
    await sleep(300);
    await playing.end("SIGKILL");
    await box.ok("deprovision", "domU", "--force");
    await until("it is said", () => /error: domU\/0\/0\/0: pulse does not come back/.test(daemon.stderr));
    assert(engines() === 2 && isMapped(), "it hangs");
    other.signal("SIGCONT");
    await until("the engine is gone", () => {
      assert(!daemon.ended, daemon.stderr);
      return engines() === 1;
    });
    await until("nothing of the guest's is mapped", () => !isMapped());
    assert(!daemon.ended, daemon.stderr);
  });
});

/** A thread's name; empty if the thread has just ended. */
function threadName(pid: number, thread: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/task/${thread}/comm`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || /ESRCH|os error 3\b/.test(String(error))) return "";
    throw error;
  }
}
