// SPDX-License-Identifier: MIT
/** Reads the SOURCE of `import` and `export`: a file, or a running domain. */
import { Exit, XsndError } from "../../lib/base/error.ts";
import { STANDARD } from "../../lib/base/standard_file.ts";
import type { Config } from "../../lib/vsnd/model/card.ts";
import type { PresentCard } from "../../lib/vsnd/nodes/inventory.ts";
import { warn } from "./output.ts";

/** Whether SOURCE names a file, or standard input. A text with a slash is never a domain. */
export function isFile(source: string): boolean {
  if (source === STANDARD || source.includes("/")) return true;
  try {
    return Deno.statSync(source).isFile;
  } catch (error) {
    // If the path exists but cannot be examined, reading it gives the reason.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/**
 * The cards of a running domain. Warns on stderr of problems, and of cards whose content the guest controls. Throws
 * {@link XsndError} (exit 1) if the domain has no card.
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

/** A guest can write the frontend directory, so only a card of `xsnd provision` has nodes beyond the guest's reach. */
function warnOf({ domain, address, provisionedBy, problems }: PresentCard): void {
  for (const problem of problems) warn(problem);
  if (provisionedBy === "xsnd") return;
  warn(
    `card ${address.card} of ${domain.name} was not made by xsnd: its streams and limits come from the guest's own directory; ` +
      "compare them with the configuration of xl",
  );
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

/** Validates the configuration that was made of the domain `name`. Throws {@link XsndError} (exit 6) if it is invalid. */
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
