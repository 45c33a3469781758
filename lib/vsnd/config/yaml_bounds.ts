// SPDX-License-Identifier: MIT
/**
 * Bounds on a YAML text before it is parsed. The yaml package recurses once per level of nesting, and makes an error object for
 * each mistake: a text of a megabyte can exhaust the stack, or take ten seconds to refuse.
 */
import { Lexer, Parser } from "yaml";

/** Levels of nesting: a configuration of ours has twelve, counted as the parser does. */
const MAX_LEVELS = 64;
/** Lexical tokens: enough for 600 domains with a card each. */
const MAX_TOKENS = 32_768;

export interface Excess {
  /** Where the text goes beyond a bound. */
  readonly offset: number;
  readonly what: string;
  readonly why: string;
  readonly instead: string;
}

/** The first place at which `text` goes beyond a bound; undefined if it stays within all of them. */
export function excessOf(text: string): Excess | undefined {
  const parser = new Parser();
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    // A generator: the parser advances only as its tokens are taken.
    for (const _ of parser.next(lexeme));
    const { offset, stack } = parser;
    if (stack.length > MAX_LEVELS) {
      return {
        offset,
        what: `it is nested deeper than ${MAX_LEVELS} levels`,
        why: "a configuration has no more than a dozen",
        instead: "look for brackets that are not closed, and for lines indented too far",
      };
    }
    if (++tokens > MAX_TOKENS) {
      return {
        offset,
        what: `it has more than ${MAX_TOKENS} words and signs`,
        why: "one of 600 domains has fewer",
        instead: "split it into several files",
      };
    }
  }
  return undefined;
}
