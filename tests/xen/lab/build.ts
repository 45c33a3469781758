// SPDX-License-Identifier: MIT
/**
 * The cache of built images. Each image is a folder named by a digest of its inputs, so only a change of a package or of a
 * script makes a new image. The new image replaces the older one of the same name.
 */
import { digest, exists, phase, shell } from "./command.ts";
import { Apt, type Arch, type Release } from "./packages.ts";

/** An image to build: its inputs and its build function. */
export interface Recipe {
  readonly name: string;
  /** The image's Debian packages; `only` selects from their dependency closure. */
  readonly debian?: {
    readonly release: Release;
    readonly packages: readonly string[];
    readonly only?: RegExp;
  };
  /** All other inputs that determine the content: versions, texts, folders of this cache. */
  readonly inputs: readonly string[];
  /** Makes the image in the empty folder `out`. The packages are unpacked in `root`, which is empty without packages. */
  build(root: string, out: string): Promise<void>;
}

/** The highest age of package lists for a download: mirrors remove replaced versions. */
const freshMs = 3600 * 1000;

/** Returns the folder of the image; builds the image if it is not in `cache`. */
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
      // A digest has 12 digits. The scratch folder of another process's build has a longer name, and stays.
      await shell('rm -rf "$1"-????????????', `${cache}/images/${name}-${arch}`);
      await Deno.rename(`${scratch}/out`, directory);
    } finally {
      await shell('rm -rf "$1"', scratch);
    }
  });
  return directory;
}

/** Unpacks packages into a root with /usr merged, without running their scripts, and lists them in dpkg's database there. */
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
