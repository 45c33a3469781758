// SPDX-License-Identifier: MIT
/** The images that the lab boots: Xen, dom0's kernel and root, and the guests' kernels with their initramfs. */
import { build, type Recipe } from "./build.ts";
import { LabError, shell } from "./command.ts";
import { copyModules, kernelVersion } from "./modules.ts";
import type { Arch } from "./packages.ts";

/** Generations of the guest's driver: 6.1 counts event ids from the card's connection on, 7 from each open on. */
export type GuestKernel = "6.1" | "7";

/** Paths of all files that a boot needs. */
export interface Images {
  /** The hypervisor, in a format that QEMU loads. */
  readonly xen: string;
  readonly kernel: string;
  readonly initrd: string;
  /** dom0's root, a raw ext4 disk; nothing may write to it. */
  readonly disk: string;
  /** Folders with `vmlinuz` and `initramfs.gz` each. */
  readonly guests: Readonly<Record<GuestKernel, string>>;
}

const here = import.meta.dirname!;

const dom0Packages = [
  ...[
    "base-files",
    "base-passwd",
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
  ],
  ...[
    "gzip",
    "iproute2",
    "kmod",
    "libc-bin",
    "mawk",
    "mount",
    "ncurses-base",
    "procps",
    "sed",
    "tar",
    "util-linux",
  ],
  ...["alsa-utils", "libasound2-plugins", "xen-utils-4.17", "xenstore-utils"],
];
/** The modules for dom0's disk and the host's shares. */
const initrdModules = [
  ...["virtio_pci", "virtio_mmio", "virtio_blk", "crc32c_generic", "ext4"],
  ...["9pnet_virtio", "9p", "virtio_console"],
];
const dom0Modules = [
  ...["xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-netback", "xenfs"],
  ...["snd-aloop", "snd-dummy", "snd-intel8x0"],
];

const guestPackages = ["alsa-utils", "busybox-static", "libasound2", "xenstore-utils"];
const guestModules = ["snd_xen_front", "xen-netfront", "xen-evtchn", "xen-gntdev", "xen-gntalloc"];
/** Patterns of the packages' files in the initramfs. The initramfs is small, because Xen unpacks it slowly here. */
const guestFiles = [
  ...["busybox", "aplay", "arecord", "amixer", "xenstore*"].map((name) => `usr/bin/${name}`),
  ...["libasound.so.2*", "libxenstore.so.4*", "libxentoolcore.so.1*", "libc.so.6", "libm.so.6", "libdl.so.2"]
    .map((name) => `usr/lib/*-linux-gnu/${name}`),
  ...["libpthread.so.0", "librt.so.1", "ld-linux-*"].map((name) => `usr/lib/*-linux-gnu/${name}`),
  ...["usr/lib64/*", "usr/lib/ld-linux-*", "usr/share/alsa"],
];

/** Builds the images that `cache`, an absolute path, lacks; returns the paths of all images. */
export async function buildImages(cache: string, arch: Arch): Promise<Images> {
  const recipeText = await Deno.readTextFile(import.meta.filename!);
  const text = (name: string) => Deno.readTextFile(`${here}/${name}`);
  const make = (recipe: Recipe) => build(cache, arch, { ...recipe, inputs: [recipeText, ...recipe.inputs] });

  const linux = await make(kernelRecipe("linux-6.1", "bookworm", arch));
  const recent = await make(kernelRecipe("linux-7", "sid", arch));
  const xen = await make(xenRecipe(arch));
  const deno = await denoBinary(make, arch);
  const initrd = await make(initrdRecipe(linux, await text("dom0/initrd")));
  const dom0 = await make(dom0Recipe(linux, deno));
  const scripts = [await text("guest/init"), await text("guest/agent")];
  return {
    xen: `${xen}/xen`,
    kernel: `${linux}/vmlinuz`,
    initrd: `${initrd}/initrd.gz`,
    disk: `${dom0}/disk`,
    guests: {
      "6.1": await make(guestRecipe("guest-6.1", linux, scripts)),
      "7": await make(guestRecipe("guest-7", recent, scripts)),
    },
  };
}

/** A kernel: `vmlinuz`, unpacked on amd64, and all modules, indexed, in `lib/modules`. */
function kernelRecipe(name: string, release: "bookworm" | "sid", arch: Arch): Recipe {
  return {
    name,
    debian: { release, packages: [`linux-image-${arch}`], only: /^linux-(image|base|binary|modules)-\d/ },
    inputs: [],
    build: async (root, out) => {
      const version = kernelVersion(root);
      if (release === "sid" && parseInt(version) < 7) {
        throw new LabError(`sid has Linux ${version}, not 7 or later`);
      }
      await shell(
        'cd "$1"; mkdir "$2/lib"; cp boot/vmlinuz-"$3" "$2/vmlinuz" 2>/dev/null || ' +
          'cp lib/modules/"$3"/vmlinuz "$2/vmlinuz"; mv lib/modules "$2/lib"; depmod -b "$2" "$3"',
        root,
        out,
        version,
      );
      if (arch === "amd64") await unpackKernel(`${out}/vmlinuz`);
    },
  };
}

/**
 * Replaces an x86 kernel file (bzImage) by the ELF file packed in it. Xen and xl load both, but need six seconds here to unpack
 * a bzImage. The kernel's Documentation/arch/x86/boot.rst defines the header's fields.
 */
async function unpackKernel(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  const header = new DataView(bytes.buffer);
  const setupSectors = header.getUint8(0x1f1);
  const offset = (setupSectors + 1) * 512 + header.getUint32(0x248, true);
  const payload = bytes.subarray(offset, offset + header.getUint32(0x24c, true) - 4); // the last 4 octets are the unpacked size
  const tool = { 0xfd377a58: "xz", 0x28b52ffd: "zstd" }[header.getUint32(offset)];
  if (tool === undefined) return; // Xen and xl unpack other formats
  await Deno.writeFile(`${path}.packed`, payload);
  await shell('"$1" -dc "$2.packed" >"$2"; rm "$2.packed"', tool, path);
}

function xenRecipe(arch: Arch): Recipe {
  const debianPackage = `xen-hypervisor-4.17-${arch}`;
  return {
    name: "xen",
    debian: { release: "bookworm", packages: [debianPackage], only: /^xen-hypervisor-\d/ },
    inputs: [],
    build: async (root, out) => {
      // QEMU loads the multiboot ELF. Debian compresses amd64's, but not arm64's.
      await shell(
        'cd "$1/boot"; if [ -e $2.gz ]; then gunzip $2.gz; fi; cp $2 "$3/xen"',
        root,
        `xen-4.17-${arch}`,
        out,
      );
    },
  };
}

function initrdRecipe(linux: string, init: string): Recipe {
  return {
    name: "initrd",
    debian: { release: "bookworm", packages: ["busybox-static"], only: /^busybox/ },
    inputs: [linux, init],
    build: async (root, out) => {
      const tree = `${root}/initrd`;
      await shell(
        'cd "$1"; mkdir -p initrd/bin; cp bin/busybox initrd/bin; cp "$2" initrd/init',
        root,
        `${here}/dom0/initrd`,
      );
      await copyModules(linux, initrdModules, tree);
      await Deno.writeTextFile(`${tree}/modules`, initrdModules.join("\n"));
      await packInitramfs(tree, `${out}/initrd.gz`);
    },
  };
}

function dom0Recipe(linux: string, deno: DenoBinary): Recipe {
  return {
    name: "dom0",
    debian: { release: "bookworm", packages: dom0Packages },
    inputs: [linux, deno.version],
    build: async (root, out) => {
      await copyModules(linux, [...initrdModules, ...dom0Modules], root);
      await shell(
        'cd "$1"; rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info; ' +
          "mkdir -p dev proc sys run tmp root host project; cp usr/share/base-passwd/passwd.master etc/passwd; " +
          "cp usr/share/base-passwd/group.master etc/group; ln -s mawk usr/bin/awk; echo dom0 >etc/hostname; " +
          'rm -rf var/run; ln -s ../run var/run; cp "$2" usr/bin/deno; ' +
          'mke2fs -q -t ext4 -d . "$3/disk" 2G',
        root,
        deno.path,
        out,
      );
    },
  };
}

function guestRecipe(name: string, linux: string, scripts: readonly string[]): Recipe {
  return {
    name,
    debian: { release: "bookworm", packages: guestPackages },
    inputs: [linux, ...scripts],
    build: async (root, out) => {
      const tree = `${root}/initramfs`;
      await shell(
        'cd "$1"; scripts=$2; shift 2; mkdir initramfs; cp --parents -a $(ls -d $@ 2>/dev/null) initramfs; cd initramfs; ' +
          "mkdir -p etc usr/sbin; for d in bin sbin lib lib64; do ln -s usr/$d $d; done; cp $scripts/init $scripts/agent .",
        root,
        `${here}/guest`,
        ...guestFiles,
      );
      await copyModules(linux, guestModules, tree);
      await packInitramfs(tree, `${out}/initramfs.gz`);
      await shell('cp "$1/vmlinuz" "$2"', linux, out);
    },
  };
}

async function packInitramfs(tree: string, file: string): Promise<void> {
  await shell('cd "$1"; find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 >"$2"', tree, file);
}

interface DenoBinary {
  readonly path: string;
  readonly version: string;
}

/** The running Deno's binary; for another architecture the npm package's, of the same version or else the newest. */
async function denoBinary(make: (recipe: Recipe) => Promise<string>, arch: Arch): Promise<DenoBinary> {
  const version = Deno.version.deno;
  const host = { x86_64: "amd64", aarch64: "arm64" }[Deno.build.arch as string];
  if (host === arch) return { path: Deno.execPath(), version };
  const directory = await make({
    name: "deno",
    inputs: [version],
    build: async (_root, out) => {
      const name = { amd64: "@deno/linux-x64-glibc", arm64: "@deno/linux-arm64-glibc" }[arch];
      await shell(
        'cd "$1"; npm pack --silent "$2@$3" >/dev/null 2>&1 || npm pack --silent "$2" >/dev/null; ' +
          "tar -xzf *.tgz --strip-components=1; rm *.tgz",
        out,
        name,
        version,
      );
    },
  });
  return { path: `${directory}/deno`, version };
}
