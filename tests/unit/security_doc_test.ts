/** docs/security.md: each limit, attack and fault of its tables names a test that there is. */
import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url).pathname;
const text = Deno.readTextFileSync(`${root}docs/security.md`);
const tests = ["unit", "sandbox"].flatMap((folder) => sources(`${root}tests/${folder}`)).join("\n")
  .replaceAll(/Deno\.test\(\s+/g, "Deno.test(");

Deno.test("each line of the tables in docs/security.md names a test, and each of those exists", () => {
  const [limits, attacks] = ["## Limits", "## Attacks and faults"].map(rowsBelow);
  assert(
    limits.length > 5 && attacks.length > 30,
    `${limits.length} limits, ${attacks.length} attacks and faults`,
  );
  for (const [what, , test] of [...limits, ...attacks]) {
    const name = /^`(.+)`$/.exec(test ?? "")?.[1];
    assert(name !== undefined, `${what}: names no test`);
    const isThere = ["Deno.test(", "name: "].some((before) => tests.includes(`${before}"${name}"`));
    assert(isThere, `${what}: there is no test ${JSON.stringify(name)}`);
  }
});

/** The cells of the table below a heading. */
function rowsBelow(heading: string): string[][] {
  const section = text.slice(text.indexOf(heading)).split(/\n## /)[0];
  const table = section.split("\n").filter((line) => line.startsWith("|"));
  return table.slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

function sources(directory: string): string[] {
  const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
  return names.filter((name) => name.endsWith("_test.ts"))
    .map((name) => Deno.readTextFileSync(`${directory}/${name}`));
}
