// SPDX-License-Identifier: MIT
/**
 * Makes a release of what is committed:
 *
 *     deno task release 0.2.0                     # the package of this machine's architecture, in dist/
 *     deno task release 0.2.0 --deno-arm64=FILE   # the package for arm64 too, with its Deno
 *
 * A release writes the version into deno.json, and turns the section "Unreleased" of CHANGELOG.md into the version's own, with
 * today's date. It makes the packages and a file of their checksums. If a step fails, both files are as before. A release
 * commits nothing: its last lines name the commands that do.
 */
import { parseArgs } from "node:util";
import { cutRelease } from "./changelog.ts";

const project = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** A failure that the caller can mend: the message says how. */
class ReleaseError extends Error {}

interface ReleaseOptions {
  readonly version: string;
  /** `2026-11-24` */
  readonly date: string;
  /** The folder that the packages and the checksums go to. */
  readonly output: string;
  /** A Deno for arm64; without one there is no package for arm64. */
  readonly denoArm64?: string | undefined;
  /** Compress little. */
  readonly fast: boolean;
}

/** Makes the release, and returns the paths of its packages. Throws {@link ReleaseError}. */
async function release({ version, date, output, denoArm64, fast }: ReleaseOptions): Promise<string[]> {
  const status = await run("git", ["-C", project, "status", "--porcelain"]);
  if (status !== "") {
    throw new ReleaseError(`the tree has changes that are not committed; commit them first:\n${status}`);
  }
  const [config, changelog] = [`${project}/deno.json`, `${project}/CHANGELOG.md`].map((path) => ({
    path,
    text: Deno.readTextFileSync(path),
  })) as [{ path: string; text: string }, { path: string; text: string }];
  const before: string = JSON.parse(config.text).version;
  if (!isLater(version, before)) {
    throw new ReleaseError(`${version} is not later than ${before}, the version in deno.json`);
  }
  const cut = cutRelease(changelog.text, version, date);
  try {
    Deno.writeTextFileSync(
      config.path,
      config.text.replace(`"version": "${before}"`, `"version": "${version}"`),
    );
    Deno.writeTextFileSync(changelog.path, cut);
    const speed = fast ? ["--fast"] : [];
    // A process of its own: this one has read the former version.
    const packages = [await makePackage([`--output=${output}`, ...speed])];
    if (denoArm64 !== undefined) {
      packages.push(
        await makePackage([`--output=${output}`, ...speed, "--arch=arm64", `--deno=${denoArm64}`]),
      );
    }
    const names = packages.map((path) => path.slice(path.lastIndexOf("/") + 1));
    Deno.writeTextFileSync(`${output}/SHA256SUMS`, await run("sha256sum", names, output));
    return packages;
  } catch (error) {
    for (const { path, text } of [config, changelog]) Deno.writeTextFileSync(path, text);
    throw error;
  }
}

/** Whether `version` is a version, and a later one than `before`. */
function isLater(version: string, before: string): boolean {
  const numbers = (text: string) => /^(\d+)\.(\d+)\.(\d+)$/.exec(text)?.slice(1).map(Number);
  const [a, b] = [numbers(version), numbers(before)];
  if (a === undefined || b === undefined) {
    throw new ReleaseError(
      `${JSON.stringify(version)} is not a version; write MAJOR.MINOR.PATCH, as in 0.2.0`,
    );
  }
  const differs = a.findIndex((number, i) => number !== b[i]);
  return differs >= 0 && a[differs]! > b[differs]!;
}

/** Runs deb.ts and returns the path that it prints. */
async function makePackage(args: string[]): Promise<string> {
  return (await run(Deno.execPath(), ["run", "-A", "--quiet", `${project}/packaging/deb.ts`, ...args]))
    .trim();
}

/** Runs a command and returns what it prints. Throws {@link ReleaseError} if it fails. */
async function run(command: string, args: string[], cwd?: string): Promise<string> {
  const options = {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(cwd !== undefined && { cwd }),
  } as const;
  const { success, stdout, stderr } = await new Deno.Command(command, options).output();
  const decoder = new TextDecoder();
  if (!success) throw new ReleaseError(`${command} ${args.join(" ")} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

if (import.meta.main) {
  const { values, positionals: [version] } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      date: { type: "string", default: new Date().toISOString().slice(0, 10) },
      output: { type: "string", default: `${project}/dist` },
      "deno-arm64": { type: "string" },
      fast: { type: "boolean", default: false },
    },
  });
  if (version === undefined) {
    console.error("release: which version? write `deno task release MAJOR.MINOR.PATCH`");
    Deno.exit(2);
  }
  try {
    const packages = await release({ ...values, version, denoArm64: values["deno-arm64"] });
    for (const path of [...packages, `${values.output}/SHA256SUMS`]) console.log(path);
    console.log(
      `\nLook at the change, then:\n  git commit -am "xsnd ${version}"\n  git tag -s v${version} -m "xsnd ${version}"`,
    );
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`release: ${error.message}`);
    Deno.exit(1);
  }
}
