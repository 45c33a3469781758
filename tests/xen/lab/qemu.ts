// SPDX-License-Identifier: MIT
/** The emulated machine: the QEMU program, and its arguments for Xen, dom0 and the sound devices. */
import type { Images } from "./images.ts";
import type { Arch } from "./packages.ts";

/** A sound device of the machine; QEMU writes its sound to the file `ac97.wav` in the run's folder. */
export type Card = "ac97";

export interface MachineOptions {
  readonly arch: Arch;
  readonly images: Images;
  /** This run's folder on the host: `/host` in dom0. */
  readonly directory: string;
  /** The project's tree on the host: `/project` in dom0, read-only. */
  readonly project: string;
  readonly cards: readonly Card[];
  /** The destination of dom0's console besides `console.log`: none, or the terminal, with a shell. */
  readonly console: "log" | "terminal";
}

/** The program and its arguments; no other place configures the emulated machine. */
export function qemuCommand(options: MachineOptions): string[] {
  const { images, directory, console } = options;
  const backend = console === "terminal" ? "stdio,mux=on,signal=off" : "null";
  const linux = `console=hvc0 quiet${console === "terminal" ? " lab=shell" : ""}`;
  return [
    ...(options.arch === "amd64" ? x86(options, linux) : arm(options, linux)),
    ...["-m", "3072", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot"],
    ...["-chardev", `${backend},id=console,logfile=${directory}/console.log`, "-serial", "chardev:console"],
    ...["-chardev", `socket,id=agent,path=${directory}/agent.socket,server=on,wait=off`],
    ...["-drive", `file=${images.disk},format=raw,if=none,id=disk,snapshot=on`],
    ...["-fsdev", `local,id=host,path=${directory},security_model=none`],
    ...["-fsdev", `local,id=project,path=${options.project},security_model=none,readonly=on`],
  ];
}

/** Xen's arguments on every architecture; with `noreboot` a crash ends the run. */
const xenArguments = "dom0_mem=1536M noreboot=1";

/**
 * The processor's features, without those that QEMU 7.2 emulates wrongly under Xen. IRET from user mode under SMAP crashes dom0
 * at once. The switch of extended processor state between domains corrupts memory: programs in dom0 and in guests die once two
 * domains use AVX.
 */
const x86Cpu = "max,-smap,-smep,-xsave,-avx,-avx2,-fma,-f16c";

function x86({ images, directory, cards }: MachineOptions, linux: string): string[] {
  return [
    ...["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", x86Cpu],
    ...["-kernel", images.xen, "-append", `console=com1 com1=115200,8n1 ${xenArguments}`],
    ...["-initrd", `${images.kernel} ${linux},${images.initrd}`],
    ...devices("pci"),
    ...(cards.includes("ac97") ? ac97(`${directory}/ac97.wav`) : []),
  ];
}

/** An AC97 whose sound goes to a file, at 48 kHz: QEMU's default of 44.1 kHz means a resampled copy. */
function ac97(file: string): string[] {
  return [
    "-audiodev",
    `wav,id=ac97,path=${file},out.frequency=48000,timer-period=5000`,
    "-device",
    "AC97,audiodev=ac97",
  ];
}

function arm({ images }: MachineOptions, linux: string): string[] {
  return [
    // With gic-version=2, or with one thread for all processors, QEMU hangs as soon as a guest runs.
    ...["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a57"],
    ...["-accel", "tcg,thread=multi", "-kernel", images.xen, "-append", `console=dtuart ${xenArguments}`],
    ...["-device", `guest-loader,addr=0x49000000,kernel=${images.kernel},bootargs="${linux}"`],
    ...["-device", `guest-loader,addr=0x4f000000,initrd=${images.initrd}`],
    ...devices("device"), // virtio-mmio, because PCI's MSI does not work here
  ];
}

function devices(transport: "pci" | "device"): string[] {
  return [
    ...["-device", `virtio-blk-${transport},drive=disk`],
    ...["-device", `virtio-9p-${transport},fsdev=host,mount_tag=host`],
    ...["-device", `virtio-9p-${transport},fsdev=project,mount_tag=project`],
    ...["-device", `virtio-serial-${transport}`, "-device", "virtserialport,chardev=agent,name=agent"],
  ];
}
