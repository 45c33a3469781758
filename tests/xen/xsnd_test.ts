// SPDX-License-Identifier: MIT
/**
 * xsnd on real Xen: the guests have the stock driver of unmodified Debian kernels, dom0 has the native ports, and the devices are
 * an emulated AC97 and snd-aloop. The first cases are about the lab itself. All cases share one boot, two guests (Linux 6.1 and 7) and, unless a case ends it, one daemon.
 */
import { cardCases } from "./cases/card.ts";
import { gettingStartedCases } from "./cases/getting_started.ts";
import { hostileCases } from "./cases/hostile.ts";
import { hostCases, MIXER, xlCases } from "./cases/hosts.ts";
import { lifeCases } from "./cases/life.ts";
import { dom0Cases, guestCases } from "./cases/machine.ts";
import { outlivesCases } from "./cases/outlives.ts";
import { packageCases } from "./cases/package.ts";
import { soundCases } from "./cases/sound.ts";
import { Bench, testedArch } from "./lab/testing.ts";
import { Daemon } from "./rig.ts";

const amd64 = testedArch() === "amd64";
const bench = new Bench({
  cards: amd64 ? ["ac97"] : [],
  onFailure: async () => {
    const log = await daemon?.log() ?? "";
    await restart();
    return `--- end of the daemon's log\n${log.trimEnd().split("\n").slice(-30).join("\n")}\n`;
  },
});

let daemon: Daemon | undefined;

async function restart(options = ""): Promise<void> {
  if (daemon !== undefined && (await bench.lab.dom0.attempt(`kill -0 ${daemon.pid}`)).code === 0) {
    await daemon.end();
  }
  daemon = await Daemon.start(bench.lab, options);
}

dom0Cases(bench);

bench.test("serve starts before any guest, and after one", async (lab) => {
  await lab.dom0.put("/etc/asound.conf", MIXER);
  await restart();
  await bench.guest("6.1");
  await restart();
  await bench.guest("7");
});

guestCases(bench);
soundCases(bench);
if (amd64) cardCases(bench, () => daemon!, restart);
lifeCases(bench, () => daemon!, restart);
outlivesCases(bench, () => daemon!, (next) => daemon = next);
hostCases(bench, amd64);
hostileCases(bench, () => daemon!);
if (amd64) xlCases(bench, () => daemon!, restart);
if (amd64) packageCases(bench, () => daemon!, restart);
if (amd64) gettingStartedCases(bench, () => daemon);
