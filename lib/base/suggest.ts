// SPDX-License-Identifier: MIT
/** Finds the known word that an unknown word was probably meant to be. */

/** ` (did you mean domU/0/0/0?)`, or an empty text if no word of `known` is similar to `word`. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const meant = closest(word, known);
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}

/** The word of `known` with the fewest typing errors in `word`: at most one error for three letters. */
export function closest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let fewest = Infinity;
  for (const candidate of known) {
    const errors = typingErrors(word.toLowerCase(), candidate.toLowerCase());
    if (errors < fewest && errors <= Math.max(word.length, candidate.length) / 3) {
      [best, fewest] = [candidate, errors];
    }
  }
  return best;
}

/** The number of letters that are missing, superfluous, wrong, or swapped with the next letter (optimal string alignment distance). */
function typingErrors(a: string, b: string): number {
  const width = b.length + 1;
  /** `errors[i * width + j]`: typing errors between the first i letters of `a` and the first j letters of `b`. */
  const errors = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => errors[i * width + j]!;
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      let fewest = i === 0 || j === 0 ? i + j : Infinity;
      if (i > 0 && j > 0) {
        const wrong = a[i - 1] === b[j - 1] ? 0 : 1;
        fewest = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + wrong);
        const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
        if (swapped) fewest = Math.min(fewest, at(i - 2, j - 2) + 1);
      }
      errors[i * width + j] = fewest;
    }
  }
  return at(a.length, b.length);
}
