// SPDX-License-Identifier: MIT
/** lib/sndif/event_page.ts: the producer, against both generations of frontend and against a malicious frontend. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type EventIdBehaviour,
  EventPageConsumer,
  EventPageProducer,
  eventSlotOffset,
  EventView,
  positionHigh,
  positionLow,
  Taken,
  XENSND_EVENT_PAGE_SIZE,
  XENSND_EVT_CUR_POS,
  XENSND_IN_RING_LEN,
} from "../../lib/sndif/mod.ts";

const IN_CONS = 0, IN_PROD = 1;

/** An event page at an offset into a buffer, as if `index` events had passed. */
function pageAt(index: number) {
  const buffer = new ArrayBuffer(2 * XENSND_EVENT_PAGE_SIZE);
  const words = new Uint32Array(buffer, XENSND_EVENT_PAGE_SIZE, 16);
  words[IN_CONS] = words[IN_PROD] = index;
  return { buffer, words, producer: new EventPageProducer(buffer, XENSND_EVENT_PAGE_SIZE) };
}

/** A consumer that connected to a fresh page, `index` events ago. */
function consumerAt(buffer: ArrayBuffer, index: number, behaviour: EventIdBehaviour): EventPageConsumer {
  const consumer = new EventPageConsumer(buffer, XENSND_EVENT_PAGE_SIZE, behaviour);
  // linux-6.1 counts event ids from the page's creation on. Replaying the events brings its expected id up to date.
  const words = new Uint32Array(buffer, XENSND_EVENT_PAGE_SIZE, 2);
  assert(index < 2 ** 16 * 2);
  for (let at = 0; at !== index;) {
    at = Math.min(index, at + XENSND_IN_RING_LEN);
    words[IN_PROD] = at;
    while (consumer.take(new EventView()) === Taken.one);
  }
  assert.equal(words[IN_CONS], index);
  return consumer;
}

const publish = (producer: EventPageProducer, position: number): boolean =>
  producer.publishCurPos(positionLow(position), positionHigh(position));

const behaviours: EventIdBehaviour[] = ["linux-6.1", "linux-7.2"];
const drain = (consumer: EventPageConsumer): number[] => {
  const event = new EventView();
  const positions: number[] = [];
  while (consumer.take(event) === Taken.one) {
    assert.equal(event.type, XENSND_EVT_CUR_POS);
    positions.push(event.position);
  }
  return positions;
};

for (const behaviour of behaviours) {
  Deno.test(`publishCurPos() reaches a ${behaviour} frontend once a position, over any number of opens`, () => {
    const mostlyTrue = fc.integer({ min: 0, max: 40 }).map((n) => n > 0);
    const open = fc.array(mostlyTrue, { maxLength: 150, size: "max" });
    const start = fc.oneof(fc.constant(0), fc.integer({ min: 2 ** 16 - 200, max: 2 ** 16 + 5 }));
    fc.assert(
      fc.property(start, fc.array(open, { minLength: 1, maxLength: 4, size: "max" }), (index, opens) => {
        const { buffer } = pageAt(0);
        const consumer = consumerAt(buffer, index, behaviour);
        const producer = new EventPageProducer(buffer, XENSND_EVENT_PAGE_SIZE);
        for (const steps of opens) {
          consumer.pcmOpened();
          producer.opened();
          let position = 0;
          let expected: number[] = [];
          for (const really of steps) {
            position += 4096;
            if (!really) {
              assert.deepEqual(drain(consumer), expected);
              expected = [];
            } else if (publish(producer, position)) expected.push(position);
            else assert(expected.length >= Math.floor(XENSND_IN_RING_LEN / 2), "full only when it is");
          }
          assert.deepEqual(drain(consumer), expected);
        }
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("publishCurPos() publishes once while the base is a multiple of 2^16, and twice otherwise", () => {
  for (
    const [base, slots] of [[0, 1], [1, 2], [2 ** 16 - 1, 2], [2 ** 16, 1], [2 ** 32 - 2 ** 16, 1], [
      2 ** 32 - 1,
      2,
    ]]
  ) {
    const { producer, words } = pageAt(base!);
    producer.opened();
    assert.equal(producer.base, base);
    assert.equal(publish(producer, 1), true);
    assert.equal((producer.inProd - base!) >>> 0, slots);
    assert.equal(words[IN_PROD], producer.inProd);
  }
});

Deno.test("publishCurPos() publishes all or nothing, and takes no id for nothing", () => {
  for (const base of [0, 1]) {
    const { buffer, words, producer } = pageAt(base);
    producer.opened();
    const slots = base === 0 ? 1 : 2;
    const fit = Math.floor(XENSND_IN_RING_LEN / slots);
    for (let i = 1; i <= fit; i++) assert.equal(publish(producer, i), true);
    const before = new Uint8Array(buffer.slice());
    for (let i = 0; i < 3; i++) assert.equal(publish(producer, 1000), false);
    assert.deepEqual(new Uint8Array(buffer), before, "a refusal leaves no trace");
    assert.equal(producer.frontendBroken, false);

    words[IN_CONS]! += slots;
    assert.equal(publish(producer, 1000), true);
    const ids = Array.from(
      { length: slots },
      (_, i) =>
        new DataView(buffer, XENSND_EVENT_PAGE_SIZE + eventSlotOffset(producer.inProd - slots + i)).getUint16(
          0,
          true,
        ),
    );
    assert.deepEqual(ids, base === 0 ? [fit] : [base + 2 * fit, 2 * fit + 1]);
  }
});

Deno.test("publishCurPos() never overwrites an unread event, also where the index wraps", () => {
  // Indices 2^32-4 .. 2^32-1 and 0 .. 3 share slots, although they are less than 63 apart.
  const index = fc.integer({ min: 2 ** 32 - 2 * XENSND_IN_RING_LEN, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(
      index,
      fc.boolean(),
      fc.array(fc.constantFrom(0, 0, 0, 1, 2, 5), { maxLength: 300, size: "max" }),
      (start, twice, steps) => {
        const { buffer, words, producer } = pageAt(start);
        if (twice) producer.opened();
        const view = new DataView(buffer, XENSND_EVENT_PAGE_SIZE);
        const unread: { at: number; id: number; position: number }[] = [];
        let position = 0;
        for (const consume of steps) {
          const before = producer.inProd;
          if (publish(producer, ++position)) {
            for (let i = before; i !== producer.inProd; i = (i + 1) >>> 0) {
              const at = eventSlotOffset(i);
              assert(unread.every((event) => event.at !== at), "the slot was free");
              unread.push({ at, id: view.getUint16(at, true), position });
            }
          }
          for (const { at, id, position } of unread) {
            assert.equal(view.getUint16(at, true), id);
            assert.equal(view.getUint32(at + 8, true), position);
          }
          const count = Math.min(consume, unread.length);
          unread.splice(0, count);
          words[IN_CONS]! += count;
        }
        assert.equal(producer.frontendBroken, false);
      },
    ),
  );
});

Deno.test("publishCurPos() gets across the wrap when the frontend keeps reading, in either way", () => {
  const { words, producer } = pageAt(2 ** 32 - 5);
  producer.opened();
  for (let position = 1; position < 20; position++) {
    assert.equal(publish(producer, position), true);
    words[IN_CONS] = words[IN_PROD]!;
  }
  assert.equal(producer.inProd, 38 - 5);
});

Deno.test("publishCurPos() survives any in_cons, and says so when it cannot be", () => {
  fc.assert(fc.property(fc.integer(), fc.integer(), (start, inCons) => {
    const { words, producer } = pageAt(start >>> 0);
    words[IN_CONS] = inCons;
    const ahead = (start - inCons) >>> 0;
    const published = publish(producer, 2 ** 53 - 1);
    assert.equal(producer.frontendBroken, ahead > XENSND_IN_RING_LEN);
    if (ahead > XENSND_IN_RING_LEN) assert.equal(published, false);
    assert.equal(words[IN_PROD], producer.inProd);
  }));
});

Deno.test("EventPageConsumer passes over a wrong id and expects the next one all the same, as Linux does", () => {
  const { buffer, producer } = pageAt(0);
  const consumer = new EventPageConsumer(buffer, XENSND_EVENT_PAGE_SIZE, "linux-6.1");
  for (let i = 1; i <= 3; i++) publish(producer, i);
  new DataView(buffer, XENSND_EVENT_PAGE_SIZE).setUint16(eventSlotOffset(1), 0xdead, true);
  assert.deepEqual(drain(consumer), [1, 3]);
  assert.equal(consumer.dropped, 1);
});

Deno.test("a backend that counts from 0 is heard by linux-6.1 for ever and by linux-7.2 until its second open", () => {
  for (const behaviour of behaviours) {
    const { buffer, producer } = pageAt(0);
    const consumer = new EventPageConsumer(buffer, XENSND_EVENT_PAGE_SIZE, behaviour);
    consumer.pcmOpened(); // and no producer.opened()
    publish(producer, 1);
    assert.deepEqual(drain(consumer), [1]);
    consumer.pcmOpened();
    publish(producer, 2);
    assert.deepEqual(drain(consumer), behaviour === "linux-6.1" ? [2] : []);
  }
});

Deno.test("EventPageConsumer.pcmOpened() of linux-7.2 forgets what was not read; linux-6.1 reads it", () => {
  for (const behaviour of behaviours) {
    const { buffer, words, producer } = pageAt(0);
    const consumer = new EventPageConsumer(buffer, XENSND_EVENT_PAGE_SIZE, behaviour);
    publish(producer, 1);
    consumer.pcmOpened();
    assert.deepEqual(drain(consumer), behaviour === "linux-6.1" ? [1] : []);
    assert.equal(words[IN_CONS], 1);
  }
});

Deno.test("EventPageConsumer.take() reports an in_prod more than a page ahead", () => {
  const { buffer, words } = pageAt(0);
  const consumer = new EventPageConsumer(buffer, XENSND_EVENT_PAGE_SIZE, "linux-6.1");
  words[IN_PROD] = XENSND_IN_RING_LEN + 1;
  assert.equal(consumer.take(new EventView()), Taken.broken);
});

Deno.test("positions up to 2^53 - 1 survive the two halves", () => {
  const position = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 2 ** 32 - 3, max: 2 ** 32 + 3 }));
  fc.assert(fc.property(position, (position) => {
    const { buffer, producer } = pageAt(0);
    publish(producer, position);
    const consumer = new EventPageConsumer(buffer, XENSND_EVENT_PAGE_SIZE, "linux-6.1");
    assert.deepEqual(drain(consumer), [position]);
  }));
});
