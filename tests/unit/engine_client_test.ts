// SPDX-License-Identifier: MIT
/** Tests the daemon's handle on an engine: which failures mean that the engine's thread has ended, and which do not. */
import assert from "node:assert/strict";
import { addressOf } from "../../ffi/libc/pointers.ts";
import { EngineClient } from "../../lib/daemon/engines/engine_client.ts";
import { MailboxReader } from "../../lib/bridge/mailbox.ts";
import type { EngineCommand } from "../../lib/bridge/messages.ts";
import { initSharedRing } from "../../lib/sndif/mod.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/model/card.ts";
import { TraceRing } from "../../lib/bridge/trace_ring.ts";
import { withSandbox } from "../../lib/xen/embedded/sandbox.ts";
import { openXen } from "../../lib/xen/mod.ts";

/** Where the trace records of all streams go. */
const records = new TraceRing();

/** The command that attaches a stream whose guest shares `ring` and `eventPage`. */
function attach(
  slot: number,
  ring: Uint8Array<ArrayBuffer>,
  eventPage: Uint8Array<ArrayBuffer>,
): EngineCommand {
  return {
    op: "attach",
    slot,
    domid: 1,
    direction: "playback",
    allowed: DEFAULT_PARAMS,
    ring: address(ring),
    eventPage: address(eventPage),
    requestPort: 1,
    eventPort: 2,
    hold: "none",
    requests: 10_000,
    moved: 128,
    settings: { volume: 0, muted: false },
    trace: records.address,
    kept: null,
    resumes: false,
  };
}

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
    // More requests than the ring holds: the engine reports a broken ring.
    new Int32Array(ring.buffer)[0] = 1000;
    engine.post(attach(slot, ring, eventPage));
    assert.equal(await told.promise, "broken");
    await engine.ping();
    assert(!ended);
    let letGo = 0;
    await engine.detach(slot, () => letGo++);
    assert.equal(letGo, 1);
    assert.equal(engine.takeSlot(() => {}), slot, "it is free");
  }));

Deno.test("an engine that cannot be understood any more is not taken for one that has ended: nothing is given back", () =>
  withSandbox({ domains: [] }, async ({ directory }) => {
    using xen = await openXen({ sandbox: directory });
    using channels = xen.openEventChannels();
    const engine = await EngineClient.start(channels.shareable);
    const slot = engine.takeSlot(() => {})!;
    const [ring, eventPage] = [new Uint8Array(4096), new Uint8Array(4096)];
    initSharedRing(ring.buffer);
    engine.post(attach(slot, ring, eventPage));
    await engine.ping();
    const { take } = MailboxReader.prototype;
    MailboxReader.prototype.take = () => {
      throw new SyntaxError("a defect");
    };
    try {
      engine.post({ op: "ping", ticket: 0 });
      await assert.rejects(engine.ended, /it cannot be understood: SyntaxError: a defect/);
    } finally {
      MailboxReader.prototype.take = take;
    }
    let isGone = false;
    engine.detach(slot, () => isGone = true);
    assert.equal(await engine.stop(), false, "nobody has said that the thread has ended");
    assert(!isGone, "what the engine may still touch was given back");
  }));

Deno.test("an engine that has failed uses nothing any more: what waits for it goes on, and what it held is given back", () =>
  withSandbox({ domains: [] }, async ({ directory }) => {
    using xen = await openXen({ sandbox: directory });
    using channels = xen.openEventChannels();
    const engine = await EngineClient.start(channels.shareable);
    const slot = engine.takeSlot(() => {})!;
    let isGone = false;
    const failed = assert.rejects(engine.ended, /the engine has failed: TypeError/);
    engine.post(null as unknown as EngineCommand);
    const waits = engine.setHold(slot, "paused");
    const detached = engine.detach(slot, () => isGone = true);
    await Promise.all([failed, waits, detached]);
    assert(isGone);
    await engine.setHold(slot, "paused");
    assert.equal(await engine.stop(), true);
  }));
