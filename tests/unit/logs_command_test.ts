// SPDX-License-Identifier: MIT
/** The answer to `logs` on the control socket, of a log that grows while the client reads. */
import assert from "node:assert/strict";
import { answerCommand, type Commanded } from "../../lib/daemon/control_commands.ts";
import type { LogLines } from "../../lib/control/protocol.ts";
import { LogTail } from "../../lib/log/log_tail.ts";

function setUp(lines: number) {
  const log = new LogTail();
  const push = (count: number) => {
    for (let i = 0; i < count; i++) {
      const message = [`line ${log.count}`];
      const rest = { rawMessage: "", properties: {}, timestamp: 0 };
      log.push({ category: ["xsnd"], level: "info", message, ...rest });
    }
  };
  push(lines);
  const gone = new AbortController();
  const ask = async (follow: boolean) => {
    const commanded = { log } as unknown as Commanded;
    const answer = await answerCommand(commanded, { command: "logs", follow }, gone.signal);
    return answer as AsyncGenerator<LogLines>;
  };
  return { push, ask, gone };
}

const next = async (parts: AsyncGenerator<LogLines>) => (await parts.next()).value as LogLines;

Deno.test("logs tells all lines that are kept, in several responses, and the last one says so", async () => {
  for (const count of [0, 1, 20, 21, 1000]) {
    const { ask } = setUp(count);
    const parts = [];
    for await (const part of await ask(false)) parts.push(part);
    const told = parts.flatMap(({ lines }) => lines.map(({ message }) => message));
    assert.deepEqual(told, Array.from({ length: count }, (_, i) => `line ${i}`));
    assert.deepEqual(parts.map(({ more }) => more), parts.map((_, i) => i < parts.length - 1));
    assert(parts.every(({ lost }) => lost === undefined));
  }
});

Deno.test("logs says how many lines a slow client has missed, and goes on with the next ones", async () => {
  const { push, ask, gone } = setUp(1);
  const parts = await ask(true);
  assert.deepEqual((await next(parts)).lines.map(({ message }) => message), ["line 0"]);
  push(1500);
  const { lines, lost } = await next(parts);
  assert.deepEqual([lost, lines[0]!.message], [500, "line 501"]);
  while ((await next(parts)).more);
  push(2);
  const last = await next(parts);
  assert.deepEqual([last.lost, last.lines.map(({ message }) => message)], [undefined, [
    "line 1501",
    "line 1502",
  ]]);
  gone.abort();
  assert.equal((await parts.next()).done, true);
});
