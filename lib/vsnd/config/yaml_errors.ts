// SPDX-License-Identifier: MIT
/** Findings about texts that are not YAML, in words for the text's author. The yaml package's own messages address programmers. */
import { type Document, type ErrorCode, isAlias, isScalar, visit, type YAMLError } from "yaml";
import type { Finding } from "../model/finding.ts";

/** A finding about the text itself, with its offset and without a path. */
export interface YamlFinding extends Finding {
  readonly path: readonly [];
  readonly offset: number;
}

interface Words {
  readonly what: string;
  readonly instead: string;
}

const WHY = "the rest of the file cannot be trusted either";
const QUOTES = "put a text in quotes that has one of : # [ ] { } , & * ! | > % @ in it";
const NO_TAGS = { what: "a tag, which begins with !", instead: "leave it out; a configuration needs none" };

/** The words for each error code of the yaml package. */
const WORDS: Readonly<Record<ErrorCode, Words>> = {
  ALIAS_PROPS: { what: "an alias with an anchor or a tag", instead: "write the alias alone, as *name" },
  BAD_ALIAS: {
    what: "an anchor or alias without a name, or with a name that ends in a colon",
    instead: `write a name after the & or *, and a space before the colon; or ${QUOTES}`,
  },
  BAD_COLLECTION_TYPE: NO_TAGS,
  BAD_DIRECTIVE: { what: "a line that begins with %", instead: "leave it out" },
  BAD_DQ_ESCAPE: {
    what: "a backslash before a character that it cannot escape",
    instead: "write the backslash twice, or the text in single quotes",
  },
  BAD_INDENT: {
    what: "an indentation that fits no line above",
    instead: "begin all keys of a map, and all items of a list, in the same column",
  },
  BAD_PROP_ORDER: {
    what: "an anchor or a tag before a - or ?",
    instead: "write the anchor or tag after the - or ?",
  },
  BAD_SCALAR_START: { what: "a text that begins with one of YAML's signs", instead: QUOTES },
  BLOCK_AS_IMPLICIT_KEY: {
    what: "a second colon on the line of a key",
    instead: "put a text with a colon in quotes, or begin a map on a line of its own",
  },
  BLOCK_IN_FLOW: {
    what: "a map or list by indentation within [ ] or { }",
    instead: "write it with [ ] or { } too, or close the outer brackets first",
  },
  DUPLICATE_KEY: { what: "a key that its map has already", instead: "remove one of the two" },
  IMPOSSIBLE: { what: "a text that cannot be read", instead: QUOTES },
  KEY_OVER_1024_CHARS: { what: "a key of more than 1024 characters", instead: "write a shorter key" },
  MISSING_CHAR: { what: "a sign is missing", instead: QUOTES },
  MULTILINE_IMPLICIT_KEY: {
    what: "a key that goes on for several lines",
    instead: "end the key of each line with a colon and a space, or put a long key in quotes",
  },
  MULTIPLE_ANCHORS: { what: "a second anchor of one value", instead: "remove one of the two" },
  MULTIPLE_DOCS: {
    what: "a second document begins",
    instead: "write all guests below one domains:, or a file for each document",
  },
  MULTIPLE_TAGS: NO_TAGS,
  NON_STRING_KEY: { what: "a key that is no text", instead: "put the key in quotes" },
  RESOURCE_EXHAUSTION: { what: "it is nested deeper than can be read", instead: "write fewer levels" },
  TAB_AS_INDENT: { what: "a tab in the indentation", instead: "indent with spaces" },
  TAG_RESOLVE_FAILED: NO_TAGS,
  UNEXPECTED_TOKEN: { what: "a text that is not expected here", instead: QUOTES },
};

/** Several errors of the package share the code MISSING_CHAR. Only the package's message tells them apart. */
const MISSING: readonly (readonly [RegExp, Words])[] = [
  [/^Missing closing/, {
    what: "a text in quotes does not end",
    instead: "close it with the sign that begins it",
  }],
  [/^Implicit map keys/, {
    what: "a key without a colon",
    instead: "write a colon and a space after it, or indent it as part of the text above",
  }],
  [/^Missing ,/, { what: "two items without a comma between them", instead: "write a comma" }],
  [/^Missing space after :/, { what: "a colon without a space after it", instead: "write a space" }],
  [/^Comments must/, { what: "a comment without a space before its #", instead: "write a space" }],
  [/^Tags and anchors/, { what: "an anchor or tag without a space after it", instead: "write a space" }],
  [/newline|same line/, {
    what: "a map or list that begins in the middle of a line",
    instead: "begin it on a line of its own",
  }],
  [/without - indicator/, {
    what: "an item of a list without its -",
    instead: "write - and a space before it",
  }],
  [/^Missing directives-end/, { what: "lines that begin with %", instead: "leave them out" }],
];

/** The finding for an error that the yaml package has with `source`. */
export function yamlFinding(
  { code, message, pos: [offset] }: Pick<YAMLError, "code" | "message" | "pos">,
  source: string,
): YamlFinding {
  const words = wordsOf(code, message, lineAt(source, offset));
  // The texts with these two errors are valid YAML.
  const isYaml = code === "MULTIPLE_DOCS" || code === "TAG_RESOLVE_FAILED";
  return {
    path: [],
    offset,
    what: isYaml ? words.what : `not YAML: ${words.what}`,
    why: WHY,
    instead: words.instead,
  };
}

/** The rest of the line from `offset` on. */
function lineAt(source: string, offset: number): string {
  const end = source.indexOf("\n", offset);
  return source.slice(offset, end < 0 ? undefined : end).trimEnd();
}

/** @param line the rest of the line, from the error on */
function wordsOf(code: ErrorCode, message: string, line: string): Words {
  const words = WORDS[code];
  switch (code) {
    case "DUPLICATE_KEY": {
      const key = /^(?:"[^"]*"|'[^']*'|[^\s:,{}[\]]+)/.exec(line)?.[0];
      return key === undefined ? words : { ...words, what: `a key that its map has already: ${short(key)}` };
    }
    case "TAG_RESOLVE_FAILED":
      return { ...words, what: `the tag ${short(/^\S*/.exec(line)![0])}` };
    case "BAD_INDENT":
      return /\bend with a ([\]}])$/.test(message)
        ? {
          what: "a [ or { that is not closed",
          instead: `write ${message.at(-1)} at its end, and indent all of it`,
        }
        : words;
    case "MISSING_CHAR":
      return MISSING.find(([pattern]) => pattern.test(message))?.[1] ?? words;
    case "UNEXPECTED_TOKEN":
      return {
        what: line === "" ? "the text ends too early" : `${short(line)} is not expected here`,
        instead: /^-(\s|$)/.test(line) ? "begin a list on a line of its own" : QUOTES,
      };
    default:
      return words;
  }
}

function short(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}…` : text;
}

/**
 * Findings about repeated keys. The yaml package can look for them too, but compares each key with all others, which takes
 * seconds for a long map.
 */
export function repeatedKeys(document: Document.Parsed, source: string): YamlFinding[] {
  const findings: YamlFinding[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const known = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const offset = key.range?.[0] ?? 0;
        if (known.has(key.value)) {
          findings.push(yamlFinding({ code: "DUPLICATE_KEY", message: "", pos: [offset, offset] }, source));
        }
        known.add(key.value);
      }
    },
  });
  return findings;
}

/** The finding about the first alias that has no anchor before it, or is a part of its own anchor's value; undefined if there is none. */
export function aliasFinding(document: Document.Parsed): YamlFinding | undefined {
  let finding: YamlFinding | undefined;
  const anchors = new Map<string, unknown>();
  visit(document, {
    Node(_, node, ancestors) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
        return;
      }
      const name = short(node.source);
      const meant = anchors.get(node.source);
      if (meant !== undefined && !(ancestors as readonly unknown[]).includes(meant)) return;
      const [what, instead] = meant === undefined
        ? [`the alias *${name} has no anchor &${name} before it`, `write the anchor, or ${QUOTES}`]
        : [`the alias *${name} is a part of its own value`, "leave it out"];
      finding = { path: [], offset: node.range?.[0] ?? 0, what, why: WHY, instead };
      return visit.BREAK;
    },
  });
  return finding;
}

/** The finding about a document whose aliases stand for too many values. */
export const TOO_MANY_ALIASES: YamlFinding = {
  path: [],
  offset: 0,
  what: "aliases that stand for too many values",
  why: "a few lines of aliases can stand for gigabytes",
  instead: "write fewer aliases",
};
