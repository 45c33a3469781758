// SPDX-License-Identifier: MIT
/** The word that was meant by one that is not known. */

/** ` (did you mean domU/0/0/0?)`, or nothing if none of `known` is like `word`. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const meant = closest(word, known);
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}

/** The one of `known` that takes the fewest typing errors to become `word`: at most a third of its letters. */
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

/** Letters that are missing, too many, wrong, or swapped with the next one (Damerau's distance, of adjacent letters). */
function typingErrors(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const wrong = a[i - 1] === b[j - 1] ? 0 : 1;
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + wrong);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}
