/** What `import` and `export` read from: a file, or a running domain. */
import { Exit, XsndError } from "../lib/error.ts";
import type { Config } from "../lib/vsnd/card.ts";
import type { PresentCard } from "../lib/vsnd/inventory.ts";

/** Whether SOURCE names a file; a text with a slash or a dot cannot be meant for a domain. */
export function isFile(source: string): boolean {
  if (/[/.]/.test(source)) return true;
  try {
    return Deno.statSync(source).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The cards of a running domain. Throws {@link XsndError} (exit 1) if there are none. */
export async function cardsOfDomain(name: string): Promise<PresentCard[]> {
  const { readCards } = await import("../lib/vsnd/inventory.ts");
  const { resolveDomain } = await import("../lib/xenbus/mod.ts");
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
  const { judge } = await import("../lib/vsnd/judge.ts");
  const { formatPath } = await import("../lib/vsnd/finding.ts");
  const verdict = judge(value);
  if ("config" in verdict) return verdict.config;
  const lines = verdict.findings.map(({ path, what, instead }) =>
    `${name} as it runs has ${formatPath(path)}: ${
      [what, instead].filter((part) => part !== undefined).join("; ")
    }`
  );
  throw new XsndError(lines.join("\n"), Exit.badConfiguration);
}
