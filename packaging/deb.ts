// SPDX-License-Identifier: MIT
/**
 * Makes the Debian package. It contains everything that a dom0 without a network needs, Deno included.
 *
 *     deno task package                           # dist/xsnd_VERSION_ARCH.deb; xz takes a minute or two
 *     deno task package --output=DIR --fast       # in another folder, in seconds, with a larger file: for tests
 *     deno task package --arch=arm64 --deno=FILE  # for another architecture, with a Deno for it
 *
 * The same sources and the same Deno make the same package, octet for octet: every time in it is that of the newest
 * release in CHANGELOG.md, or SOURCE_DATE_EPOCH.
 */
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { SCRIPTS } from "../lib/completion/shells.ts";
import { VERSION } from "../lib/base/version.ts";
import { bundle, files } from "./bundle.ts";
import { debianChangelog, type Release, releasesOf, secondsOf } from "./changelog.ts";
import { CONFFILES, control, DEFAULTS, MAINTAINER, MAINTAINER_SCRIPTS } from "./debian.ts";
import { copyright } from "./copyright.ts";
import { manualPages } from "./manual/pages.ts";
import { roffOf } from "./manual/roff.ts";
import { sbomText } from "./sbom.ts";
import { SERVICE, STANDBY_SERVICE, standbyUnit } from "./units.ts";

const project = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

export interface PackageOptions {
  /** The folder for the package. It is created if it is missing. */
  readonly output: string;
  /** Debian's name of the architecture. Default: this machine's. */
  readonly arch?: string;
  /** The Deno to put into the package. Default: the Deno that runs this. */
  readonly deno?: string;
  /** Whether to compress with gzip at level 1 instead of xz. */
  readonly fast?: boolean;
}

/** Makes the package and returns its path. Throws Error if CHANGELOG.md does not begin with this version, or a tool fails. */
export async function makePackage(options: PackageOptions): Promise<string> {
  const { output, arch = hostArch(), deno = Deno.execPath(), fast = false } = options;
  const releases = releasesOf(Deno.readTextFileSync(`${project}/CHANGELOG.md`));
  if (releases[0].version !== VERSION) {
    throw new Error(`CHANGELOG.md begins with ${releases[0].version}, and this is ${VERSION}`);
  }
  const time = Deno.env.get("SOURCE_DATE_EPOCH") ?? String(secondsOf(releases[0]));
  const root = Deno.makeTempDirSync({ prefix: "xsnd-package-" });
  try {
    await writeProgram(root, deno);
    const denoVersion = options.deno === undefined ? Deno.version.deno : "";
    await writeDocumentation(root, releases, denoVersion, Number(time));
    writeSettings(root);
    writeControl(root, arch);
    // Modes and times must not depend on the user's umask or on the moment.
    await run("chmod", ["--recursive", "u=rwX,go=rX", root]);
    await run("find", [root, "-depth", "-exec", "touch", "--no-dereference", `--date=@${time}`, "{}", "+"]);
    Deno.mkdirSync(output, { recursive: true });
    const deb = join(output, `xsnd_${VERSION}_${arch}.deb`);
    const compression = fast ? ["-Zgzip", "-z1"] : ["-Zxz"];
    await run("dpkg-deb", ["--root-owner-group", ...compression, "--build", root, deb], {
      SOURCE_DATE_EPOCH: time,
    });
    return deb;
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function hostArch(): string {
  return { x86_64: "amd64", aarch64: "arm64" }[Deno.build.arch];
}

/** Writes the launcher with the bundle and Deno beside it, where the launcher looks for them. */
async function writeProgram(root: string, deno: string): Promise<void> {
  const directory = join(root, "usr/lib/xsnd");
  await bundle(project, directory);
  copy(deno, join(directory, "deno"));
  copy(`${project}/xsnd`, join(directory, "xsnd"));
  Deno.mkdirSync(join(root, "usr/bin"));
  Deno.symlinkSync("../lib/xsnd/xsnd", join(root, "usr/bin/xsnd"));
  Deno.mkdirSync(join(root, "var/cache/xsnd"), { recursive: true }); // see the launcher
}

/** @param denoVersion "" for another machine's Deno, which cannot be run to ask */
async function writeDocumentation(
  root: string,
  releases: readonly [Release, ...Release[]],
  denoVersion: string,
  seconds: number,
): Promise<void> {
  const doc = join(root, "usr/share/doc/xsnd");
  write(join(doc, "copyright"), await copyright(project, denoVersion));
  write(join(doc, "xsnd.cdx.json"), await sbomText(project, { denoVersion, seconds }));
  write(join(doc, "changelog.gz"), await gzip(debianChangelog(releases, MAINTAINER)));
  for (const page of await manualPages()) {
    const path = `usr/share/man/man${page.section}/${page.name}.${page.section}.gz`;
    write(join(root, path), await gzip(roffOf(page, releases[0].date)));
  }
  for (const name of ["README.md", "SECURITY.md", "CONTRIBUTING.md"]) {
    copy(`${project}/${name}`, join(doc, name));
  }
  for (const path of files(project, "docs")) copy(join(project, path), join(doc, path));
  copy(`${project}/docs/xsnd.schema.json`, join(root, "usr/share/xsnd/xsnd.schema.json"));
  for (const name of ["domU", "dummy", "two-guests"]) {
    copy(`${project}/fixtures/${name}.yaml`, join(doc, `examples/${name}.yaml`));
  }
  copy(`${project}/contrib/grafana/xsnd.json`, join(doc, "examples/grafana.json"));
  copy(`${project}/contrib/prometheus/xsnd.rules.yml`, join(doc, "examples/xsnd.rules.yml"));
  write(join(root, "usr/share/bash-completion/completions/xsnd"), SCRIPTS.bash);
  write(join(root, "usr/share/zsh/vendor-completions/_xsnd"), SCRIPTS.zsh);
  write(join(root, "usr/share/fish/vendor_completions.d/xsnd.fish"), SCRIPTS.fish);
}

function writeSettings(root: string): void {
  const [unit, units] = [`${project}/packaging/${SERVICE}`, join(root, "lib/systemd/system")];
  copy(unit, join(units, SERVICE));
  write(join(units, STANDBY_SERVICE), standbyUnit(Deno.readTextFileSync(unit)));
  for (const [path, content] of Object.entries(DEFAULTS)) write(join(root, path), content);
}

function writeControl(root: string, arch: string): void {
  const paths = files(root, "");
  const octets = paths.reduce((total, path) => total + Deno.lstatSync(join(root, path)).size, 0);
  const debian = join(root, "DEBIAN");
  write(join(debian, "control"), control(VERSION, arch, Math.ceil(octets / 1024)));
  write(join(debian, "conffiles"), CONFFILES);
  for (const [name, script] of Object.entries(MAINTAINER_SCRIPTS)) write(join(debian, name), script, 0o755);
}

function write(path: string, content: string | Uint8Array<ArrayBuffer>, mode = 0o644): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content, {
    mode,
  });
}

/** Copies a file with its mode. */
function copy(from: string, to: string): void {
  Deno.mkdirSync(dirname(to), { recursive: true });
  Deno.copyFileSync(from, to);
}

/** Compresses `text`. No name and no time is in the result. */
async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const child = new Deno.Command("gzip", { args: ["-9", "--no-name"], stdin: "piped", stdout: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(text)).then(() => writer.close());
  const [{ success, stdout }] = await Promise.all([child.output(), written]);
  if (!success) throw new Error("gzip failed");
  return stdout;
}

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, env, stdout: "null", stderr: "piped" })
    .output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      output: { type: "string", default: `${project}/dist` },
      arch: { type: "string" },
      deno: { type: "string" },
      fast: { type: "boolean" },
    },
  });
  if (values.arch !== undefined && values.arch !== hostArch() && values.deno === undefined) {
    console.error(`package: --arch=${values.arch} needs --deno=FILE, a Deno for that machine`);
    Deno.exit(2);
  }
  console.log(await makePackage(values));
}
