// SPDX-License-Identifier: MIT
/**
 * Fetches Debian packages of any release and architecture with apt. The lab only reads the machine's own apt state, for the
 * mirror, unless a host tool of the lab is missing. No foreign package is installed or run.
 */
import { digest, exists, LabError, phase, run, say } from "./command.ts";

/** Debian's names of the architectures that the lab can emulate. */
export type Arch = "amd64" | "arm64";

/** bookworm has Xen 4.17 and Linux 6.1; sid has the newest kernel. */
export type Release = "bookworm" | "sid";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const week = 7 * 24 * 3600 * 1000;

/** Programs that the lab runs on the host, and their packages. */
const hostTools = {
  "cpio": "cpio",
  "depmod": "kmod",
  "dpkg-deb": "dpkg",
  "mke2fs": "e2fsprogs",
  "setpriv": "util-linux",
  "xz": "xz-utils",
  "zstd": "zstd",
};
const emulator: Record<Arch, [program: string, debianPackage: string]> = {
  amd64: ["qemu-system-x86_64", "qemu-system-x86"],
  arm64: ["qemu-system-aarch64", "qemu-system-arm"],
};

/** Installs the missing programs on this machine, with apt-get, as root; does nothing if none is missing. */
export async function installHostTools(arch: Arch): Promise<void> {
  const path = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/sbin");
  const missing: string[] = [];
  for (const [program, debianPackage] of [...Object.entries(hostTools), emulator[arch]]) {
    const found = await Promise.all(path.map((directory) => exists(`${directory}/${program}`)));
    if (!found.includes(true)) missing.push(debianPackage);
  }
  if (missing.length === 0) return;
  await phase(`install ${missing.join(" ")}`, async () => {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["-qq", "update"], { env });
    await run("apt-get", ["-qq", "-y", "--no-install-recommends", "install", ...missing], { env });
  });
}

/** `deb` lines of `release`, on the mirrors of this machine's own sources. */
async function sourceLines(release: Release): Promise<string> {
  const targets = await run("apt-get", [
    "indextargets",
    "--format",
    "$(REPO_URI) $(CODENAME) $(LABEL)",
    "Created-By: Packages",
    "Origin: Debian",
    "Component: main",
  ]);
  const mirrors = new Map<string, string>();
  for (const line of targets.trim().split("\n")) {
    const [uri, , ...label] = line.split(" ");
    mirrors.set(label.join(" "), uri!);
  }
  const main = mirrors.get("Debian");
  if (main === undefined) {
    throw new LabError(
      "this machine's apt sources name no Debian mirror: run the lab on Debian, or add a mirror with `main` " +
        "to /etc/apt/sources.list.d and run `apt-get update`",
    );
  }
  const line = (uri: string, suite: string) => `deb [signed-by=${keyring}] ${uri} ${suite} main\n`;
  if (release === "sid") return line(main, "sid");
  const security = mirrors.get("Debian-Security");
  return line(main, release) + line(main, `${release}-updates`) +
    (security === undefined ? "" : line(security, `${release}-security`));
}

/** apt with lists and an (empty) package database of its own. */
export class Apt {
  private constructor(readonly arch: Arch, readonly release: Release, private readonly directory: string) {}

  /** Opens the state in `cache`; its lists are refreshed if they are older than `maxAgeMs`. */
  static async open(cache: string, arch: Arch, release: Release, maxAgeMs = week): Promise<Apt> {
    const apt = new Apt(arch, release, `${cache}/apt/${release}-${arch}`);
    const updated = await Deno.stat(`${apt.directory}/updated`).catch(() => undefined);
    if (updated === undefined) await apt.update();
    else if (Date.now() - updated.mtime!.getTime() > maxAgeMs) {
      await apt.update().catch((error) => say(`keeping the old package lists: ${error.message}`));
    }
    return apt;
  }

  private async update(): Promise<void> {
    await Deno.mkdir(`${this.directory}/lists/partial`, { recursive: true });
    await Deno.writeTextFile(`${this.directory}/sources.list`, await sourceLines(this.release));
    await phase(
      `package lists of ${this.release}/${this.arch}`,
      () => this.apt(["apt-get", "-qq", "update", "-o", "APT::Update::Error-Mode=any"]),
    );
    await Deno.remove(`${this.directory}/closures`, { recursive: true }).catch(() => {});
    await Deno.mkdir(`${this.directory}/closures`);
    await Deno.writeTextFile(`${this.directory}/updated`, "");
  }

  /** Resolves `names` and all their dependencies to the newest versions, as `name=version`; downloads nothing. */
  async resolve(names: readonly string[]): Promise<string[]> {
    const memo = `${this.directory}/closures/${await digest(names.join(" "))}`;
    let uris = await Deno.readTextFile(memo).catch(() => undefined);
    if (uris === undefined) {
      uris = await this.apt([
        "apt-get",
        "-qq",
        "--no-install-recommends",
        "--print-uris",
        "install",
        ...names,
      ]);
      await Deno.writeTextFile(memo, uris);
    }
    // Each line is: 'URI' NAME_VERSION_ARCH.deb SIZE CHECKSUM
    return uris.trim().split("\n").map((line) => {
      const [name, version] = line.split(" ")[1]!.split("_");
      return `${name}=${decodeURIComponent(version!)}`;
    });
  }

  /** Downloads `name=version` packages into a folder and returns the files' paths. */
  async download(packages: readonly string[], into: string): Promise<string[]> {
    await phase(
      `download ${packages.length} packages of ${this.release}/${this.arch}`,
      () => this.apt(["apt-get", "-qq", "download", ...packages], into),
    );
    return Array.from(Deno.readDirSync(into), ({ name }) => `${into}/${name}`).sort();
  }

  private apt([tool, ...args]: string[], cwd?: string): Promise<string> {
    const settings = {
      "APT::Architecture": this.arch,
      "APT::Architectures": this.arch,
      "APT::Sandbox::User": "root",
      "Acquire::Languages": "none",
      "Dir::Cache": this.directory,
      "Dir::Etc::sourcelist": `${this.directory}/sources.list`,
      "Dir::Etc::sourceparts": "-",
      "Dir::State::lists": `${this.directory}/lists`,
      "Dir::State::status": "/dev/null",
    };
    const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
    return run(tool!, [...options, ...args], { cwd });
  }
}
