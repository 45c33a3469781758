// SPDX-License-Identifier: MIT
/** The manual pages, checked with groff and mandoc, and their Markdown copies in docs/manual. */
import assert from "node:assert/strict";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import { COMMANDS } from "../../cmd/commands.ts";
import { manualOf } from "../../cmd/shared/manual.ts";
import { KEY_TABLE } from "../../lib/vsnd/config/key_table.ts";
import { KEYS } from "../../lib/vsnd/config/schema.ts";
import { writeMarkdown } from "../../packaging/man.ts";
import { type Block, type Page, type Part, referenceTo } from "../../packaging/manual/page.ts";
import { manualPages } from "../../packaging/manual/pages.ts";
import { roffOf } from "../../packaging/manual/roff.ts";
import { Process, root, xsnd } from "./harness.ts";

const pages = await manualPages();
const directory = Deno.makeTempDirSync({ prefix: "xsnd-manual-" });
const files = pages.map((page) => {
  const file = `${directory}/${page.name}.${page.section}`;
  Deno.writeTextFileSync(file, roffOf(page, "2026-11-24"));
  return file;
});
Deno.test.afterAll(() => Deno.removeSync(directory, { recursive: true }));

/** Runs a command that must succeed silently on stderr; returns its stdout. */
async function clean(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Process(command, args).result;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  return stdout;
}

/** A page as a reader sees it. */
async function shown(name: string): Promise<string> {
  const page = pages.find((page) => page.name === name);
  assert(page !== undefined, `there is no page ${name}`);
  const file = files[pages.indexOf(page)]!;
  // Bold text is a letter, a backspace and the same letter again.
  return (await clean("mandoc", "-Tutf8", "-Owidth=200", file)).replaceAll(new RegExp(".\b", "g"), "");
}

function titlesOf(text: string): string[] {
  return [...text.matchAll(/^[A-Z][A-Z ]+$/gm)].map(([title]) => title);
}

Deno.test("groff and mandoc find nothing wrong with any page", async () => {
  for (const file of files) await clean("groff", "-man", "-ww", "-Kutf8", "-Tutf8", file);
  assert.equal(await clean("mandoc", "-Tlint", "-Wstyle", ...files), "");
});

Deno.test("xsnd(1) has all parts, and leads to the page of every command", async () => {
  const text = await shown("xsnd");
  assert.deepEqual(titlesOf(text), [
    ...["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "STREAMS", "EXIT STATUS", "ENVIRONMENT"],
    ...["FILES", "EXAMPLES", "SEE ALSO"],
  ]);
  for (const name of Object.keys(COMMANDS)) assert.match(text, new RegExp(`^ +xsnd-${name}\\(1\\)$`, "m"));
  assert.match(text, /XSND_LIBASOUND/);
});

/** Whether a page explains the term. */
function hasTerm(text: string, term: string): boolean {
  return text.split("\n").some((line) => line.trim() === term || line.trimStart().startsWith(`${term} `));
}

/** Every command with the name of its page: the commands of the overall help, and their subcommands that have a manual. */
async function* eachCommand(): AsyncGenerator<[page: string, command: Command]> {
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    const command = await load();
    yield [`xsnd-${name}`, command];
    for (const below of command.commands as Command[]) {
      if (manualOf(below) !== undefined) yield [`xsnd-${name}-${below.name()}`, below];
    }
  }
}

Deno.test("every command has a page, with its options and arguments, and without what is hidden", async () => {
  let count = 0;
  for await (const [name, command] of eachCommand()) {
    count++;
    const text = await shown(name);
    for (const { flags, hidden } of command.options) {
      assert.equal(hasTerm(text, flags), !hidden, `${name} ${flags}`);
    }
    for (const argument of command.registeredArguments.filter(({ description }) => description)) {
      const shownAs = `${argument.name()}${argument.variadic ? "..." : ""}`;
      assert([`<${shownAs}>`, `[${shownAs}]`].some((term) => hasTerm(text, term)), `${name} ${shownAs}`);
    }
  }
  assert.equal(count, pages.length - 2, "xsnd(1), xsnd.yaml(5), and a page a command");
  assert.match(await shown("xsnd-play"), /^ +xsnd play \[options\] <file> <stream>$/m);
  assert.match(await shown("xsnd-wait"), /^ +xsnd wait --for <state> \[options\] <stream>$/m);
  assert.match(await shown("xsnd-trace"), /^ +xsnd-trace-plot\(1\)$/m);
  assert.match(await shown("xsnd-completions"), /^ +zsh /m);
  assert.doesNotMatch(await shown("xsnd-completions"), /candidates/);
});

Deno.test("the pages name nothing of the machine that they were made on", () => {
  for (const file of files) assert(!Deno.readTextFileSync(file).includes(root), file);
});

function* blocksOf({ blocks, parts = [] }: Pick<Part, "blocks" | "parts">): Generator<Block> {
  for (const block of blocks) {
    yield block;
    if (typeof block === "object" && "terms" in block) {
      for (const { blocks } of block.terms) yield* blocksOf({ blocks });
    }
  }
  for (const part of parts) yield* blocksOf(part);
}

/** All blocks of a page. */
function blocks(page: Page): Block[] {
  return page.parts.flatMap((part) => [...blocksOf(part)]);
}

Deno.test("every reference to a page of xsnd is to a page that there is", () => {
  const known = new Set(pages.map(referenceTo));
  let found = 0;
  for (const page of pages) {
    const text = JSON.stringify(page);
    for (const [reference] of text.matchAll(/\bxsnd[\w.-]*\(\d\)/g)) {
      assert(known.has(reference), `${referenceTo(page)} refers to ${reference}`);
      found++;
    }
  }
  assert(found > 2 * pages.length);
});

Deno.test("xsnd.yaml(5) describes every key of the schema", async () => {
  const text = await shown("xsnd.yaml");
  for (const key of Object.keys(KEY_TABLE)) assert.match(text, new RegExp(`^ +${key}( .*)?$`, "m"), key);
});

/** A valid file in which `fragment` overrides keys at `level`. */
function fileWith(fragment: Record<string, unknown>, level: string): unknown {
  const put = (at: string, map: Record<string, unknown>) => at === level ? { ...map, ...fragment } : map;
  const streams = [put("streams", { type: "playback", device: "hw:0,0" })];
  const cards = [put("cards", { pcms: [put("pcms", { streams })] })];
  const defaults = level === "defaults" ? { defaults: fragment } : {};
  return put("", { ...defaults, domains: { domU: put("domains", { cards }) } });
}

Deno.test("`xsnd check` accepts every example of xsnd.yaml(5), at each level that its key can stand at", async () => {
  const page = pages.find(({ name }) => name === "xsnd.yaml")!;
  const examples = blocks(page).flatMap((block) =>
    typeof block === "object" && "code" in block ? [block.code] : []
  )
    .filter((code) => !code.startsWith("#"));
  const isWhole = (code: string) => /^(domains:|x-)/.test(code);
  const whole = examples.filter(isWhole);
  const fragments = examples.filter((code) => !isWhole(code));
  // defaults stands at two levels.
  assert.deepEqual([whole.length, fragments.length], [4, Object.keys(KEY_TABLE).length - 1 + 1]);
  const texts = [
    ...whole,
    ...fragments.flatMap((code) => {
      const fragment = parse(code);
      const levels = Object.keys(KEYS).filter((level) => KEYS[level]!.includes(Object.keys(fragment)[0]!));
      assert.notEqual(levels.length, 0, code);
      return levels.map((level) => stringify(fileWith(fragment, level)));
    }),
  ];
  const file = `${directory}/example.yaml`;
  for (const text of texts) {
    Deno.writeTextFileSync(file, text);
    const { code, stderr } = await xsnd(["check", file]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, text);
  }
});

Deno.test("docs/manual has each page as `deno task docs` writes it, and links to files that there are", async () => {
  const made = `${directory}/markdown`;
  Deno.mkdirSync(made);
  const names = await writeMarkdown(made);
  await clean(
    Deno.execPath(),
    "fmt",
    "--quiet",
    "--config",
    `${root}deno.json`,
    ...names.map((name) => `${made}/${name}`),
  );
  for (const name of names) {
    const text = Deno.readTextFileSync(`${made}/${name}`);
    assert.equal(Deno.readTextFileSync(`${root}docs/manual/${name}`), text, "run: deno task docs");
    for (const [, target] of text.matchAll(/\]\(([^)]+)\)/g)) {
      assert(names.includes(target!), `${name}: ${target}`);
    }
  }
  // No page is left over from a command that is gone, or that has moved to another section.
  const pagesThere = Array.from(Deno.readDirSync(`${root}docs/manual`), ({ name }) => name)
    .filter((name) => /\.\d\.md$/.test(name));
  assert.deepEqual(pagesThere.sort(), names.sort());
});
