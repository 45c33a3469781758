// SPDX-License-Identifier: MIT
/**
 * The contract of the Xen ports: test cases that every implementation must pass, for any harness to run. The unit tests run
 * them on the embedded Xen, the lab on the real Xen, where both ends may be dom0. The speed of events does not matter: a
 * case waits for what must happen, and gives what must not happen a moment to occur.
 */
import assert from "node:assert/strict";
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { adoptEventChannels } from "../../lib/xen/mod.ts";
import {
  EventChannelError,
  type EventChannels,
  GrantError,
  type GrantSharer,
  type GrantTable,
  type Xen,
  XEN_PAGE_SIZE,
} from "../../lib/xen/ports.ts";

/** Both ends. The backend maps the frontend's grants and binds to the frontend's ports. */
export interface XenPair {
  readonly backend: Xen;
  readonly frontend: Xen;
}

export interface ContractCase {
  readonly name: string;
  run(pair: XenPair): void | Promise<void>;
}

const WORDS = XEN_PAGE_SIZE / 4;
const PATIENCE_MS = 5000;
const MOMENT_MS = 30;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for the next port with an event. */
async function arrival(channels: EventChannels): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const port = channels.pending();
    if (port !== -1) return port;
    await sleep(1);
  }
  throw new Error(`no event within ${PATIENCE_MS} ms`);
}

async function silence(channels: EventChannels): Promise<void> {
  await sleep(MOMENT_MS);
  assert.equal(channels.pending(), -1, "an event that nobody made");
}

/** Takes all pending events. Binding raises an event at the binder's end, since earlier events may be lost. */
async function settle(channels: EventChannels): Promise<void> {
  await sleep(MOMENT_MS);
  for (let port; (port = channels.pending()) !== -1;) channels.unmask(port);
}

interface Grants {
  readonly table: GrantTable;
  readonly sharer: GrantSharer;
  readonly pair: XenPair;
}

function grantCase(name: string, body: (grants: Grants) => void): ContractCase {
  return {
    name: `grants: ${name}`,
    run(pair) {
      using table = pair.backend.openGrantTable();
      using sharer = pair.frontend.openGrantSharer();
      body({ table, sharer, pair });
    },
  };
}

interface Channels {
  readonly back: EventChannels;
  readonly front: EventChannels;
  /** The frontend's and the backend's end of a bound pair, without pending events. */
  readonly frontPort: number;
  readonly backPort: number;
  readonly pair: XenPair;
}

function channelCase(name: string, body: (channels: Channels) => Promise<void>): ContractCase {
  return {
    name: `event channels: ${name}`,
    async run(pair) {
      using back = pair.backend.openEventChannels();
      using front = pair.frontend.openEventChannels();
      const frontPort = front.bindUnbound(pair.backend.domid);
      const backPort = back.bindInterdomain(pair.frontend.domid, frontPort);
      await settle(back);
      await settle(front);
      await body({ back, front, frontPort, backPort, pair });
    },
  };
}

export const grantContract: readonly ContractCase[] = [
  grantCase("granted pages are zeroed, and both ends see what either writes", ({ table, sharer, pair }) => {
    using shared = sharer.share(pair.backend.domid, 3, "write");
    assert.deepEqual([shared.pages, shared.grefs.length, shared.buffer.byteLength], [
      3,
      3,
      3 * XEN_PAGE_SIZE,
    ]);
    using mapping = table.map(pair.frontend.domid, shared.grefs, "write");
    const [ours, theirs] = [new Int32Array(mapping.buffer), new Int32Array(shared.buffer)];
    assert.ok(ours.every((word) => word === 0));
    Atomics.store(theirs, WORDS + 5, 42);
    Atomics.store(ours, 2 * WORDS, 43);
    assert.deepEqual([Atomics.load(ours, WORDS + 5), Atomics.load(theirs, 2 * WORDS)], [42, 43]);
  }),

  grantCase("map() puts the pages side by side, in the order asked for", ({ table, sharer, pair }) => {
    using shared = sharer.share(pair.backend.domid, 4, "write");
    const theirs = new Int32Array(shared.buffer);
    shared.grefs.forEach((gref, page) => Atomics.store(theirs, page * WORDS, gref));
    const order = [3, 0, 2, 1].map((page) => shared.grefs[page]!);
    using mapping = table.map(pair.frontend.domid, order, "write");
    const ours = new Int32Array(mapping.buffer);
    assert.deepEqual(order.map((_, page) => Atomics.load(ours, page * WORDS)), order);
    const pointer = Deno.UnsafePointer.create(mapping.address + BigInt(2 * XEN_PAGE_SIZE))!;
    assert.equal(new Deno.UnsafePointerView(pointer).getInt32(), order[2]);
  }),

  grantCase("pages granted at different times map as one", ({ table, sharer, pair }) => {
    using one = sharer.share(pair.backend.domid, 2, "write");
    using _between = sharer.share(pair.backend.domid, 1, "write");
    using two = sharer.share(pair.backend.domid, 2, "write");
    new Int32Array(two.buffer)[WORDS] = 7;
    using mapping = table.map(pair.frontend.domid, [...one.grefs, ...two.grefs], "read");
    assert.equal(new Int32Array(mapping.buffer)[3 * WORDS], 7);
  }),

  grantCase(
    "what was not granted cannot be mapped, nor can a list that holds it",
    ({ table, sharer, pair }) => {
      using shared = sharer.share(pair.backend.domid, 2, "write");
      const revoked = sharer.share(pair.backend.domid, 1, "write");
      revoked[Symbol.dispose]();
      for (const grefs of [revoked.grefs, [...shared.grefs, ...revoked.grefs], [0x3fffffff], [-1], []]) {
        assert.throws(() => table.map(pair.frontend.domid, grefs, "write"), GrantError, `[${grefs}]`);
      }
      using mapping = table.map(pair.frontend.domid, shared.grefs, "write");
      assert.equal(mapping.pages, 2, "the failures have spoilt nothing");
    },
  ),

  grantCase("what was granted for reading cannot be mapped for writing", ({ table, sharer, pair }) => {
    using shared = sharer.share(pair.backend.domid, 1, "read");
    assert.throws(() => table.map(pair.frontend.domid, shared.grefs, "write"), GrantError);
    new Int32Array(shared.buffer)[1] = 5;
    using mapping = table.map(pair.frontend.domid, shared.grefs, "read");
    assert.equal(new Int32Array(mapping.buffer)[1], 5);
  }),

  grantCase("disposing detaches the buffer; doing it again does nothing", ({ table, sharer, pair }) => {
    const shared = sharer.share(pair.backend.domid, 1, "write");
    const mapping = table.map(pair.frontend.domid, shared.grefs, "write");
    const words = new Int32Array(mapping.buffer);
    for (const pages of [mapping, mapping, shared, shared]) pages[Symbol.dispose]();
    assert.deepEqual([mapping.buffer.detached, shared.buffer.detached, words.length], [true, true, 0]);
    assert.throws(() => Atomics.load(words, 0), TypeError);
  }),

  grantCase(
    "a page that the peer still has mapped outlives its grant, and is nobody else's",
    ({ table, sharer, pair }) => {
      const shared = sharer.share(pair.backend.domid, 1, "write");
      using mapping = table.map(pair.frontend.domid, shared.grefs, "write");
      shared[Symbol.dispose]();
      const words = new Int32Array(mapping.buffer);
      words.fill(1);
      using later = sharer.share(pair.backend.domid, 1, "write");
      new Int32Array(later.buffer).fill(2);
      assert.ok(words.every((word) => word === 1));
    },
  ),

  grantCase("the table's and the sharer's end is their pages' end", ({ pair }) => {
    const sharer = pair.frontend.openGrantSharer();
    const table = pair.backend.openGrantTable();
    const shared = sharer.share(pair.backend.domid, 1, "write");
    const mapping = table.map(pair.frontend.domid, shared.grefs, "write");
    table[Symbol.dispose]();
    sharer[Symbol.dispose]();
    assert.ok(mapping.buffer.detached && shared.buffer.detached);
  }),
];

export const eventChannelContract: readonly ContractCase[] = [
  channelCase("an event travels both ways", async ({ back, front, backPort, frontPort }) => {
    assert.equal(back.notify(backPort), 0);
    assert.equal(await arrival(front), frontPort);
    assert.equal(front.notify(frontPort), 0);
    assert.equal(await arrival(back), backPort);
    await silence(front);
    await silence(back);
  }),

  channelCase(
    "a port is masked from its event on, until it is unmasked",
    async ({ back, front, backPort, frontPort }) => {
      back.notify(backPort);
      assert.equal(await arrival(front), frontPort);
      for (let times = 0; times < 3; times++) back.notify(backPort);
      await silence(front);
      assert.equal(front.unmask(frontPort), 0);
      assert.equal(await arrival(front), frontPort, "what came meanwhile comes now, as one");
      assert.equal(front.unmask(frontPort), 0);
      await silence(front);
      back.notify(backPort);
      assert.equal(await arrival(front), frontPort);
    },
  ),

  channelCase(
    "the descriptor is readable exactly while there is an event",
    async ({ back, front, backPort, frontPort }) => {
      const set = new PollSet(1);
      set.add(front.fd, POLL.IN);
      assert.equal(set.wait(0), 0);
      back.notify(backPort);
      assert.equal(set.wait(PATIENCE_MS), 1);
      assert.equal(set.revents(0) & POLL.IN, POLL.IN);
      assert.equal(await arrival(front), frontPort);
      assert.equal(set.wait(MOMENT_MS), 0);
    },
  ),

  channelCase("ports of one handle are told apart", async ({ back, front, backPort, frontPort, pair }) => {
    const second = front.bindUnbound(pair.backend.domid);
    const secondBack = back.bindInterdomain(pair.frontend.domid, second);
    await settle(back);
    assert.notEqual(second, frontPort);
    back.notify(secondBack);
    assert.equal(await arrival(front), second);
    back.notify(backPort);
    assert.equal(await arrival(front), frontPort, "the other one's mask is its own");
  }),

  channelCase(
    "a port can be bound to only by the domain that it was made for, and once",
    ({ back, pair, frontPort }) => {
      assert.throws(
        () => back.bindInterdomain(pair.frontend.domid, frontPort),
        EventChannelError,
        "bound already",
      );
      using other = pair.frontend.openEventChannels();
      const forAnother = other.bindUnbound(pair.backend.domid + 77);
      for (const port of [forAnother, 0, -1, 3999, 0x7fffffff]) {
        assert.throws(() => back.bindInterdomain(pair.frontend.domid, port), EventChannelError, String(port));
      }
      assert.throws(() => back.bindInterdomain(32000, 1), EventChannelError, "no such domain");
      return Promise.resolve();
    },
  ),

  channelCase(
    "after unbind() the peer speaks to nobody, and its port can be bound to again",
    async (channels) => {
      const { back, front, backPort, frontPort, pair } = channels;
      back.unbind(backPort);
      assert.equal(back.notify(backPort), -1);
      assert.throws(() => back.unbind(backPort), EventChannelError);
      assert.equal(front.notify(frontPort), 0);
      await silence(back);
      const again = back.bindInterdomain(pair.frontend.domid, frontPort);
      await settle(back);
      front.notify(frontPort);
      assert.equal(await arrival(back), again);
    },
  ),

  channelCase("closing a handle unbinds its ports", async ({ back, front, frontPort, pair }) => {
    const closed = pair.backend.openEventChannels();
    const port = front.bindUnbound(pair.backend.domid);
    closed.bindInterdomain(pair.frontend.domid, port);
    closed[Symbol.dispose]();
    closed[Symbol.dispose]();
    assert.equal(front.notify(port), 0);
    const again = back.bindInterdomain(pair.frontend.domid, port);
    await settle(back);
    front.notify(port);
    assert.equal(await arrival(back), again);
    assert.notEqual(port, frontPort);
  }),

  channelCase("a handle does not have another's ports", ({ front, frontPort, pair }) => {
    using other = pair.frontend.openEventChannels();
    assert.equal(other.notify(frontPort), -1);
    assert.throws(() => other.unbind(frontPort), EventChannelError);
    assert.deepEqual([-1, 0, 1e9].map((port) => other.notify(port)), [-1, -1, -1]);
    assert.equal(front.notify(frontPort), 0);
    return Promise.resolve();
  }),

  channelCase(
    "an adopted handle is the same handle, and its end is not",
    async ({ back, front, backPort, frontPort }) => {
      {
        using adopted = await adoptEventChannels(front.shareable);
        assert.equal(adopted.fd, front.fd);
        back.notify(backPort);
        assert.equal(await arrival(adopted), frontPort);
        assert.equal(adopted.unmask(frontPort), 0);
        assert.equal(adopted.notify(frontPort), 0);
        assert.equal(await arrival(back), backPort);
        back.unmask(backPort);
      }
      back.notify(backPort);
      assert.equal(await arrival(front), frontPort);
    },
  ),
];
