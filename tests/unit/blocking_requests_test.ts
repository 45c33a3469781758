// SPDX-License-Identifier: MIT
/** Tests what becomes of a request that the main thread works on when its guest's connection ends meanwhile. */
import assert from "node:assert/strict";
import { ERRNO } from "../../ffi/libc/errno.ts";
import { Changes } from "../../lib/bridge/changes.ts";
import type { EngineCommand } from "../../lib/bridge/messages.ts";
import type { LinkServices } from "../../lib/daemon/link/frontend_link.ts";
import { BlockingRequests } from "../../lib/daemon/stream/blocking_requests.ts";
import type { StreamConnection } from "../../lib/daemon/stream/stream_connection.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/model/card.ts";

/** A stream on a device that does not exist, and what its engine is told. */
class Rig {
  readonly told: EngineCommand[] = [];
  readonly connection = {
    slot: 3,
    engine: { post: (command: EngineCommand) => this.told.push(command) },
    endXrunLog() {},
    unmapBuffer() {},
  } as unknown as StreamConnection;
  readonly stream = {
    name: "domU/0/0/0",
    domid: 1,
    connection: this.connection as StreamConnection | undefined,
    detach: () => Promise.resolve(),
    hadXrun() {},
  };
  readonly requests = new BlockingRequests(
    this.stream,
    { type: "playback", uniqueId: "", device: "hw:31,7", effective: DEFAULT_PARAMS },
    {} as LinkServices,
    new Changes(),
  );
}

Deno.test("a query that fails is answered", async () => {
  const { requests, connection, told } = new Rig();
  requests.handle({ op: "query", slot: 3 }, connection);
  await requests.done;
  assert.deepEqual(told, [{ op: "respond", slot: 3, status: -ERRNO.ENODEV }]);
});

Deno.test("a query that fails after its connection has ended is not answered: another stream has the slot by then", async () => {
  const { requests, connection, stream, told } = new Rig();
  requests.handle({ op: "query", slot: 3 }, connection);
  stream.connection = undefined;
  await requests.done;
  assert.deepEqual(told, []);
});

Deno.test("an OPEN that fails in the engine is answered; what cannot go on since a former daemon is no request", async () => {
  const { requests, connection, told } = new Rig();
  requests.handle({ op: "resumeFailed", slot: 3, reason: "EMFILE" }, connection);
  await requests.done;
  assert.deepEqual(told, []);
  requests.handle({ op: "openFailed", slot: 3, reason: "EMFILE" }, connection);
  await requests.done;
  assert.deepEqual(told, [{ op: "respond", slot: 3, status: -ERRNO.EIO }]);
});
