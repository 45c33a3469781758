// SPDX-License-Identifier: MIT
/** What `import` and `export` read from: a file, or a running domain. */
import { Exit, XsndError } from "../../lib/base/error.ts";
import type { Config } from "../../lib/vsnd/model/card.ts";
import { printable } from "../../lib/base/text.ts";
import type { PresentCard } from "../../lib/vsnd/nodes/inventory.ts";

/** Whether SOURCE names a file; a text with a slash cannot be meant for a domain. */
export function isFile(source: string): boolean {
  if (source.includes("/")) return true;
  try {
    return Deno.statSync(source).isFile;
  } catch (error) {
    // Of what is there and cannot be looked at, reading says why.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/**
 * The cards of a running domain; on stderr goes what may not be as the host wants it. Throws {@link XsndError} (exit 1) if there
 * are none.
 */
export async function cardsOfDomain(name: string): Promise<PresentCard[]> {
  try {
    const cards = await readDomain(name);
    cards.forEach(warnOf);
    return cards;
  } catch (error) {
    if (!(error instanceof XsndError) || !name.includes(".")) throw error;
    throw new XsndError(`${error.message}; nor is there a file ${name}`, error.exitCode, { cause: error });
  }
}

/** Only what `xsnd provision` wrote of a card is out of its guest's reach. */
function warnOf({ domain, address, provisionedBy, problems }: PresentCard): void {
  for (const problem of problems) warn(problem);
  if (provisionedBy === "xsnd") return;
  warn(
    `card ${address.card} of ${domain.name} was not made by xsnd: its streams and limits are what the guest's own directory ` +
      "says; compare them with what xl was given",
  );
}

/** Says something on stderr that is no failure. */
export function warn(text: string): void {
  console.error(`xsnd: ${printable(text)}`);
}

async function readDomain(name: string): Promise<PresentCard[]> {
  const { readCards } = await import("../../lib/vsnd/nodes/inventory.ts");
  const { resolveDomain } = await import("../../lib/xenbus/mod.ts");
  const { withStore } = await import("./store.ts");
  const cards = await withStore((store) => readCards(store, resolveDomain(store, name)));
  if (cards.length === 0) {
    throw new XsndError(
      `${name} has no virtual sound card; \`xsnd provision ${name}\` gives it one`,
      Exit.failed,
    );
  }
  return cards;
}

/** The configuration that `value` is. Throws {@link XsndError} (exit 6) if what a domain has cannot be one. */
export async function requireRight(value: unknown, name: string): Promise<Config> {
  const { checkDocument } = await import("../../lib/vsnd/config/check_document.ts");
  const { formatPath } = await import("../../lib/vsnd/model/finding.ts");
  const checked = checkDocument(value);
  if ("config" in checked) return checked.config;
  const lines = checked.findings.map(({ path, what, instead }) =>
    `${name} as it runs has ${formatPath(path)}: ${
      [what, instead].filter((part) => part !== undefined).join("; ")
    }`
  );
  throw new XsndError(lines.join("\n"), Exit.badConfiguration);
}
