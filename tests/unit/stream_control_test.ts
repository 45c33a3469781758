// SPDX-License-Identifier: MIT
/** Tests a stream that is taken from an engine which takes its time. */
import assert from "node:assert/strict";
import { Changes } from "../../lib/bridge/changes.ts";
import { GuestUse } from "../../lib/daemon/policy/guest_limits.ts";
import { OperatorNodes } from "../../lib/vsnd/nodes/operator_nodes.ts";
import { StreamControl, type StreamServices } from "../../lib/daemon/stream/stream_control.ts";
import { newRow } from "../../lib/daemon/stream/totals.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/model/card.ts";
import type { Store } from "../../lib/xen/ports.ts";

const DOMID = 1;

/** A stream of guest 1, its engine, and what of the guest's is mapped or bound. */
class Rig {
  held = 0;
  /** The engine lets go of the stream. */
  letGo: () => void = () => {};
  readonly #engine = {
    takeSlot: () => 0,
    status: () => newRow(),
    post: () => {},
    detach: (_slot: number, free: () => void) =>
      new Promise<void>((resolve) =>
        this.letGo = () => {
          free();
          resolve();
        }
      ),
  };
  readonly #channels = {
    bindInterdomain: () => ++this.held,
    unbind: () => void this.held--,
  };
  readonly stream = new StreamControl(
    { name: "domU/0", address: { domid: DOMID, card: 0, backendDomid: 0 }, domainHash: 0 },
    "0/0",
    { type: "playback", uniqueId: "pulse", device: "dummy:", effective: DEFAULT_PARAMS },
    {
      guests: new GuestUse(),
      grants: { map: () => this.#map() },
      engines: {
        changes: new Changes(),
        seat: () =>
          Promise.resolve({
            engine: this.#engine,
            channels: this.#channels,
            isShared: true,
            [Symbol.asyncDispose]: () => Promise.resolve(),
          }),
      },
    } as unknown as StreamServices,
    new OperatorNodes({ read: () => undefined } as unknown as Store, "/backend", "0/0"),
    newRow(),
  );

  #map() {
    this.held++;
    return { address: 0n, buffer: new ArrayBuffer(4096), [Symbol.dispose]: () => void this.held-- };
  }

  async connect(): Promise<void> {
    await this.stream.getReady();
    this.stream.attach({ ringRef: 1, evtRingRef: 2, eventChannel: 3, evtEventChannel: 4 });
  }
}

Deno.test("whoever detaches a stream that is being detached waits until the engine has let go of it", async () => {
  const rig = new Rig();
  await rig.connect();
  assert.equal(rig.held, 4);
  // The frontend is broken, and the card is shut down before the engine has answered.
  const first = rig.stream.detach();
  const heldAfterSecond = rig.stream.detach().then(() => rig.held);
  await new Promise((resolve) => setTimeout(resolve, 20));
  rig.letGo();
  await first;
  assert.deepEqual([await heldAfterSecond, rig.held], [0, 0]);
  // Nothing is left to be detached.
  await rig.stream.detach();
  await rig.stream[Symbol.asyncDispose]();
});
