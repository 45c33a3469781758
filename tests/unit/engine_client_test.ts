/** The main thread's handle on an engine: what is an engine's end, and what is not. */
import assert from "node:assert/strict";
import { addressOf } from "../../ffi/libc.ts";
import { EngineClient } from "../../lib/backend/engine_client.ts";
import { initSharedRing } from "../../lib/sndif/mod.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/card.ts";
import { withSandbox } from "../../lib/xen/embedded/sandbox.ts";
import { openXen } from "../../lib/xen/mod.ts";

const address = (page: Uint8Array<ArrayBuffer>) => String(Deno.UnsafePointer.value(addressOf(page)));

Deno.test("a stream that fails to take an event is not taken for the engine's end: nothing is given back", () =>
  withSandbox({ domains: [] }, async ({ directory }) => {
    using xen = await openXen({ sandbox: directory });
    using channels = xen.openEventChannels();
    await using engine = await EngineClient.start(channels.shareable);
    let ended = false;
    engine.ended.catch(() => {}).then(() => ended = true);
    const told = Promise.withResolvers<string>();
    const slot = engine.takeSlot((event) => {
      told.resolve(event.op);
      throw new Error("a defect");
    })!;
    const [ring, eventPage] = [new Uint8Array(4096), new Uint8Array(4096)];
    initSharedRing(ring.buffer);
    // More requests than a ring has: the engine says that it is broken.
    new Int32Array(ring.buffer)[0] = 1000;
    engine.post({
      op: "attach",
      slot,
      direction: "playback",
      allowed: DEFAULT_PARAMS,
      ring: address(ring),
      eventPage: address(eventPage),
      requestPort: 1,
      eventPort: 2,
      hold: "none",
      requests: 10_000,
      settings: { volume: 0, muted: false },
      trace: null,
    });
    assert.equal(await told.promise, "broken");
    await engine.ping();
    assert(!ended);
    let letGo = 0;
    await engine.detach(slot, () => letGo++);
    assert.equal(letGo, 1);
    assert.equal(engine.takeSlot(() => {}), slot, "it is free");
  }));
