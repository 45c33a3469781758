// SPDX-License-Identifier: MIT
/**
 * Guests that may have been restored with a PCM open: what they see of their backend's state. The lab restores guests with the stock
 * driver.
 */
import assert from "node:assert/strict";
import { cardPaths, restoredPath, XenbusState } from "../../lib/xenbus/mod.ts";
import { type Box, inBox, makeWav, until } from "./harness.ts";
import { destroyDomain, makeDomain } from "./toolstack.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000 };
const paths = (domid: number) => cardPaths({ domid, card: 0, backendDomid: 0 });

/** Makes a domain as libxl does, whose kernel has yet to run, with a card. */
async function makeGuest(
  box: Box,
  domid: number,
  name: string,
  vm = `/vm/${crypto.randomUUID()}`,
): Promise<void> {
  await makeDomain(box, domid, name);
  await box.xenstore("write", `/local/domain/${domid}/vm`, vm);
  await box.xenstore("write", `/local/domain/${domid}/control/feature-poweroff`, "");
  await box.provision(name, [{ type: "playback", device: "dummy:" }]);
}

const boots = (box: Box, domid: number) =>
  box.xenstore("write", `/local/domain/${domid}/control/feature-poweroff`, "1");

async function read(box: Box, path: string): Promise<string> {
  return (await box.xenstore("read", path)).trimEnd();
}

/** The states of the backend's node and of the one that the guest sees. */
async function states(box: Box, domid: number): Promise<number[]> {
  const { backend, frontend } = paths(domid);
  const seen = await read(box, `${frontend}/backend`);
  return [Number(await read(box, `${backend}/state`)), Number(await read(box, `${seen}/state`))];
}

const untilStates = (box: Box, domid: number, ...wanted: number[]) =>
  until(`${wanted}`, async () => String(await states(box, domid).catch(() => [])) === String(wanted));

const { InitWait, Connected, Closing } = XenbusState;

Deno.test("a guest that may have been restored sees Closing until its kernel has booted, and then what there is", () =>
  inBox(async (box) => {
    await makeGuest(box, 2, "guest");
    let daemon = await box.serve();
    await untilStates(box, 2, InitWait, Closing);
    assert.equal(await read(box, `${paths(2).frontend}/backend`), restoredPath(paths(2).backend));
    assert.match(await box.ok("provision", "guest", "-f", box.path("guest.yaml")), /unchanged/);
    await daemon.end("SIGKILL");
    daemon = await box.serve();
    await untilStates(box, 2, InitWait, Closing);
    await daemon.end("SIGTERM");
    assert.equal((await states(box, 2))[1], Closing);
    await box.serve();
    await untilStates(box, 2, InitWait, Closing);

    await boots(box, 2);
    await untilStates(box, 2, InitWait, InitWait);
    const wav = makeWav(box.path("in.wav"), { ...SOUND, frames: 2 * SOUND.rate });
    const playing = box.spawn("play", wav, "guest");
    await box.untilStream("guest/0/0/0", ({ state }) => state === "running");
    assert.deepEqual(await states(box, 2), [Connected, Connected]);
    assert.match(await box.ok("provision", "guest", "-f", box.path("guest.yaml")), /unchanged/);
    assert.equal((await playing.result).code, 0);
    await untilStates(box, 2, InitWait, InitWait);
  }));

Deno.test("a guest whose PCM was closed when it was saved is offered its card at once, and one whose PCM was open is not", () =>
  inBox(async (box) => {
    const vm = `/vm/${crypto.randomUUID()}`;
    const wav = makeWav(box.path("in.wav"), { ...SOUND, frames: 20 * SOUND.rate });
    await makeGuest(box, 2, "guest", vm);
    await boots(box, 2);
    await box.serve();
    for (const [domid, isOpen] of [[3, true], [4, false], [5, true]] as const) {
      const playing = box.spawn("play", wav, "guest");
      await box.untilStream("guest/0/0/0", ({ state }) => state === "running");
      if (!isOpen) {
        await playing.end("SIGINT");
        await box.untilStream("guest/0/0/0", ({ state }) => state === "detached");
      }
      await destroyDomain(box, domid - 1);
      await playing.end("SIGKILL");
      await makeGuest(box, domid, "guest", vm);
      await untilStates(box, domid, InitWait, isOpen ? Closing : InitWait);
      await boots(box, domid);
      await untilStates(box, domid, InitWait, InitWait);
    }
  }));
