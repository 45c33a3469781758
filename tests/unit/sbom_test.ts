// SPDX-License-Identifier: MIT
/** The Debian package's bill of materials and copyright file are complete, well-formed, and reproducible. */
import assert from "node:assert/strict";
import { VERSION } from "../../lib/base/version.ts";
import { copyright } from "../../packaging/copyright.ts";
import { control } from "../../packaging/debian.ts";
import { sbom, sbomText } from "../../packaging/sbom.ts";

const project = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const options = { denoVersion: Deno.version.deno, seconds: 1_700_000_000 };
const bill = await sbom(project, options);
const lock: Record<string, { integrity: string; dependencies?: string[] }> = JSON.parse(
  Deno.readTextFileSync(`${project}/deno.lock`),
).npm;

Deno.test("sbom() is a CycloneDX 1.6 document whose references are unique and known", () => {
  assert.deepEqual([bill.bomFormat, bill.specVersion, bill.version], ["CycloneDX", "1.6", 1]);
  assert.equal(bill.metadata.timestamp, "2023-11-14T22:13:20.000Z");
  assert.deepEqual([bill.metadata.component.name, bill.metadata.component.version], ["xsnd", VERSION]);
  assert.deepEqual(bill.metadata.component.licenses, [{ license: { id: "MIT" } }]);
  const references = [bill.metadata.component, ...bill.components].map((one) => one["bom-ref"]);
  assert.equal(new Set(references).size, references.length);
  for (const { type, name, purl } of bill.components) {
    assert.match(type, /^(application|platform|library)$/);
    assert.notEqual(name, "");
    assert.match(purl, /^pkg:(npm|deb|github|generic)\/[^ ]+$/);
  }
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const reference of [ref, ...dependsOn]) assert(references.includes(reference), reference);
  }
});

Deno.test("sbom() has every package of deno.lock with version, licence, hash and dependencies", () => {
  const npm = bill.components.filter(({ purl }) => purl.startsWith("pkg:npm/"));
  assert.deepEqual(npm.map(({ name, version }) => `${name}@${version}`), Object.keys(lock).sort());
  for (const { name, version, hashes = [], licenses, purl } of npm) {
    const locked = lock[`${name}@${version}`]!;
    assert.equal(hashes[0]?.alg, "SHA-512");
    assert.equal(`sha512-${Uint8Array.fromHex(hashes[0].content).toBase64()}`, locked.integrity, name);
    assert.match(licenses?.[0]?.license.id ?? "", /^[A-Z][A-Za-z0-9.+-]+$/, name);
    const depends = bill.dependencies.find(({ ref }) => ref === purl)!.dependsOn;
    const names = depends.map((reference) =>
      decodeURIComponent(/^pkg:npm\/(.+)@/.exec(reference)?.[1] ?? reference)
    );
    assert.deepEqual(names.sort(), [...locked.dependencies ?? []].sort(), name);
  }
});

Deno.test("sbom() tells packages of the bundle from those of the tests", () => {
  const scopeOf = (name: string) => bill.components.find((one) => one.name === name)?.scope;
  for (const name of ["commander", "zod", "bintrees"]) assert.equal(scopeOf(name), "required", name);
  for (const name of ["ajv", "fast-check", "fast-uri"]) assert.equal(scopeOf(name), "excluded", name);
  const direct = bill.dependencies.find(({ ref }) => ref === "xsnd")!.dependsOn;
  assert(direct.some((reference) => reference.startsWith("pkg:npm/commander@")));
  assert(!direct.some((reference) => /\/(bintrees|ajv)@/.test(reference)), "not imported by the program");
});

Deno.test("sbom() has Deno with its version, and every Debian dependency of the package", () => {
  const [, depends] = /^Depends: (.+)$/m.exec(control(VERSION, "amd64", 1)) ?? [];
  const names = depends!.split(", ").map((alternatives) => alternatives.split(" | ")[0]);
  assert(names.length >= 5);
  const debian = bill.components.filter(({ purl }) => purl.startsWith("pkg:deb/debian/"));
  assert.deepEqual(debian.map(({ name }) => name), names);
  assert.equal(bill.components.find(({ name }) => name === "deno")?.version, Deno.version.deno);
});

Deno.test("sbomText() is the same at each run, and names no Deno that it cannot know", async () => {
  assert.equal(await sbomText(project, options), await sbomText(project, options));
  const deno = (await sbom(project, { ...options, denoVersion: "" })).components.find(({ name }) =>
    name === "deno"
  );
  assert.deepEqual([deno?.version, deno?.purl], [undefined, "pkg:github/denoland/deno"]);
});

/** Parses Debian control syntax into paragraphs. Each maps a field to its first line and its continuation lines. */
function paragraphs(text: string): Map<string, string>[] {
  return text.trimEnd().split("\n\n").map((paragraph) => {
    const fields = paragraph.split(/\n(?! )/).map((field) => /^([A-Za-z-]+):(?: (.*))?$/s.exec(field)!);
    return new Map(fields.map(([, name, value = ""]) => [name!, value]));
  });
}

Deno.test("copyright() is DEP-5: xsnd's own terms, and a text for each licence that a part names", async () => {
  const [head, ...rest] = paragraphs(await copyright(project, "2.9.6"));
  assert.match(head!.get("Format")!, /copyright-format\/1\.0\/$/);
  const parts = rest.filter((fields) => fields.has("Files"));
  for (const fields of parts) {
    assert.deepEqual([fields.has("Copyright"), fields.has("License")], [true, true]);
  }
  assert.deepEqual(parts.map((fields) => fields.get("Files")), [
    "*",
    "usr/lib/xsnd/deno",
    "usr/lib/xsnd/*.js",
  ]);
  assert.deepEqual([parts[0]!.get("Copyright"), parts[0]!.get("License")], [
    "2026 the xsnd authors",
    "Expat",
  ]);
  const texts = rest.filter((fields) => !fields.has("Files")).map((fields) => fields.get("License")!);
  const named = new Set(parts.flatMap((fields) => fields.get("License")!.split(" and ")));
  assert.deepEqual(texts.map((text) => text.split("\n")[0]), [...named]);
  for (const text of texts) assert(text.split("\n").length > 1, text);
});

Deno.test("copyright() names each bundled package with its version, licence and authors", async () => {
  const bundle = paragraphs(await copyright(project, "")).find((fields) =>
    fields.get("Files")?.endsWith("*.js")
  )!;
  const bundled = bill.components.filter(({ purl, scope }) =>
    purl.startsWith("pkg:npm/") && scope === "required"
  );
  for (const { name, version, licenses, copyright } of bundled) {
    const licence = licenses![0]!.license.id.replace(/^MIT$/, "Expat");
    assert(bundle.get("Comment")!.includes(`\n  ${name} ${version}: ${licence}, ${copyright}`), name);
    assert(bundle.get("Copyright")!.includes(copyright!.split(", ")[0]!), name);
  }
});
