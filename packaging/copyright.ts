// SPDX-License-Identifier: MIT
/**
 * The package's copyright file in Debian's machine-readable form (copyright-format 1.0, "DEP-5"): the terms of xsnd, of Deno,
 * and of the npm packages in the bundle. File patterns are paths in the installed package.
 */
import { join } from "node:path";
import { type NpmPackage, npmPackages } from "./npm_packages.ts";

/** Debian's names of licences that SPDX names otherwise. */
const DEBIAN_NAMES: Readonly<Record<string, string>> = { MIT: "Expat" };

/** Licences of which Debian has the text once for all packages. */
const COMMON_LICENSES = ["Apache-2.0"];

/** The copyright file for the tree `project`. @param denoVersion "" if the shipped Deno cannot be run to ask */
export async function copyright(project: string, denoVersion: string): Promise<string> {
  const bundled = (await npmPackages(project)).filter(({ isBundled }) => isBundled);
  const { notice, text } = ownLicence(project);
  const texts = new Map([["MIT", text]]);
  for (const { name, licence, licenceText, copyright } of bundled) {
    const known = texts.get(licence);
    if (licenceText === undefined || copyright.length === 0) {
      throw new Error(`${name} holds no text of its licence, or names no author`);
    }
    if (known === undefined) texts.set(licence, licenceText);
    else if (!COMMON_LICENSES.includes(licence) && wordsOf(known) !== wordsOf(licenceText)) {
      throw new Error(
        `${name}: the text of its licence is not that of ${licence}; give it a paragraph of its own`,
      );
    }
  }
  return [
    paragraph({
      Format: ["https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"],
      "Upstream-Name": ["xsnd"],
      Comment: ["File patterns are paths in the installed package."],
    }),
    paragraph({ Files: ["*"], Copyright: [notice], License: ["Expat"] }),
    paragraph({
      Files: ["usr/lib/xsnd/deno"],
      Copyright: ["2018-2026 the Deno authors"],
      License: ["Expat"],
      Comment: [`${`Deno ${denoVersion}`.trimEnd()}, the program that runs xsnd.`],
    }),
    paragraph({
      Files: ["usr/lib/xsnd/*.js"],
      Copyright: [...new Set([notice, ...bundled.flatMap(({ copyright }) => copyright)])],
      License: [[...texts.keys()].map(debianName).join(" and ")],
      Comment: ["xsnd, bundled with these npm packages:", ...bundled.map(describe)],
    }),
    ...Array.from(texts, ([licence, text]) =>
      paragraph({
        License: [
          debianName(licence),
          ...(COMMON_LICENSES.includes(licence)
            ? [`On Debian systems the text is in /usr/share/common-licenses/${licence}.`]
            : text.split("\n")),
        ],
      })),
  ].join("\n");
}

function describe({ name, version, licence, copyright }: NpmPackage): string {
  return ` ${name} ${version}: ${debianName(licence)}, ${copyright.join(", ")}`;
}

function debianName(licence: string): string {
  return DEBIAN_NAMES[licence] ?? licence;
}

/** The notice and the text of xsnd's own LICENSE. */
function ownLicence(project: string): { notice: string; text: string } {
  const licence = Deno.readTextFileSync(join(project, "LICENSE"));
  const [, notice, text] = /^MIT License\n\nCopyright \(c\) (.+)\n\n([^]+)$/.exec(licence) ?? [];
  if (notice === undefined || text === undefined) {
    throw new Error("LICENSE is not the MIT License with one notice");
  }
  return { notice, text: text.trim() };
}

/** A text without line breaks, quotation marks and capitals, in which copies of one licence differ. */
function wordsOf(text: string): string {
  return text.replaceAll(/["'\u2018\u2019\u201c\u201d]/g, "").split(/\s+/).join(" ").toLowerCase();
}

/** Fields of several lines: a continuation line begins with a space, and an empty one is a full stop. */
function paragraph(fields: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(fields).flatMap(([name, [first = "", ...rest]]) => [
    `${name}: ${first}`.trimEnd(),
    ...rest.map((line) => line.trim() === "" ? " ." : ` ${line.trimEnd()}`),
  ]);
  return `${lines.join("\n")}\n`;
}
