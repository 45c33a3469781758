// SPDX-License-Identifier: MIT
/** Tests a change of device while the former device is lost: the session never closes the device that the engine uses. */
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import type { ChosenDevice } from "../../lib/daemon/stream/chosen_device.ts";
import { DeviceSession } from "../../lib/daemon/stream/device_session.ts";
import type { PcmDescriptor } from "../../lib/pcm/descriptor.ts";
import type { PcmRequest } from "../../lib/pcm/device.ts";

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const request = {} as PcmRequest;

/** A stream's work queue, and a device that numbers its opens. */
class Rig {
  #work = Promise.resolve();
  #opened = 0;
  readonly closed: number[] = [];
  /** The number of the open that the engine uses. */
  inUse = 1;
  readonly #device = {
    comesBack: true,
    open: () => {
      const card = ++this.#opened;
      const close = () => Promise.resolve(void this.closed.push(card));
      return Promise.resolve({ descriptor: card as unknown as PcmDescriptor, close });
    },
  };
  readonly card = new DeviceSession(
    getLogger(["xsnd", "stream"]),
    {
      device: this.#device,
      policy: { device: "hw:0,0", type: "capture" },
      change: () => Promise.resolve(true),
    } as unknown as ChosenDevice,
    (work) => this.enqueue(work),
    (pcm) => {
      this.inUse = pcm as unknown as number;
      return true;
    },
  );

  enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work);
  }

  async open(): Promise<void> {
    await this.card.open(request);
    this.card.use(request, false);
  }

  async done(): Promise<void> {
    await this.#work;
    this.card.leave();
  }
}

Deno.test("DeviceSession ends its look for a lost device when the host chooses another", async () => {
  const rig = new Rig();
  await rig.open();
  rig.card.lost();
  rig.enqueue(() => sleep(1500)); // stands for asking the engine to give the device back; the timer's look queues behind it
  rig.enqueue(() => rig.card.change());
  await sleep(1200);
  await rig.done();
  assert.deepEqual([rig.inUse, rig.closed], [2, [1]]);
});

Deno.test("DeviceSession keeps the chosen device open when the former one is lost at the same time", async () => {
  const rig = new Rig();
  await rig.open();
  rig.enqueue(() => sleep(50));
  rig.enqueue(() => rig.card.change());
  rig.card.lost();
  await rig.done();
  assert.deepEqual([rig.inUse, rig.closed], [2, [1]]);
});
