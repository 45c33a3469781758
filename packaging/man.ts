// SPDX-License-Identifier: MIT
/**
 * Prints a manual page in roff, or writes all of them in Markdown to docs/manual.
 *
 *     deno task man xsnd.yaml >xsnd.yaml.5 && man ./xsnd.yaml.5    # a page by its name; xsnd unless given
 *     deno task docs                                               # docs/manual, with the other pages that are made
 */
import { releasesOf } from "./changelog.ts";
import { markdownFile, markdownOf } from "./manual/markdown.ts";
import { manualPages } from "./manual/pages.ts";
import { roffOf } from "./manual/roff.ts";

const project = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Writes every page to the folder `directory`, which exists, before it is formatted. Returns the names of the files. */
export async function writeMarkdown(directory: string): Promise<string[]> {
  const pages = await manualPages();
  return pages.map((page) => {
    const name = markdownFile(page);
    Deno.writeTextFileSync(`${directory}/${name}`, markdownOf(page, pages));
    return name;
  });
}

async function printPage(wanted: string): Promise<void> {
  const pages = await manualPages();
  const page = pages.find(({ name }) => name === wanted);
  if (page === undefined) {
    console.error(`man: there is no page ${wanted}; there are ${pages.map(({ name }) => name).join(", ")}`);
    Deno.exit(2);
  }
  const [release] = releasesOf(Deno.readTextFileSync(`${project}/CHANGELOG.md`));
  console.log(roffOf(page, release.date).trimEnd());
}

if (import.meta.main) {
  if (Deno.args[0] === "--markdown") await writeMarkdown(`${project}/docs/manual`);
  else await printPage(Deno.args[0] ?? "xsnd");
}
