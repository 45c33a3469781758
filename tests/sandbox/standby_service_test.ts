// SPDX-License-Identifier: MIT
/** The two services of the package under a real systemd, and a guest that plays: which daemon serves, and which one stands by. */
import assert from "node:assert/strict";
import { SERVICE, STANDBY_SERVICE, standbyUnit } from "../../packaging/units.ts";
import { type Box, inBox, launcher, makeWav, Process, root, until } from "./harness.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000 };
const UNITS = [SERVICE, STANDBY_SERVICE];
/** The lines of a unit that a manager without a machine of its own can do, but for ExecStart=. */
const POSSIBLE =
  /^(\[|(After|PropagatesReloadTo|Type|NotifyAccess|ExecReload|Restart|RestartSec|WatchdogSec|WatchdogSignal|WantedBy)=)/;

/** The unit, to be run in the box. */
function inTheBox(unit: string, { environment }: Box, config: string): string {
  const lines = unit.split("\n").filter((line) => POSSIBLE.test(line));
  const variables = Object.entries({ ...environment, XSND_SERVE: `--config ${config}` })
    .map(([name, value]) => `Environment="${name}=${value}"`);
  const command = /^ExecStart=.*$/m.exec(unit)![0].replace("/usr/bin/xsnd", launcher);
  return lines.join("\n").replace("[Service]", ["[Service]", command, ...variables].join("\n"));
}

/** A systemd of the test's own. systemctl's `--user` talks to it. */
class Manager implements AsyncDisposable {
  private constructor(private readonly process: Process, private readonly env: Record<string, string>) {}

  static async start(box: Box, config: string): Promise<Manager> {
    const [home, runtime] = [box.path("home"), box.path("runtime")];
    const units = `${home}/.config/systemd/user`;
    Deno.mkdirSync(units, { recursive: true });
    Deno.mkdirSync(runtime, { mode: 0o700 });
    const unit = Deno.readTextFileSync(`${root}packaging/${SERVICE}`);
    Deno.writeTextFileSync(`${units}/${SERVICE}`, inTheBox(unit, box, config));
    Deno.writeTextFileSync(`${units}/${STANDBY_SERVICE}`, inTheBox(standbyUnit(unit), box, config));
    const env = { HOME: home, XDG_RUNTIME_DIR: runtime, DBUS_SESSION_BUS_ADDRESS: "" };
    // systemd runs for a user only where /run/systemd/system is: on a /run of its own.
    const script =
      "mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec /lib/systemd/systemd --user";
    const process = new Process("unshare", ["--mount", "--propagation=private", "sh", "-c", script], { env });
    const manager = new Manager(process, env);
    try {
      await until("systemd answers", async () => {
        assert(!process.ended, process.stderr);
        return (await manager.#systemctl("list-units")).code === 0;
      });
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    return manager;
  }

  #systemctl(...args: string[]) {
    return new Process("systemctl", ["--user", ...args], { env: this.env }).result;
  }

  async ctl(...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await this.#systemctl(...args);
    assert.equal(code, 0, `systemctl ${args.join(" ")}: ${stdout}${stderr}`);
  }

  /** The state of each unit, and the process of those that run. */
  async units(): Promise<{ state: string; pid: number; status: string }[]> {
    return await Promise.all(UNITS.map(async (unit) => {
      const { stdout } = await this.#systemctl("show", "--property=ActiveState,MainPID,StatusText", unit);
      const of = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(stdout)![1]!;
      return { state: of("ActiveState"), pid: Number(of("MainPID")), status: of("StatusText") };
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#systemctl("stop", ...UNITS);
    await this.process.end("SIGTERM");
  }
}

/** Waits until the daemon of the unit `serving` serves, and that of the other one stands by. */
async function untilServes(box: Box, manager: Manager, serving: string): Promise<void> {
  await until(`${serving} serves`, async () => {
    const units = await manager.units();
    const [one, other] = serving === SERVICE ? units : units.toReversed();
    const pid = await box.status().then(({ pid }) => pid, () => undefined);
    return pid === one!.pid && other!.state === "active" && other!.status === "standing by";
  });
}

Deno.test("under a real systemd a guest plays on over restarts, a kill and a reload of the two services, until a stop", () =>
  inBox(async (box) => {
    const config = box.path("guests.yaml");
    const configure = (denied: boolean) => {
      const cards = [{ pcms: [{ streams: [{ type: "playback", device: "dummy:", denied }] }] }];
      Deno.writeTextFileSync(config, JSON.stringify({ domains: { domU: { cards } } }));
    };
    configure(false);
    await using manager = await Manager.start(box, config);
    await manager.ctl("enable", STANDBY_SERVICE);
    await manager.ctl("start", SERVICE);
    await untilServes(box, manager, SERVICE);
    const wav = makeWav(box.path("in.wav"), { ...SOUND, frames: 60 * SOUND.rate });
    const playing = box.spawn("play", wav, "domU", "--period-frames", "2048", "--json");
    await box.untilStream("domU/0/0/0", ({ state }) => state === "running");

    // As the package's upgrade does.
    await manager.ctl("try-restart", SERVICE);
    await untilServes(box, manager, STANDBY_SERVICE);
    await manager.ctl("try-restart", STANDBY_SERVICE);
    await untilServes(box, manager, SERVICE);

    await manager.ctl("kill", "--signal=KILL", SERVICE);
    await untilServes(box, manager, STANDBY_SERVICE);
    // The daemon that serves is the other unit's.
    const before = JSON.stringify(await manager.units());
    configure(true);
    await manager.ctl("reload", SERVICE);
    await box.untilStream("domU/0/0/0", ({ denied, state }) => denied && state === "running");
    await until("a reload has ended neither", async () => JSON.stringify(await manager.units()) === before);

    const { code, stderr } = await playing.end("SIGINT");
    assert.deepEqual({ code, stderr }, { code: 130, stderr: "xsnd: interrupted\n" });
    await manager.ctl("stop", "xsnd*");
    assert.deepEqual((await manager.units()).map(({ state }) => state), ["inactive", "inactive"]);
  }));
