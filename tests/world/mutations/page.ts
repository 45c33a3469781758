// SPDX-License-Identifier: MIT
/** Writes docs/world-mutations.md: which planted defects the world finds, and how soon. */
import type { Budget, Outcome } from "./hunt.ts";
import type { Mutation } from "./mutation.ts";

/** A planted defect, and how the hunt for it ended. */
export interface Row {
  readonly mutation: Mutation;
  readonly finding: Outcome;
}

/** The page's text, before `deno fmt`. It depends on nothing but the arguments. */
export function pageOf(rows: readonly Row[], beyond: readonly Mutation[], { seeds, events }: Budget): string {
  const found = rows.filter(({ finding }) => finding.finder !== undefined).length;
  const alone = rows.filter(({ mutation, finding }) =>
    finding.finder !== undefined && mutation.test === undefined
  );
  return `# What the world finds

\`deno run -A tests/world/mutations/run_mutations.ts\` writes this page. Each defect of the table is planted alone in a copy of the
program, and the world runs on that copy with the seeds 1, 2, 3, ... up to ${seeds}, with ${events} events each.
The first invariant that is violated names the defect. A program that ends in an error counts as found by
\`crash\`, one that does not come back as found by \`hang\`. The unchanged program is run with the same seeds
first, and violates nothing.

The defects are small changes of text. Most of them were in the program once, or stand in a review of it. Their
text is in \`tests/world/mutations\`.

**${found} of ${rows.length} are found**, ${alone.length} of them by no other test that was tried. "Events" are those of all seeds up to
the violation. "Other test" is a test file that fails with the defect, too.

| defect | what is wrong | found by | seed | events | other test |
| --- | --- | --- | ---: | ---: | --- |
${rows.map(rowOf).join("\n")}

## What no world can find

These defects were planted, too. No world plays what they take; a test each does.

| defect | what is wrong | why no world finds it | test |
| --- | --- | --- | --- |
${beyond.map(beyondRowOf).join("\n")}
`;
}

function beyondRowOf({ name, sentence, beyond, test }: Mutation): string {
  return `| ${[`\`${name}\``, sentence, beyond, `\`${test}\``].join(" | ")} |`;
}

function rowOf({ mutation: { name, sentence, test }, finding: { finder, seed, events } }: Row): string {
  const how = finder === undefined ? ["nothing", "", `more than ${events}`] : [`\`${finder}\``, seed, events];
  const other = test === undefined ? "" : `\`${test}\``;
  return `| ${[`\`${name}\``, sentence, ...how, other].join(" | ")} |`;
}
