// SPDX-License-Identifier: MIT
/**
 * The software bill of materials of the Debian package, in CycloneDX 1.6 JSON: the npm packages of deno.lock, Deno, and the
 * Debian packages that dpkg requires.
 *
 *     deno task sbom >xsnd.cdx.json
 *
 * The same sources give the same octets: the only time in it is SOURCE_DATE_EPOCH, or that of the newest release.
 */
import { join } from "node:path";
import { VERSION } from "../lib/base/version.ts";
import { releasesOf, secondsOf } from "./changelog.ts";
import { DEPENDS } from "./debian.ts";
import { type NpmPackage, npmPackages } from "./npm_packages.ts";

export interface Sbom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  /** Counts editions of one document; a new release is a new document. */
  readonly version: 1;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export interface Component {
  readonly type: "application" | "platform" | "library";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version?: string;
  /** `excluded`: only tests use it; it is not in the package. */
  readonly scope?: "required" | "excluded";
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
  readonly licenses?: readonly { readonly license: { readonly id: string } }[];
  readonly copyright?: string;
  readonly purl: string;
}

export interface SbomOptions {
  /** The version of the shipped Deno; "" if it cannot be run to ask. */
  readonly denoVersion: string;
  /** The document's time, in seconds since 1970. */
  readonly seconds: number;
}

/** The bill for the tree `project`. */
export async function sbom(project: string, { denoVersion, seconds }: SbomOptions): Promise<Sbom> {
  const npm = await npmPackages(project);
  const npmComponents = npm.map(npmComponent);
  const deno = denoComponent(denoVersion);
  const debian = DEPENDS.map(debianComponent);
  const imported = Object.values(
    JSON.parse(Deno.readTextFileSync(join(project, "deno.json"))).imports as Record<string, string>,
  );
  const direct = npm.filter((one) => one.isBundled && imported.includes(`npm:${one.name}@${one.version}`));
  const xsnd: Component = {
    type: "application",
    "bom-ref": "xsnd",
    name: "xsnd",
    version: VERSION,
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:generic/xsnd@${VERSION}`,
  };
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { timestamp: new Date(seconds * 1000).toISOString(), component: xsnd },
    components: [...npmComponents, deno, ...debian],
    dependencies: [
      { ref: "xsnd", dependsOn: [...direct.map(npmUrl), ...[deno, ...debian].map((one) => one["bom-ref"])] },
      ...npm.map((one) => ({
        ref: npmUrl(one),
        dependsOn: npm.filter(({ name, version }) => one.dependencies.includes(`${name}@${version}`)).map(
          npmUrl,
        ),
      })),
    ],
  };
}

function npmComponent(one: NpmPackage): Component {
  const url = npmUrl(one);
  return {
    type: "library",
    "bom-ref": url,
    name: one.name,
    version: one.version,
    scope: one.isBundled ? "required" : "excluded",
    hashes: [{ alg: "SHA-512", content: sha512Of(one) }],
    licenses: [{ license: { id: one.licence } }],
    ...(one.copyright.length > 0 && { copyright: one.copyright.join(", ") }),
    purl: url,
  };
}

/** The package URL (purl): a scope's @ is escaped. */
function npmUrl({ name, version }: Pick<NpmPackage, "name" | "version">): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** The hash of deno.lock in hexadecimal. */
function sha512Of({ name, integrity }: NpmPackage): string {
  const [, base64] = /^sha512-(.+)$/.exec(integrity) ?? [];
  if (base64 === undefined) throw new Error(`deno.lock: ${name} has no sha512: ${integrity}`);
  return Uint8Array.fromBase64(base64).toHex();
}

function denoComponent(version: string): Component {
  const url = "pkg:github/denoland/deno";
  return {
    type: "platform",
    "bom-ref": url,
    name: "deno",
    ...(version !== "" && { version }),
    scope: "required",
    licenses: [{ license: { id: "MIT" } }],
    purl: version === "" ? url : `${url}@v${version}`,
  };
}

/** dpkg takes any version of a package, and any one of its alternatives; the first stands for them. */
function debianComponent([name]: readonly [string, ...string[]]): Component {
  const url = `pkg:deb/debian/${name}`;
  return { type: "library", "bom-ref": url, name, scope: "required", purl: url };
}

/** The document as a file holds it. */
export async function sbomText(project: string, options: SbomOptions): Promise<string> {
  return `${JSON.stringify(await sbom(project, options), null, 2)}\n`;
}

if (import.meta.main) {
  const project = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  const [release] = releasesOf(Deno.readTextFileSync(`${project}/CHANGELOG.md`));
  const seconds = Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? secondsOf(release));
  console.log((await sbomText(project, { denoVersion: Deno.version.deno, seconds })).trimEnd());
}
