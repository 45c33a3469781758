// SPDX-License-Identifier: MIT
/** `xsnd serve` as a service: the messages to its service manager, and the manager's watchdog. */
import assert from "node:assert/strict";
import { DatagramSender } from "../../ffi/libc/datagram.ts";
import { Box, inBox, makeWav, Process, until } from "./harness.ts";
import { ServiceManagerSocket } from "./service_manager.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 960_000 };

/** A box with a guest's playback stream, and a service manager for the daemon. */
async function inService(
  body: (box: Box, manager: ServiceManagerSocket) => Promise<void>,
  address = (box: Box) => box.path("notify"),
): Promise<void> {
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await using manager = await ServiceManagerSocket.listen(address(box));
    await body(box, manager);
  });
}

for (const [kind, address] of [["path", undefined], ["abstract", () => `@xsnd-${Deno.pid}`]] as const) {
  Deno.test(`serve tells its service manager when it is ready, what it does, and that it ends (${kind} address)`, () =>
    inService(async (box, manager) => {
      const daemon = box.spawnWith({ NOTIFY_SOCKET: manager.address }, "serve");
      await until("it is ready", () => manager.messages.length > 0);
      assert.deepEqual(manager.messages, ["READY=1 STATUS=1 stream, 0 running"]);
      assert.equal((await box.status()).streams.length, 1, "who is ready serves");
      const playing = box.spawn("play", makeWav(box.path("long.wav"), sound), STREAM);
      await until("it says so", () => manager.messages.at(-1) === "STATUS=1 stream, 1 running");
      await playing.end("SIGINT");
      await until("it says so", () => manager.messages.at(-1) === "STATUS=1 stream, 0 running");
      const { code, stderr } = await daemon.end("SIGTERM");
      assert.equal(code, 0, stderr);
      await until("it says so", () => manager.messages.at(-1) === "STOPPING=1 STATUS=ending");
      assert.equal(manager.signsOfLife, 0, "nobody asked for any");
    }, address));
}

Deno.test("serve that cannot be started is never ready", () =>
  inService(async (box, manager) => {
    await box.serve();
    const { code } = await box.spawnWith({ NOTIFY_SOCKET: manager.address }, "serve").result;
    assert.equal(code, 1);
    assert.deepEqual(manager.messages, []);
  }));

Deno.test("serve goes on, with a word, where nobody listens at NOTIFY_SOCKET, or where that is no address", () =>
  inBox(async (box) => {
    for (const address of [box.path("nobody"), "vsock:2:1234", `/${"x".repeat(200)}`]) {
      const { stderr } = await box.serveWith({ NOTIFY_SOCKET: address }).then((daemon) =>
        daemon.end("SIGTERM")
      );
      assert.equal(
        stderr.match(/warning: service: cannot notify the service manager: /g)?.length,
        1,
        stderr,
      );
    }
  }));

Deno.test("serve waits for no service manager that hangs, and tells it all once it reads again", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await using manager = await ServiceManagerSocket.listen(box.path("notify"), { hangs: true });
    using sender = new DatagramSender(manager.address);
    while (sender.send("full")) { /* there is room for another */ }
    const daemon = await box.serveWith({ NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "200000" });
    const playing = box.spawn("play", makeWav(box.path("long.wav"), sound), STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    assert.deepEqual(manager.messages, []);
    manager.goOn();
    await until("it is told", () => manager.messages.at(-1) === "STATUS=1 stream, 1 running");
    const told = manager.messages.filter((message) => message !== "full");
    assert.equal(told[0], "READY=1 STATUS=1 stream, 0 running");
    await until("it lives", () => manager.signsOfLife >= 3);
    await playing.end("SIGINT");
    assert.equal((await daemon.end("SIGTERM")).code, 0);
  }));

Deno.test("serve gives signs of life while its engine answers, and none while it hangs", () =>
  inBox(async (box) => {
    await using manager = await ServiceManagerSocket.listen(box.path("notify"));
    // The ALSA PCM writes its samples into a pipe that nobody reads. When the pipe is full, the engine hangs.
    const [pipe, alsa] = [box.path("pipe"), box.path("asound.conf")];
    await new Process("mkfifo", [pipe]).result;
    Deno.writeTextFileSync(
      alsa,
      `pcm.null { type file slave.pcm { type null } file "${pipe}" format raw }\n`,
    );
    await using _reader = new Process("sh", ["-c", 'exec sleep 600 <>"$0"', pipe]);
    await box.provision("domU", [{ type: "playback", device: "null" }]);
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "200000", ALSA_CONFIG_PATH: alsa };
    const daemon = await box.serveWith(env);
    await until("it lives", () => manager.signsOfLife >= 3);
    await using _playing = box.spawn("play", makeWav(box.path("long.wav"), sound), STREAM);
    await until("the engine hangs", () => /pipe/.test(ofEngine(daemon, "wchan")));
    await using other = await LivingDaemon.start(env.WATCHDOG_USEC);
    await other.lives(2); // time for a sign of life that was already under way
    const before = manager.signsOfLife;
    await other.lives(5);
    assert.equal(manager.signsOfLife, before);
    assert(!daemon.ended);
  }));

Deno.test("serve gives no signs of life that are asked of another process", () =>
  inService(async (box, manager) => {
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "50000", WATCHDOG_PID: "1" };
    await box.serveWith(env);
    await using other = await LivingDaemon.start(env.WATCHDOG_USEC);
    await other.lives(10);
    assert.equal(manager.signsOfLife, 0);
  }));

Deno.test("serve with nothing to do and no watchdog never wakes its engine up", () =>
  inService(async (box, manager) => {
    const daemon = await box.serveWith({ NOTIFY_SOCKET: manager.address });
    await box.untilStream(STREAM, ({ state }) => state === "detached");
    const wakeUps = () => wakeUpsOf(daemon);
    await using other = await LivingDaemon.start("200000");
    await other.lives(10);
    const [before, others] = [wakeUps(), wakeUpsOf(other.daemon)];
    await other.lives(30);
    assert(wakeUpsOf(other.daemon) >= others + 30, "a sign of life wakes the engine up");
    assert.equal(wakeUps(), before);
  }));

/** How often a daemon's engine has waited: its voluntary context switches. */
function wakeUpsOf(daemon: Process): number {
  return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(ofEngine(daemon, "status"))![1]);
}

/** A control daemon that gives signs of life: they show that another daemon, which gives none, had the time for some. */
class LivingDaemon implements AsyncDisposable {
  private constructor(
    readonly daemon: Process,
    private readonly manager: ServiceManagerSocket,
    private readonly stack: AsyncDisposableStack,
  ) {}

  /** @param micros the watchdog's timeout; the daemon gives two signs of life in this time */
  static async start(micros: string): Promise<LivingDaemon> {
    await using stack = new AsyncDisposableStack();
    const box = stack.use(await Box.start());
    const manager = stack.use(await ServiceManagerSocket.listen(box.path("notify")));
    const daemon = await box.serveWith({ NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: micros });
    return new LivingDaemon(daemon, manager, stack.move());
  }

  /** Waits until the daemon has given `count` more signs of life. */
  async lives(count: number): Promise<void> {
    const before = this.manager.signsOfLife;
    await until(`${count} signs of life`, () => this.manager.signsOfLife >= before + count);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

/** Reads a file of the engine's thread in /proc. */
function ofEngine({ pid }: Process, file: string): string {
  const threads = Array.from(
    Deno.readDirSync(`/proc/${pid}/task`),
    ({ name }) => `/proc/${pid}/task/${name}`,
  );
  const engine = threads.find((thread) => Deno.readTextFileSync(`${thread}/comm`) === "worker-1\n");
  return Deno.readTextFileSync(`${engine}/${file}`);
}
