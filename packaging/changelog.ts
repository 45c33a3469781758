// SPDX-License-Identifier: MIT
/** Reads the releases in CHANGELOG.md, prints them as Debian's changelog, and cuts a new release. */

export interface Release {
  readonly version: string;
  /** `2026-11-24` */
  readonly date: string;
  /** The changes, each without line breaks. */
  readonly items: readonly string[];
}

/** The releases in `text`, newest first. Throws Error if there is none. */
export function releasesOf(text: string): [Release, ...Release[]] {
  const [newest, ...older] = text.split(/^## (?=\[\d)/m).slice(1).map(releaseOf);
  if (newest === undefined) throw new Error("CHANGELOG.md has no release");
  return [newest, ...older];
}

/** A release from its section, which begins with `[version] - date`. */
function releaseOf(section: string): Release {
  const [, version, date] = /^\[(.+)\] - (\d{4}-\d\d-\d\d)$/m.exec(section) ?? [];
  if (version === undefined || date === undefined) {
    throw new Error(`CHANGELOG.md: not "## [version] - date": ${section.split("\n")[0]}`);
  }
  const items = section.split(/^- /m).slice(1).map((item) => item.replace(/\n[\n#][^]*/, ""));
  return { version, date, items: items.map((item) => item.replace(/\s+/g, " ").trim()) };
}

/**
 * The text with the section "Unreleased" made that of `version`, and an empty one above it. Throws Error if nothing is
 * unreleased, or if `version` is there already.
 *
 * @param date `2026-11-24`
 */
export function cutRelease(text: string, version: string, date: string): string {
  if (text.includes(`## [${version}]`)) throw new Error(`CHANGELOG.md has a release ${version} already`);
  const unreleased = /^## \[Unreleased\]\n([^]*?)(?=^## |$(?![^]))/m.exec(text);
  if (unreleased === null || !/^- /m.test(unreleased[1] ?? "")) {
    throw new Error(
      'CHANGELOG.md says of no change under "## [Unreleased]"; write there what the release changes',
    );
  }
  return text.replace("## [Unreleased]\n", `## [Unreleased]\n\n## [${version}] - ${date}\n`);
}

/** The start of a release's day in seconds since 1970: the time of every file in its package. */
export function secondsOf({ date }: Release): number {
  return Date.parse(date) / 1000;
}

/** The releases in the format of Debian's changelog.gz: deb-changelog(5). */
export function debianChangelog(releases: readonly Release[], maintainer: string): string {
  return releases.map((release) => {
    const items = release.items.map((item) => fold(item, "  * ", "    "));
    const date = new Date(secondsOf(release) * 1000).toUTCString().replace("GMT", "+0000");
    return `xsnd (${release.version}) unstable; urgency=medium\n\n${
      items.join("\n")
    }\n\n -- ${maintainer}  ${date}\n`;
  }).join("\n");
}

/** Wraps `text` at 79 columns, after `first` in the first line and `others` in the rest. */
function fold(text: string, first: string, others: string): string {
  const lines = [first.trimEnd()];
  for (const word of text.split(" ")) {
    if (lines.at(-1)!.length + 1 + word.length > 79) lines.push(others.slice(0, -1));
    lines[lines.length - 1] += ` ${word}`;
  }
  return lines.join("\n");
}
