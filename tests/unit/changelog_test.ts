// SPDX-License-Identifier: MIT
/** Tests how the packages read CHANGELOG.md. */
import assert from "node:assert/strict";
import { cutRelease, debianChangelog, releasesOf, secondsOf } from "../../packaging/changelog.ts";
import { VERSION } from "../../lib/base/version.ts";

const TEXT = `# Changelog

Some words.

## [0.2.0] - 2026-12-01

### Added

- One thing
  in two lines.
- Another.

### Fixed

- A third.

## [0.1.0] - 2026-11-24

- The first.
`;

Deno.test("releasesOf() finds versions, dates and items, newest first", () => {
  assert.deepEqual(releasesOf(TEXT), [
    { version: "0.2.0", date: "2026-12-01", items: ["One thing in two lines.", "Another.", "A third."] },
    { version: "0.1.0", date: "2026-11-24", items: ["The first."] },
  ]);
  assert.throws(() => releasesOf("# Changelog\n"), /no release/);
  assert.throws(() => releasesOf("## [0.2.0]\n"), /not "## \[version\] - date"/);
});

Deno.test("cutRelease() gives what is unreleased a version and a date", () => {
  const text = TEXT.replace("## [0.2.0]", "## [Unreleased]\n\n### Added\n\n- New.\n\n## [0.2.0]");
  const cut = cutRelease(text, "0.3.0", "2026-12-24");
  assert.deepEqual(releasesOf(cut).map(({ version, items }) => [version, items.length]), [
    ["0.3.0", 1],
    ["0.2.0", 3],
    ["0.1.0", 1],
  ]);
  assert.match(cut, /^## \[Unreleased\]\n\n## \[0\.3\.0\] - 2026-12-24\n\n### Added\n\n- New\.$/m);
  // Nothing to release: the section is empty, or is missing, or 0.2.0 is already released.
  assert.throws(() => cutRelease(cut, "0.4.0", "2026-12-25"), /no change under/);
  assert.throws(() => cutRelease(TEXT, "0.3.0", "2026-12-25"), /no change under/);
  assert.throws(() => cutRelease(text, "0.2.0", "2026-12-25"), /0\.2\.0 already/);
});

Deno.test("the newest release is this version", () => {
  const url = new URL("../../CHANGELOG.md", import.meta.url);
  assert.equal(releasesOf(Deno.readTextFileSync(url))[0].version, VERSION);
});

Deno.test("debianChangelog() is what dpkg-parsechangelog reads", async () => {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(file, debianChangelog(releasesOf(TEXT), "Some One <one@example.org>"));
    const args = ["--file", file, "--show-field"];
    const field = async (name: string) => {
      const { stdout } = await new Deno.Command("dpkg-parsechangelog", { args: [...args, name] }).output();
      return new TextDecoder().decode(stdout).trim();
    };
    assert.equal(await field("Version"), "0.2.0");
    assert.equal(await field("Timestamp"), String(secondsOf({ version: "", date: "2026-12-01", items: [] })));
    assert.equal(await field("Maintainer"), "Some One <one@example.org>");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // dpkg-dev may be missing
  } finally {
    Deno.removeSync(file);
  }
});
