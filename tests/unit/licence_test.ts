// SPDX-License-Identifier: MIT
/** Every source file names the project's licence. */
import assert from "node:assert/strict";
import { join } from "node:path";

const root = new URL("../../", import.meta.url).pathname;

/** Source files below `folder`. */
function sourcesBelow(folder: string): string[] {
  return Array.from(Deno.readDirSync(join(root, folder))).flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? sourcesBelow(path) : /\.(ts|js|c|css)$/.test(name) ? [path] : [];
  });
}

Deno.test("every source file names the licence in its first lines, and deno.json and LICENSE agree", () => {
  const read = (path: string) => Deno.readTextFileSync(join(root, path));
  const files = [
    ...["main.ts", "mod.ts", "setup.sh", "xsnd", ".ci/run"],
    ...["cmd", "ffi", "lib", "packaging", "tests"].flatMap(sourcesBelow),
  ];
  assert(files.length > 400, String(files.length));
  const without = files.filter((file) =>
    !read(file).split("\n", 3).some((line) => line.includes("SPDX-License-Identifier: MIT"))
  );
  assert.deepEqual(without, []);
  assert.equal(JSON.parse(read("deno.json")).license, "MIT");
  assert.match(read("LICENSE"), /^MIT License\n\nCopyright \(c\) \d{4} the xsnd authors\n/);
});
