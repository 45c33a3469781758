/** docs/security.md: each attack and fault of its table names a test that there is. */
import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url).pathname;

Deno.test("each line of the table in docs/security.md names a test, and each of those exists", () => {
  const text = Deno.readTextFileSync(`${root}docs/security.md`);
  const table = text.slice(text.indexOf("## Attacks and faults")).split("\n").filter((line) =>
    line.startsWith("|")
  );
  const rows = table.slice(2).map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
  assert(rows.length > 20, `${rows.length} rows`);
  const tests = ["unit", "sandbox"].flatMap((folder) => sources(`${root}tests/${folder}`)).join("\n");
  for (const [attack, , test] of rows) {
    const name = /^`(.+)`$/.exec(test ?? "")?.[1];
    assert(name !== undefined, `${attack}: names no test`);
    assert(tests.includes(`"${name}"`), `${attack}: there is no test ${JSON.stringify(name)}`);
  }
});

function sources(directory: string): string[] {
  const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
  return names.filter((name) => name.endsWith("_test.ts"))
    .map((name) => Deno.readTextFileSync(`${directory}/${name}`));
}
