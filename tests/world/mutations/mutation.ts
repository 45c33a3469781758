// SPDX-License-Identifier: MIT
/** What a planted defect is: one small change of text in one file of the program. */
import type { InvariantName } from "../invariants/statements.ts";

/** A defect to be planted in a copy of the program. */
export interface Mutation {
  readonly name: string;
  /** What is wrong, in one line. */
  readonly sentence: string;
  /** The file, below the project's folder. */
  readonly file: string;
  /** The text to be replaced, which stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** The invariant that is expected to find the defect. */
  readonly finds: InvariantName;
  /** A test file that fails with the defect; undefined: none does. */
  readonly test?: string;
  /** Why no world can find the defect, in one line: {@link test} alone does. undefined: a world can. */
  readonly beyond?: string;
}
