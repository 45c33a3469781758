// SPDX-License-Identifier: MIT
/** A reload that fails at any step keeps the previous policy. */
import assert from "node:assert/strict";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { XsndError } from "../../lib/base/error.ts";
import { reload, type Reloadable } from "../../lib/service/reload.ts";
import { StoreError } from "../../lib/xen/ports.ts";

interface Trial {
  read?: () => Promise<string>;
  apply?: () => Promise<string[]>;
}

/** Reloads. Returns the resulting policy, the policies applied, and the log. */
async function afterReload(
  { read = () => Promise.resolve("new"), apply = () => Promise.resolve([]) }: Trial,
) {
  const lines: string[] = [];
  const applied: string[] = [];
  const sink = (record: LogRecord) =>
    void lines.push(`${record.level}: ${record.message.map(String).join("")}`);
  await configure({
    sinks: { lines: sink },
    loggers: [
      { category: "xsnd", lowestLevel: "info", sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [] },
    ],
  });
  const reloadable: Reloadable<string> = {
    policy: "old",
    read,
    apply() {
      applied.push(this.policy);
      return this.policy === "new" ? apply() : Promise.resolve([]);
    },
  };
  try {
    await reload("F", reloadable);
  } finally {
    await reset();
  }
  return { policy: reloadable.policy, applied, log: lines.join("\n") };
}

Deno.test("reload() takes what is right", async () => {
  const { policy, applied, log } = await afterReload({ apply: () => Promise.resolve(["domU/0 is served"]) });
  assert.deepEqual([policy, applied, log], ["new", ["new"], "info: F is reloaded: domU/0 is served"]);
});

Deno.test("reload() takes any exception for a file that is not right, and goes on with what there was", async () => {
  const errors: [unknown, RegExp][] = [
    [
      new XsndError("no such thing"),
      /^error: F is refused; the former configuration stays in force: no such thing$/,
    ],
    [
      new RangeError("Maximum call stack size exceeded"),
      /refused.*RangeError: Maximum call stack.*\n +at /,
    ],
    [new TypeError("x is undefined"), /refused.*TypeError: x is undefined/],
    ["a text", /refused.*: a text$/],
  ];
  for (const [error, said] of errors) {
    const reading = await afterReload({ read: () => Promise.reject(error) });
    assert.deepEqual([reading.policy, reading.applied], ["old", []]);
    assert.match(reading.log, said);
    const applying = await afterReload({ apply: () => Promise.reject(error) });
    assert.deepEqual([applying.policy, applying.applied], ["old", ["new", "old"]]);
    assert.match(applying.log, said);
  }
});

Deno.test("reload() keeps what it has read while XenStore is away", async () => {
  const lost = new StoreError("read", "/x", "EPIPE");
  const { policy, applied, log } = await afterReload({ apply: () => Promise.reject(lost) });
  assert.deepEqual([policy, applied], ["new", ["new"]]);
  assert.match(log, /^warning: F is reloaded; cards follow when XenStore answers again$/);
});
