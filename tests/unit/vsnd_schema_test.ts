// SPDX-License-Identifier: MIT
/** The JSON Schema for editors equals the code's own schema, and an independent validator accepts it. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { KEY_TABLE } from "../../lib/vsnd/config/key_table.ts";
import { KEYS } from "../../lib/vsnd/config/schema.ts";
import { SCHEMA_FILE, schemaText } from "../tools/write_schema.ts";

const root = new URL("../../", import.meta.url);
const validate = new Ajv2020().compile(JSON.parse(Deno.readTextFileSync(SCHEMA_FILE)));

Deno.test("docs/xsnd.schema.json is what `deno task schema` writes", () => {
  assert.equal(Deno.readTextFileSync(SCHEMA_FILE), schemaText());
});

Deno.test("the schema describes every key and allows no others", () => {
  for (const key of ["unique-id", "sample-rates", "channels-min", "short-name", "device", "denied"]) {
    assert.ok(schemaText().includes(`"${key}"`), key);
  }
  assert.equal(schemaText().match(/"additionalProperties": false/g)?.length, 7);
});

Deno.test("the table of keys describes every key of the schema, and no other", () => {
  assert.deepEqual(Object.keys(KEY_TABLE).sort(), [...new Set(Object.values(KEYS).flat())].sort());
});

/** Every property in the schema, at any level, with its subschema. */
function* properties(schema: unknown): Generator<[key: string, schema: Record<string, unknown>]> {
  if (typeof schema !== "object" || schema === null) return;
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "properties") yield* Object.entries<Record<string, unknown>>(value);
    yield* properties(value);
  }
}

Deno.test("each key of the schema has a description in whole sentences and an example that is valid", () => {
  const all = [...properties(JSON.parse(schemaText()))];
  // Each of the five parameters occurs at three levels and in the two places of defaults.
  assert.equal(all.length, Object.keys(KEY_TABLE).length + 4 * 5 + 1);
  for (const [key, { description, examples, ...schema }] of all) {
    assert.match(String(description), /^[A-Z].*\.$/, key);
    const isValid = new Ajv2020().compile(schema);
    assert.ok(Array.isArray(examples) && examples.length === 1, key);
    assert.ok(isValid(examples[0]), `${key}: ${JSON.stringify(isValid.errors)}`);
  }
});

/** The Markdown files of docs/, as URLs. */
function pages(directory = new URL("docs/", root)): URL[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? pages(new URL(`${name}/`, directory))
      : name.endsWith(".md")
      ? [new URL(name, directory)]
      : []
  );
}

Deno.test("the schema accepts every fixture and every YAML block of the pages", () => {
  const fixtures = [...Deno.readDirSync(new URL("fixtures/", root))].filter(({ name }) =>
    name.endsWith(".yaml")
  );
  assert.ok(fixtures.length >= 3);
  for (const { name } of fixtures) {
    const text = Deno.readTextFileSync(new URL(`fixtures/${name}`, root));
    assert.ok(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`);
  }
  // Only blocks at the left margin are files. An indented block in the manual is an example of one key.
  const shown = [...pages(), new URL("README.md", root)].flatMap((page) =>
    [...Deno.readTextFileSync(page).matchAll(/^```yaml\b.*\n([^]*?)^```$/gm)].map(([, yaml]) => ({
      page,
      yaml,
    }))
  );
  assert.ok(shown.some(({ page }) => page.pathname.endsWith("/operating.md")));
  for (const { page, yaml } of shown) {
    assert.ok(
      validate(parse(yaml!, { merge: true })),
      `${page.pathname}: ${JSON.stringify(validate.errors)}\n${yaml}`,
    );
  }
});

const stream = (fields: string) => `domains: {a: {cards: [{pcms: [{streams: [{${fields}}]}]}]}}`;

const bad: Record<string, string> = {
  "no domains": "{}",
  "an unknown key": "{domains: {}, sound: yes}",
  "a stream without type": stream("device: d"),
  "a stream without device": stream("type: p"),
  "another type": stream("type: x, device: d"),
  "a rate that Linux drops": stream("type: p, device: d, sample-rates: [37800]"),
  "a rate twice": stream("type: p, device: d, sample-rates: [8000, 8000]"),
  "a compressed format": stream("type: p, device: d, sample-formats: [gsm]"),
  "a tiny buffer": stream("type: p, device: d, buffer-size: 127"),
  "256 channels": stream("type: p, device: d, channels-max: 256"),
  "a domain with a slash": "domains: {a/b: {cards: []}}",
  "nine streams": `domains: {a: {cards: [{pcms: [{streams: [${"{type: p, device: d},".repeat(9)}]}]}]}}`,
};
for (const [name, yaml] of Object.entries(bad)) {
  Deno.test(`the schema refuses ${name}`, () => assert.equal(validate(parse(yaml)), false));
}
