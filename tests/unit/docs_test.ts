// SPDX-License-Identifier: MIT
/** Tests the developer pages: their links lead to existing files, and they keep up with the tree. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";

const root = new URL("../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFileSync(join(root, path));

/** Paths of the files below `folder` whose names end in `.md`. */
function pagesBelow(folder: string): string[] {
  return Array.from(Deno.readDirSync(join(root, folder))).flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? pagesBelow(path) : name.endsWith(".md") ? [path] : [];
  });
}

const PAGES = [
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"],
  ...["docs", ".github"].flatMap(pagesBelow),
].sort();

/** The id that a Markdown renderer gives a heading. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("every link of a page leads to a file, and to a heading in it", () => {
  let links = 0;
  for (const page of PAGES) {
    const text = read(page).replaceAll(/^ *```[^]*?^ *```/gm, "").replaceAll(
      /`[^`\n]*`/g,
      (code) => code.replaceAll(/[[\]()]/g, ""),
    );
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target!)) continue;
      const [path, anchor] = target!.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path!));
      assert.doesNotThrow(() => Deno.statSync(join(root, file)), `${page} links to ${target}`);
      links++;
      if (anchor === undefined || !file.endsWith(".md")) continue;
      const headings = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
      assert(headings.includes(anchor), `${page} links to ${target}, and there is no such heading`);
    }
  }
  assert(links > 100, String(links));
});

Deno.test("docs/ARCHITECTURE.md has every room of the house, in the order of the import rules", () => {
  const [, list] = /^const ROOMS = \[\n([^\]]+)\]/m.exec(read("tests/unit/layout_test.ts")) ?? [];
  const rooms = [...list!.matchAll(/"([^"]+)"/g)].map(([, room]) => room!);
  assert(rooms.length > 20);
  const [, table] = /^## The rooms$([^]+?)^## /m.exec(read("docs/ARCHITECTURE.md")) ?? [];
  const rows = [...table!.matchAll(/^\| `([^`]+)` +\| (.+?) *\|$/gm)];
  assert.deepEqual(rows.map(([, room]) => room), rooms);
});

Deno.test("every decision has its four parts, and is on the list under its title", () => {
  const files = pagesBelow("docs/decisions").filter((path) => !path.endsWith("README.md")).sort();
  const list = [...read("docs/decisions/README.md").matchAll(/^(\d+)\. \[(.+?)\]\((.+?)\)$/gm)];
  assert.deepEqual(list.map(([, , , file]) => join("docs/decisions", file!)), files);
  for (const [, number, title, file] of list) {
    assert.equal(Number(file!.slice(0, 4)), Number(number));
    const text = read(join("docs/decisions", file!));
    assert.equal(/^# (\d+\. .+)$/m.exec(text)?.[1], `${number}. ${title}`);
    const parts = [...text.matchAll(/^## (.+)$/gm)].map(([, part]) => part);
    assert.deepEqual(parts, ["Context", "Decision", "Consequences", "What would change it"], file);
  }
});
