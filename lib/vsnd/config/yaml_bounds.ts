// SPDX-License-Identifier: MIT
/**
 * Bounds on a YAML text, checked before parsing. The yaml package recurses once per level of nesting and makes an error object
 * per mistake: a text of a megabyte could overflow the stack, or take ten seconds to refuse.
 */
import { Lexer, Parser } from "yaml";

/** The most levels of nesting. A configuration has twelve, as the parser counts them. */
const MAX_LEVELS = 64;
/** The most tokens: enough for 600 domains with a card each. */
const MAX_TOKENS = 32_768;

export interface Excess {
  /** The place at which the text exceeds a bound. */
  readonly offset: number;
  readonly what: string;
  readonly why: string;
  readonly instead: string;
}

/** The first place at which `text` exceeds a bound; undefined if there is none. */
export function excessOf(text: string): Excess | undefined {
  const parser = new Parser();
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    // The parser is a generator and advances only while its tokens are taken.
    for (const _ of parser.next(lexeme));
    const { offset, stack } = parser;
    if (stack.length > MAX_LEVELS) {
      return {
        offset,
        what: `it is nested deeper than ${MAX_LEVELS} levels`,
        why: "a configuration has at most a dozen levels",
        instead: "look for brackets that are not closed, and for lines that are indented too far",
      };
    }
    if (++tokens > MAX_TOKENS) {
      return {
        offset,
        what: `it has more than ${MAX_TOKENS} words and signs`,
        why: "a configuration of 600 domains has fewer",
        instead: "split the configuration into several files",
      };
    }
  }
  return undefined;
}
