// SPDX-License-Identifier: MIT
/**
 * Executes docs/getting-started.md: the page's own code blocks run in dom0 and in its guest, in order, verbatim, with the Debian
 * package and without this tree. {@link NOT_IN_LAB} lists the replacements of blocks that are marked `no-lab`.
 */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { makePackage } from "../../../packaging/deb.ts";
import { type PageBlock, pageBlocks } from "../../tools/page_blocks.ts";
import { say } from "../lab/command.ts";
import { quote } from "../lab/domain.ts";
import { Guest } from "../lab/guest.ts";
import type { Lab } from "../lab/lab.ts";
import type { Bench } from "../lab/testing.ts";
import { background, Daemon, until } from "../rig.ts";

/** The page that this case executes. */
export const PAGE = new URL("../../../docs/getting-started.md", import.meta.url);

/** A block that the lab cannot run verbatim. */
export interface Absence {
  readonly reason: string;
  /** Brings the lab into the state after the block; undefined if nothing later needs the block. */
  readonly instead?: (host: Host) => Promise<void>;
}

const NO_NETWORK = "the lab's dom0 has no network; its image holds these packages";
const NO_SERVER = "the lab's dom0 has no sound server, and no user";

/** The reasons why blocks marked `no-lab` are not run, by the blocks' first lines. */
export const NOT_IN_LAB: Readonly<Record<string, Absence>> = {
  "./setup.sh": {
    reason:
      "the machine that runs this test has done it; the package is made by the same code, compressed less",
    instead: (host) => host.makePackage(),
  },
  "apt-get install --no-install-recommends alsa-utils libasound2-plugins libxenstore4 libxengnttab1 libxenevtchn1":
    {
      reason: NO_NETWORK,
    },
  "systemctl enable --now xsnd": {
    reason: "the lab's dom0 has no systemd; the unit's ExecStart= is run by hand",
    instead: (host) => host.restartService(),
  },
  "grep CONFIG_SND_XEN_FRONTEND /boot/config-$(uname -r)": {
    reason: "the guest's root is its ramdisk, without /boot",
  },
  "arecord -D plughw:0,0 -f cd -d 5 /tmp/mic.wav": {
    reason: "the emulated AC97 writes what it plays to a file, and has nothing to record",
  },
  "systemctl restart xsnd": {
    reason: "the lab's dom0 has no systemd; the unit's ExecStart= is run by hand",
    instead: (host) => host.restartService(),
  },
  "d /run/xsnd-sound 0750 alice root -": { reason: NO_SERVER },
  'pulse.properties = { server.address = [ "unix:native" "unix:/run/xsnd-sound/native" ] }': {
    reason: NO_SERVER,
  },
  ".include /etc/pulse/default.pa": { reason: NO_SERVER },
  'pcm.desk { type pulse server "unix:/run/xsnd-sound/native" }': { reason: NO_SERVER },
  'name = "snd"': {
    reason: "a driver domain with Deno takes more memory than the lab has beside its guests",
  },
  "vsnd = [": { reason: "the card of a driver domain, which the lab has not (see above)" },
};

/** The first line of a block, without a comment at its end: the block's key in {@link NOT_IN_LAB}. */
export function firstLine({ text }: PageBlock): string {
  return text.split("\n", 1)[0]!.replace(/ {2,}#.*/, "");
}

/**
 * The lab's replacement of the reader's disk and bridge: the guest's root is the ramdisk, and its network card is the lab's link
 * to the guest. xl takes the last of two assignments, so these lines end the page's own file.
 */
const LAB_HARDWARE = '\ndisk = []\nvif = [ "script=/project/tests/xen/lab/dom0/vif" ]\n';

/** Prefix of a script: the environment of an administrator's shell on a host that has the package. */
const ADMINISTRATOR =
  "env --ignore-environment PATH=/usr/lib/xen-4.17/bin:/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8";

/** The page's Xen host, in the lab. */
class Host {
  #daemon: Daemon | undefined;
  #package: string | undefined;

  constructor(private readonly lab: Lab) {}

  /** Puts the package into the folder of `dpkg --install xsnd_*.deb`, and dom0's kernel at the paths of Debian's links. */
  async makePackage(): Promise<void> {
    this.#package = await makePackage({ output: this.lab.directory, fast: true });
    await this.lab.dom0.run(
      `cp /host/${basename(this.#package)} /root && ` +
        "cp /host/guest/6.1/vmlinuz /vmlinuz && cp /host/guest/6.1/initramfs.gz /initrd.img",
    );
  }

  /** Starts the daemon as the installed unit does, with the options of /etc/default/xsnd, and ends the previous daemon. */
  async restartService(): Promise<void> {
    await this.#endService();
    const unit = await this.lab.dom0.run("cat /lib/systemd/system/xsnd.service");
    const [, command, options] = /^ExecStart=(\S+) serve (.*)$/m.exec(unit)!;
    const added = await this.lab.dom0.run('. /etc/default/xsnd; echo "${XSND_SERVE-}"');
    assert.match(options!, /\$XSND_SERVE$/);
    this.#daemon = await Daemon.start(
      this.lab,
      options!.replace("$XSND_SERVE", added.trim()),
      `${ADMINISTRATOR} ${command}`,
    );
  }

  async #endService(): Promise<void> {
    if (this.#daemon === undefined) return;
    const daemon = this.#daemon;
    this.#daemon = undefined;
    assert.equal(await daemon.end(), 0, await daemon.log());
  }

  async run(block: PageBlock): Promise<void> {
    const { file, place, text, inLab } = block;
    say(`getting started: ${inLab ? "" : "(not in the lab) "}${firstLine(block)}`);
    if (!inLab) await NOT_IN_LAB[firstLine(block)]!.instead?.(this);
    else if (file !== undefined) await this.#write(file.path, file.append, text);
    else if (place === "guest") await (await this.#guest()).run(text, { timeout: 120 });
    else {
      await this.lab.dom0.run(`exec ${ADMINISTRATOR} sh -eu -c ${quote(text)}`, { timeout: 240 });
    }
  }

  async #write(path: string, append: boolean, text: string): Promise<void> {
    const content = path.startsWith("/etc/xen/") ? text + LAB_HARDWARE : text;
    await this.lab.dom0.run(`cat ${append ? ">>" : ">"}${quote(path)}`, { stdin: content });
  }

  /**
   * The page's guest, completed. Its image lacks speaker-test, which comes from dom0, the same Debian release. The kernel expects
   * poweroff at a path where busybox does not put it.
   */
  async #guest(): Promise<Guest> {
    const guest = await Guest.find(this.lab.dom0, "domU");
    await guest.put("/bin/speaker-test", await this.lab.dom0.get("/usr/bin/speaker-test"));
    await guest.run("chmod +x /bin/speaker-test; ln -sf /bin/poweroff /sbin/poweroff");
    return guest;
  }

  /** Removes the guest, the daemon, the package and the page's files, in any state. */
  async clear(): Promise<void> {
    await this.lab.dom0.attempt("xl destroy domU");
    await this.#endService().catch((error) => say(`getting started: ${error}`));
    await this.lab.dom0.attempt(
      "dpkg --purge xsnd; rm -rf /etc/xsnd /etc/xen/domU.cfg /root/xsnd_*.deb /vmlinuz /initrd.img /tmp/stutter.*",
      { timeout: 60 },
    );
    if (this.#package !== undefined) await Deno.remove(this.#package);
  }
}

/** Runs the block. If the block plays, asserts that the host's device plays meanwhile. */
async function runHeard(lab: Lab, host: Host, block: PageBlock): Promise<void> {
  if (!/speaker-test/.test(block.text)) return await host.run(block);
  const running = background(host.run(block));
  await until(
    lab.dom0,
    "grep -q RUNNING /proc/asound/card0/pcm0p/sub0/status",
    "the host's device to play what the guest plays",
    120,
  );
  await running;
}

/**
 * The last cases: they end the daemon of all cases.
 *
 * @param daemon that daemon; undefined if this case runs alone
 */
export function gettingStartedCases(bench: Bench, daemon: () => Daemon | undefined): void {
  bench.test("getting started: the page's own commands take a host from nothing to sound", async (lab) => {
    const host = new Host(lab);
    await daemon()?.end();
    try {
      for (const block of pageBlocks(await Deno.readTextFile(PAGE))) await runHeard(lab, host, block);
    } finally {
      await host.clear();
    }
  });
}
