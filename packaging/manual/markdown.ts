// SPDX-License-Identifier: MIT
/** Prints a manual page in Markdown, for docs/manual. `deno fmt` wraps its lines afterwards. */
import { type Block, type Page, parseReference, type Part, referenceTo, type Term } from "./page.ts";

/** The name of a page's file in docs/manual. */
export function markdownFile({ name, section }: Pick<Page, "name" | "section">): string {
  return `${name}.${section}.md`;
}

/** The page. `pages` are those that references can link to. */
export function markdownOf(page: Page, pages: readonly Page[]): string {
  const printer = new Printer(new Map(pages.map((other) => [referenceTo(other), markdownFile(other)])));
  const { name, section, summary } = page;
  return [
    `# ${name}(${section})`,
    "<!-- Made by `deno task docs`. Change the command's help, the table of keys, or packaging/manual instead. -->",
    `\`${name}\`: ${printer.text(summary)}.`,
    ...page.parts.map((part) => printer.part(part, 2)),
    "",
  ].join("\n\n");
}

class Printer {
  constructor(readonly links: ReadonlyMap<string, string>) {}

  part({ title, blocks, parts = [] }: Part, level: number): string {
    return [
      `${"#".repeat(level)} ${this.text(title)}`,
      ...blocks.map((block) => this.block(block)),
      ...parts.map((part) => this.part(part, level + 1)),
    ].join("\n\n");
  }

  block(block: Block): string {
    if (typeof block === "string") return this.text(block);
    if ("code" in block) return `\`\`\`${block.language ?? "sh"}\n${block.code.trimEnd()}\n\`\`\``;
    if ("terms" in block) return block.terms.map((one) => this.term(one)).join("\n");
    if ("synopsis" in block) return `\`\`\`text\n${block.synopsis.join("\n")}\n\`\`\``;
    return block.references.map((reference) => this.reference(reference)).join(", ");
  }

  /** An item of a list; the blocks after the first are indented below it. */
  term({ term, blocks: [first, ...rest] }: Term): string {
    const head = this.links.has(term) ? this.reference(term) : `\`${term}\``;
    const below = rest.map((block) => this.block(block).replaceAll(/^(?=.)/gm, "  "));
    return [`- ${head}: ${this.block(first ?? "")}`, ...below].join("\n\n");
  }

  /** Running text. Outside of backticks, references become links and characters of markup are escaped. */
  text(words: string): string {
    return words.split(/(`[^`]+`|\b[\w.-]+\(\d\))/).map((part) => {
      if (part.startsWith("`")) return part;
      return this.links.has(part) ? this.reference(part) : part.replaceAll(/[<>*]|(?<!\w)_|_(?!\w)/g, "\\$&");
    }).join("");
  }

  reference(reference: string): string {
    const file = this.links.get(reference);
    parseReference(reference);
    return file === undefined ? reference : `[${reference}](${file})`;
  }
}
