// SPDX-License-Identifier: MIT
/**
 * A manual page as a value, which roff.ts and markdown.ts print. In running text, what stands between backticks is typed as
 * it is: a command, an option, a value.
 */

export interface Page {
  /** As `xsnd-play`. */
  readonly name: string;
  /** 1: commands; 5: files. */
  readonly section: 1 | 5;
  /** What the page is about, in a line without a full stop. */
  readonly summary: string;
  readonly parts: readonly Part[];
}

export interface Part {
  /** As `Exit status`. */
  readonly title: string;
  readonly blocks: readonly Block[];
  /** Parts below this one. */
  readonly parts?: readonly Part[];
}

export type Block =
  /** A paragraph. */
  | string
  /** Lines that keep their breaks and spaces. `language` is for Markdown. */
  | { readonly code: string; readonly language?: string }
  /** Terms in bold, each with blocks that explain it. */
  | { readonly terms: readonly Term[] }
  /** Manual pages, as `xl(1)`. */
  | { readonly references: readonly string[] }
  /** Command lines, as a synopsis has them. */
  | { readonly synopsis: readonly string[] };

export interface Term {
  readonly term: string;
  readonly blocks: readonly Block[];
}

/** The titles of SECTIONS in the footer of a page. */
export const SECTIONS: Readonly<Record<Page["section"], string>> = {
  1: "User Commands",
  5: "File Formats",
};

/** As `xsnd-play(1)`. */
export function referenceTo({ name, section }: Pick<Page, "name" | "section">): string {
  return `${name}(${section})`;
}

/** The name and section in a reference. Throws Error if `reference` is none. */
export function parseReference(reference: string): { name: string; section: string } {
  const [, name, section] = /^([\w.-]+)\((\d)\)$/.exec(reference) ?? [];
  if (name === undefined || section === undefined) throw new Error(`not a manual page: ${reference}`);
  return { name, section };
}

/** One term with one paragraph. */
export function term(term: string, text: string): Term {
  return { term, blocks: [text] };
}

/** A summary as the beginning of a sentence, with a full stop. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.:]$/.test(text) ? "" : "."}`;
}
