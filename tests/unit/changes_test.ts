// SPDX-License-Identifier: MIT
/** Tests waiting for a stream to change: only a change wakes the waiter. */
import assert from "node:assert/strict";
import { Changes, countChange } from "../../lib/bridge/changes.ts";

const PATIENCE_MS = 20_000;
const never = new AbortController().signal;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("Changes.until() gives what is there already, and what a change brings", async () => {
  const changes = new Changes();
  assert.equal(await changes.until(() => "at once", PATIENCE_MS, never), "at once");
  let state = 0;
  const look = () => state > 0 ? state : undefined;
  const [first, second] = [1, 2].map(() => changes.until(look, PATIENCE_MS, never));
  await sleep(30);
  state = 7;
  changes.tell();
  assert.deepEqual(await Promise.all([first, second]), [7, 7]);
});

Deno.test("Changes.until() hears of what another thread changes", async () => {
  const changes = new Changes();
  const states = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL("../../lib/bridge/changes.ts", import.meta.url);
  const program = `import { countChange } from "${url}";
    self.onmessage = ({ data: [states, count] }) => {
      states[0] = 1;
      countChange(new Int32Array(count));
      self.close();
    };`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(program)}`, { type: "module" });
  const changed = changes.until(() => states[0]! > 0 ? states[0] : undefined, PATIENCE_MS, never);
  worker.postMessage([states, changes.shared]);
  assert.equal(await changed, 1);
  worker.terminate();
});

Deno.test("Changes.until() looks at nothing while nothing changes, and seldom while all does", async () => {
  const changes = new Changes();
  const gone = new AbortController();
  let looks = 0;
  const waiting = changes.until(() => void looks++, PATIENCE_MS, gone.signal);
  await sleep(200);
  assert.equal(looks, 1, "nobody polls");
  let told = 0;
  for (const end = performance.now() + 200; performance.now() < end;) {
    countChange(new Int32Array(changes.shared));
    if (++told % 100 === 0) await sleep(0);
  }
  assert(looks > 1 && looks < told / 10, `${looks} looks at ${told} changes`);
  gone.abort();
  assert.equal(await waiting, undefined);
});

Deno.test("Changes.until() ends with its time, with its client, and with what is wrong", async () => {
  const changes = new Changes();
  const nothing = () => undefined;
  assert.equal(await changes.until(nothing, 10, never), undefined);
  const gone = new AbortController();
  const waiting = changes.until(nothing, PATIENCE_MS, gone.signal);
  gone.abort();
  assert.equal(await waiting, undefined);
  assert.equal(await changes.until(nothing, PATIENCE_MS, gone.signal), undefined, "gone from the first");
  assert.equal(await changes.until(() => 1, PATIENCE_MS, gone.signal), 1, "it need not wait");
  const fail = () => {
    throw new RangeError("ambiguous");
  };
  await assert.rejects(changes.until(fail, PATIENCE_MS, never), RangeError);
  // A wait that has ended is not checked again.
  let looks = 0;
  const ended = new AbortController();
  const one = changes.until(() => void looks++, PATIENCE_MS, ended.signal);
  ended.abort();
  await one;
  const before = looks;
  let isDone = false;
  const other = changes.until(() => isDone || undefined, PATIENCE_MS, never);
  isDone = true;
  changes.tell();
  assert.equal(await other, true);
  assert.equal(looks, before);
});
