// SPDX-License-Identifier: MIT
/**
 * The lab: real Xen on an emulated machine, for tests that need real Xen.
 *
 * ```ts
 * await using lab = await Lab.boot({ cards: ["ac97"] });
 * console.log(await lab.dom0.run("xl info"));
 * await using guest = await lab.guest("g1", { kernel: "7" });
 * await guest.put("/tmp/a.wav", bytes);
 * await guest.run("aplay /tmp/a.wav", { timeout: 20 });
 * ```
 */
import { digest, exists, LabError, phase, run, say, shell } from "./command.ts";
import { Dom0 } from "./domain.ts";
import { Guest, type GuestOptions } from "./guest.ts";
import { buildImages, type Images } from "./images.ts";
import { Machine } from "./machine.ts";
import { type Arch, installHostTools } from "./packages.ts";
import type { Card, MachineOptions } from "./qemu.ts";

export type { Arch, Card, GuestOptions };

export interface LabOptions {
  /** The machine's architecture, emulated on every host; amd64 by default. */
  readonly arch?: Arch;
  /**
   * The machine's sound devices besides the loopback, `hw:5`, which every machine has. The default is an AC97, `hw:0`, on amd64,
   * and none on arm64, whose kernel has no driver for AC97.
   */
  readonly cards?: readonly Card[];
  readonly console?: MachineOptions["console"];
}

/** The project's tree; dom0 mounts it at /project. */
const project = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
const cache = `${project}/.cache/lab`;
/** The number of runs whose logs are kept. */
const keptRuns = 5;

/** A booted machine with Xen. Disposing it switches it off; its logs stay in {@link directory}. */
export class Lab implements AsyncDisposable {
  readonly dom0: Dom0;

  private constructor(
    readonly directory: string,
    private readonly machine: Machine,
    private readonly turn: Deno.FsFile,
  ) {
    this.dom0 = new Dom0(machine);
  }

  /** Builds the missing images, without a boot. */
  static async build(arch: Arch): Promise<void> {
    using _turn = await takeTurn();
    await prepare(arch);
  }

  /** Builds the missing images, boots, and waits until dom0 runs jobs. */
  static async boot(options: LabOptions = {}): Promise<Lab> {
    const { arch = "amd64", cards = arch === "amd64" ? ["ac97"] : [], console = "log" } = options;
    const turn = await takeTurn();
    try {
      const images = await prepare(arch);
      const directory = await runDirectory(images);
      say(`console log: ${directory}/console.log`);
      return await phase(`boot Xen and dom0 (${arch})`, async () => {
        const machine = await Machine.start({ arch, images, directory, project, cards, console });
        const lab = new Lab(directory, machine, turn);
        try {
          await machine.ready(300);
          if (cards.includes("ac97")) await lab.dom0.run("modprobe snd-intel8x0 index=0");
          await lab.dom0.run("modprobe snd-aloop index=5");
          return lab;
        } catch (error) {
          await machine[Symbol.asyncDispose]();
          throw lab.explain(error);
        }
      });
    } catch (error) {
      turn.close();
      throw error;
    }
  }

  /** Creates a guest. Its console's log is `guest-NAME.log` in {@link directory}. */
  guest(name: string, options?: GuestOptions): Promise<Guest> {
    return phase(`guest ${name}`, () => Guest.create(this.dom0, name, options));
  }

  /** Resolves when the machine is off, as after `poweroff` in dom0. */
  ended(): Promise<void> {
    return this.machine.ended();
  }

  /** `error` with `more` details, the path of the console's log, and its last lines. */
  explain(error: unknown, more = ""): LabError {
    const log = `${this.directory}/console.log`;
    const tail = Deno.readTextFileSync(log).trimEnd().split("\n").slice(-8).join("\n  ");
    const what = error instanceof LabError ? error.message : error instanceof Error ? error.stack : error;
    return new LabError(`${what}\n${more}--- end of ${log}\n  ${tail}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
    this.turn.close();
  }
}

/**
 * Waits until no other lab runs, and locks the cache. Two emulated machines at once spoil each other's sound, and two builds each
 * other's images.
 */
async function takeTurn(): Promise<Deno.FsFile> {
  await Deno.mkdir(cache, { recursive: true });
  const file = await Deno.open(`${cache}/lock`, { create: true, write: true });
  const slow = setTimeout(() => say("another lab is running; waiting for it to end"), 1000);
  await file.lock(true);
  clearTimeout(slow);
  return file;
}

/** Installs the host's missing tools, and builds the missing images. */
async function prepare(arch: Arch): Promise<Images> {
  await installHostTools(arch);
  return await buildImages(cache, arch);
}

/** Makes this run's folder, with the files that dom0 reads: guests' images, xsnd and Deno's dependencies. */
async function runDirectory(images: Images): Promise<string> {
  const runs = `${cache}/runs`;
  const directory = `${runs}/${new Date().toISOString().replaceAll(/[-:]|\..*/g, "")}-${Deno.pid}`;
  await Deno.mkdir(`${directory}/guest`, { recursive: true });
  const old = Array.from(Deno.readDirSync(runs), ({ name }) => name).sort().slice(0, -keptRuns);
  for (const name of old) {
    const running = await exists(`/proc/${name.split("-")[1]}`);
    if (!running) await Deno.remove(`${runs}/${name}`, { recursive: true });
  }
  for (const [kernel, folder] of Object.entries(images.guests)) {
    await shell('cp -rl "$1" "$2"', folder, `${directory}/guest/${kernel}`);
  }
  await Deno.link(await denoDirectory(), `${directory}/deno_dir.tar`);
  const program = ["cmd", "ffi", "lib", "fixtures", "main.ts", "xsnd", "deno.json", "deno.lock"];
  await run("tar", ["-cf", `${directory}/xsnd.tar`, "-C", project, ...program]);
  return directory;
}

/** The project's npm dependencies, as a tar file of a DENO_DIR that works without a network. */
async function denoDirectory(): Promise<string> {
  const inputs = [Deno.version.deno];
  for (const name of ["deno.json", "deno.lock"]) {
    if (await exists(`${project}/${name}`)) inputs.push(await Deno.readTextFile(`${project}/${name}`));
  }
  const tar = `${cache}/deno_dir-${await digest(inputs.join("\n"))}.tar`;
  if (!await exists(tar)) {
    await phase("fetch Deno's dependencies", async () => {
      const scratch = `${cache}/deno_dir.${Deno.pid}`;
      await run(Deno.execPath(), ["install", "--quiet"], { cwd: project, env: { DENO_DIR: scratch } });
      await shell(
        'rm -f "$1"/deno_dir-*.tar; tar -cf "$2.tar" -C "$2" .; mv "$2.tar" "$3"; rm -r "$2"',
        cache,
        scratch,
        tar,
      );
    });
  }
  return tar;
}
