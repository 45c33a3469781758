// SPDX-License-Identifier: MIT
/** Tests the getting-started page: the lab runs each code block, or a reason says why not. */
import assert from "node:assert/strict";
import { pageBlocks } from "../tools/page_blocks.ts";
import { firstLine, NOT_IN_LAB, PAGE } from "../xen/cases/getting_started.ts";

const blocks = pageBlocks(Deno.readTextFileSync(PAGE));

Deno.test("pageBlocks() reads language, place, file and mark", () => {
  const page = "a\n```sh\nx\n```\n```cfg dom0 >>/a/b no-lab\ny\n\nz\n```\n```sh guest\n```\n";
  assert.deepEqual(pageBlocks(page), [
    { info: "sh", language: "sh", place: undefined, file: undefined, inLab: true, text: "x\n" },
    {
      info: "cfg dom0 >>/a/b no-lab",
      language: "cfg",
      place: "dom0",
      file: { path: "/a/b", append: true },
      inLab: false,
      text: "y\n\nz\n",
    },
    { info: "sh guest", language: "sh", place: "guest", file: undefined, inLab: true, text: "" },
  ]);
  assert.throws(() => pageBlocks("```sh dom0 nolab\n```\n"), /"sh dom0 nolab" is none of: LANGUAGE/);
});

Deno.test("each block of getting-started says where it belongs, and the lab runs it or says why not", () => {
  assert.ok(blocks.length > 20);
  for (const block of blocks) {
    assert.ok(["dom0", "guest", "build"].includes(block.place ?? ""), block.info);
    assert.ok(block.file !== undefined || block.language === "sh", `${block.info}: commands of which shell?`);
    assert.ok(
      block.file === undefined || block.place === "dom0",
      `${block.info}: the lab writes dom0's files`,
    );
    assert.equal(firstLine(block) in NOT_IN_LAB && !block.inLab, !block.inLab, firstLine(block));
  }
  assert.ok(
    !/^ {4}\S/m.test(Deno.readTextFileSync(PAGE).replace(/^```[^]*?^```$/gm, "")),
    "an indented block",
  );
});

Deno.test("each reason in the lab's case is that of a block of getting-started", () => {
  const absent = new Set(blocks.filter(({ inLab }) => !inLab).map(firstLine));
  assert.deepEqual(Object.keys(NOT_IN_LAB).filter((line) => !absent.has(line)), []);
});
