// SPDX-License-Identifier: MIT
/** The daemon accepts four 32-bit numbers per stream from the guest, and refuses everything else. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readTransport, TransportError } from "../../lib/daemon/link/published.ts";
import type { StoreView } from "../../lib/xen/ports.ts";

const DIRECTORY = "/local/domain/1/device/vsnd/0/0/0";

/** A frontend directory that has exactly these nodes and is read-only. */
function directoryOf(nodes: Record<string, string | undefined>): StoreView {
  const refuse = () => assert.fail("readTransport() only reads");
  return {
    read: (path) => nodes[path.slice(DIRECTORY.length + 1)],
    write: refuse,
    mkdir: refuse,
    remove: refuse,
    list: refuse,
    getPermissions: refuse,
    setPermissions: refuse,
  };
}

/** Valid nodes, named as in sndif.h. */
const good = {
  "ring-ref": "8",
  "event-channel": "15",
  "evt-ring-ref": "4294967295",
  "evt-event-channel": "0",
};

Deno.test("readTransport() reads the four nodes of a stream", () => {
  assert.deepEqual(readTransport(directoryOf(good), DIRECTORY), {
    ringRef: 8,
    eventChannel: 15,
    evtRingRef: 4294967295,
    evtEventChannel: 0,
  });
});

Deno.test("readTransport() refuses a missing node, by name", () => {
  for (const name of Object.keys(good)) {
    assert.throws(
      () => readTransport(directoryOf({ ...good, [name]: undefined }), DIRECTORY),
      (error) => error instanceof TransportError && error.message === `${DIRECTORY}/${name} is missing`,
    );
  }
});

Deno.test("readTransport() takes nothing but decimal digits of 32 bits", () => {
  const bad = [
    "",
    " 8",
    "8 ",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "0x8",
    "4294967296",
    "99999999999",
    "\0",
    "８",
    "8\n9",
  ];
  for (const value of bad) {
    assert.throws(
      () => readTransport(directoryOf({ ...good, "event-channel": value }), DIRECTORY),
      TransportError,
    );
  }
  fc.assert(fc.property(fc.oneof(fc.string(), fc.bigInt().map(String)), (value) => {
    const read = () => readTransport(directoryOf({ ...good, "ring-ref": value }), DIRECTORY);
    if (/^[0-9]+$/.test(value) && BigInt(value) < 2n ** 32n && value.length <= 10) {
      assert.equal(read().ringRef, Number(value));
    } else assert.throws(read, TransportError);
  }));
});

Deno.test("readTransport() shows no more than a line of what a guest wrote, and no control characters", () => {
  const value = "\x1b[2J\n".repeat(800);
  assert.throws(
    () => readTransport(directoryOf({ ...good, "evt-ring-ref": value }), DIRECTORY),
    (error) =>
      error instanceof TransportError && error.message.length < 400 && !/\p{Cc}/u.test(error.message),
  );
});
