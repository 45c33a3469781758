// SPDX-License-Identifier: MIT
/**
 * The cache of built things. Each is a folder named by a digest of its inputs, so that a change of a package or of a
 * script makes a new one and nothing else does; an older one of the same name is removed then.
 */
import { digest, exists, phase, shell } from "./command.ts";
import { Apt, type Arch, type Release } from "./packages.ts";

/** Something to build: what decides its content, and how it is made. */
export interface Recipe {
  readonly name: string;
  /** Debian packages that it is made of; `only` picks from their dependency closure. */
  readonly debian?: {
    readonly release: Release;
    readonly packages: readonly string[];
    readonly only?: RegExp;
  };
  /** Whatever else its content follows from: versions, texts, folders of this cache. */
  readonly inputs: readonly string[];
  /** Makes it in `out`, from the packages unpacked in `root`. Both are empty folders otherwise. */
  build(root: string, out: string): Promise<void>;
}

/** Before packages are downloaded their lists must be fresh: a mirror drops what it has replaced. */
const freshMs = 3600 * 1000;

/** Returns the folder of what `recipe` makes, after making it if it is not in `cache` yet. */
export async function build(cache: string, arch: Arch, recipe: Recipe): Promise<string> {
  const { name, debian } = recipe;
  const at = async (packages: readonly string[]) =>
    `${cache}/images/${name}-${arch}-${await digest(JSON.stringify([packages, recipe.inputs]))}`;
  const resolve = async (maxAgeMs?: number) => {
    if (debian === undefined) return [];
    const apt = await Apt.open(cache, arch, debian.release, maxAgeMs);
    return (await apt.resolve(debian.packages)).filter((spec) => debian.only?.test(spec) ?? true);
  };
  const known = await at(await resolve());
  if (await exists(known)) return known;

  const packages = await resolve(freshMs);
  const directory = await at(packages);
  if (await exists(directory)) return directory;
  const scratch = `${directory}.${Deno.pid}`;
  await phase(`build ${name} (${arch})`, async () => {
    try {
      await shell('mkdir -p "$1/debs" "$1/root" "$1/out"', scratch);
      if (debian !== undefined) {
        const apt = await Apt.open(cache, arch, debian.release);
        await unpack(await apt.download(packages, `${scratch}/debs`), `${scratch}/root`);
      }
      await recipe.build(`${scratch}/root`, `${scratch}/out`);
      // A digest has 12 digits; what another process is building at this moment has a longer name.
      await shell('rm -rf "$1"-????????????', `${cache}/images/${name}-${arch}`);
      await Deno.rename(`${scratch}/out`, directory);
    } finally {
      await shell('rm -rf "$1"', scratch);
    }
  });
  return directory;
}

/** Unpacks packages into a root with /usr merged, without running any of their scripts; dpkg there knows of them. */
async function unpack(packages: readonly string[], root: string): Promise<void> {
  await shell(
    'cd "$1"; shift; for d in bin sbin lib lib64; do mkdir -p usr/$d; ln -s usr/$d $d; done; ' +
      "mkdir -p var/lib/dpkg/info var/lib/dpkg/updates; " +
      'for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink; ' +
      'dpkg-deb --field "$deb" | sed "/^Package:/a Status: install ok installed" >>var/lib/dpkg/status; ' +
      "echo >>var/lib/dpkg/status; done",
    root,
    ...packages,
  );
}
