// SPDX-License-Identifier: MIT
/** The lab itself: the machine, Xen, the devices and the guests that the cases with xsnd rely on work, to the sample. */
import assert from "node:assert/strict";
import type { GuestKernel } from "../lab/images.ts";
import { LabError } from "../lab/command.ts";
import { type Bench, testedArch } from "../lab/testing.ts";
import { CD, noise, randomOctets } from "../rig.ts";

/** Compares without printing megabytes. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  const difference = expected.findIndex((octet, at) => octet !== actual[at]);
  assert.equal(difference, -1, `octets differ from ${difference} on`);
  assert.equal(actual.length, expected.length);
}

/** Domain 0 and its devices. */
export function dom0Cases(bench: Bench): void {
  bench.test("dom0 runs on Xen", async (lab) => {
    const info = await lab.dom0.run("xl info");
    assert.match(info, /^xen_version +: 4\.17/m);
    assert.match(await lab.dom0.run("xl list"), /^Domain-0 +0 /m);
  });

  bench.test("dom0.run() returns stdout, passes stdin, and throws with both streams", async (lab) => {
    assert.equal(await lab.dom0.run("tr a-z A-Z", { stdin: "loud" }), "LOUD");
    await assert.rejects(
      lab.dom0.run("echo out; echo err >&2; exit 3"),
      (error: Error) => error instanceof LabError && /exit code 3[^]*out[^]*err/.test(error.message),
    );
  });

  bench.test("dom0.run() kills a script that takes too long, with its children", async (lab) => {
    await assert.rejects(
      lab.dom0.run("echo so far; sleep 4711", { timeout: 1 }),
      /timed out after 1 s[^]*so far/,
    );
    const { code } = await lab.dom0.attempt("pgrep -f '^sleep 4711'");
    assert.equal(code, 1);
  });

  bench.test("dom0.start() leaves a job running, which can be read and signalled", async (lab) => {
    const job = await lab.dom0.start(
      "trap 'echo got it; exit 7' TERM; echo here; while :; do sleep 0.1; done",
    );
    while (await job.output("stdout") === "") await new Promise((resolve) => setTimeout(resolve, 50));
    await job.kill("SIGTERM");
    const { code, stdout } = await job.outcome;
    assert.deepEqual({ code, stdout }, { code: 7, stdout: "here\ngot it\n" });
  });

  bench.test("dom0 and the host exchange files of megabytes", async (lab) => {
    const bytes = randomOctets(4_000_000);
    await lab.dom0.put("/tmp/noise", bytes);
    assertSame(await lab.dom0.get("/tmp/noise"), bytes);
  });

  if (testedArch() === "amd64") {
    bench.test("AC97 plays in real time, into a file on the host", async (lab) => {
      const file = `${lab.directory}/ac97.wav`;
      const before = (await Deno.stat(file)).size;
      const seconds = Number(
        await lab.dom0.run(
          `
          t0=$(cut -d' ' -f1 /proc/uptime)
          aplay -q -D hw:0,0 -t raw -f S16_LE -c 2 -r 48000 --period-size=1024 --buffer-size=4096 -
          awk "{ print \\$1 - $t0 }" /proc/uptime
        `,
          { stdin: noise(CD, 3) },
        ),
      );
      assert(seconds > 2.8 && seconds < 6, `3 s of sound took ${seconds} s`);
      const grown = (await Deno.stat(file)).size - before;
      assert(grown > 2 * 48000 * 4, `the card played ${grown} octets`);
    });
  }
}

/** Guests, before any has a card. */
export function guestCases(bench: Bench): void {
  for (const kernel of ["6.1", "7"] satisfies GuestKernel[]) {
    bench.test(`a Linux ${kernel} guest has ALSA and the stock driver`, async () => {
      const guest = await bench.guest(kernel);
      assert.match(await guest.run("uname -r"), kernel === "6.1" ? /^6\.1\./ : /^([7-9]|\d\d)\./);
      assert.match(await guest.run("cat /proc/asound/version"), /Advanced Linux Sound Architecture/);
      assert.match(await guest.run("lsmod"), /^snd_xen_front /m);
      assert.match(await guest.run("dmesg"), /Initialising Xen vsnd frontend driver/);
      await guest.run("aplay --version; arecord --version; amixer --version");
      const { stderr } = await guest.attempt("aplay -l");
      assert.match(stderr, /no soundcards found/);
    });

    bench.test(`a Linux ${kernel} guest runs scripts as dom0 does`, async () => {
      const guest = await bench.guest(kernel);
      assert.equal(await guest.run("tr a-z A-Z", { stdin: "loud" }), "LOUD");
      const { code, stdout, stderr } = await guest.attempt("echo out; echo err >&2; exit 3");
      assert.deepEqual({ code, stdout, stderr }, { code: 3, stdout: "out\n", stderr: "err\n" });
      await assert.rejects(
        guest.run("echo so far; sleep 4711", { timeout: 1 }),
        /timed out after 1 s[^]*so far/,
      );
      assert.equal((await guest.attempt("ps | grep '[s]leep 4711'")).code, 1);
      const both = await Promise.all([guest.run("sleep 1; echo one"), guest.run("echo two")]);
      assert.deepEqual(both, ["one\n", "two\n"]);
    });

    bench.test(`a Linux ${kernel} guest exchanges files of megabytes`, async () => {
      const guest = await bench.guest(kernel);
      const bytes = randomOctets(4_000_000);
      await guest.put("/tmp/noise", bytes);
      assertSame(await guest.get("/tmp/noise"), bytes);
    });

    bench.test(`a Linux ${kernel} guest's programs survive interrupts`, async (lab) => {
      // Emulators have corrupted registers at interrupts. Every program's start is a chance to notice.
      const guest = await bench.guest(kernel);
      const pings = await lab.dom0.start(`exec busybox ping -q -A $(guest-address ${guest.domid})`);
      const right = await guest.run(
        "i=0; while [ $i -lt 15 ]; do echo $(setsid sh -c 'echo true $(echo false)'); i=$((i+1)); done | uniq -c",
        { timeout: 120 },
      );
      assert.equal(right.trim(), "15 true false");
      await pings.kill("SIGINT");
      await pings.outcome;
    });
  }
}
