/** Sound on this host: cards, who has them open, and the PCMs that guests' streams are to be played on. */
import { silenceAlsa, SND_PCM_STREAM } from "../../ffi/libasound.ts";
import { type SndCard, sndCards, type SndDevice } from "../../ffi/libasound_cards.ts";
import { LibraryNotFoundError } from "../../ffi/library.ts";
import { AlsaDevice } from "../pcm/alsa_device.ts";
import { PcmError } from "../pcm/device.ts";
import { pcmDevice } from "../pcm/open_device.ts";
import type { Direction } from "../pcm/pcm.ts";
import { XEN_EBUSY } from "../sndif/mod.ts";
import { readBackendPolicy } from "../vsnd/policy.ts";
import { backendsPath } from "../xenbus/mod.ts";
import type { Xen } from "../xen/ports.ts";
import { daemonStatus } from "./daemon.ts";
import { type Check, fail, type Finding, fromError, ok, skip, warn } from "./finding.ts";
import { exists, processName, readText, refusal } from "./host.ts";
import { withXen } from "./xenstore.ts";

export const soundChecks: readonly Check[] = [
  { subject: "ALSA cards", run: cards },
  { subject: "PCMs of streams", run: () => withXen("PCMs of streams", pcms) },
];

function cards(): Finding[] {
  const subject = "ALSA cards";
  if (!exists("/dev/snd")) {
    return [warn(subject, "none: there is no /dev/snd", {
      mend:
        "load the driver of this host's card; without one, dummy: cards and those of a sound server's do. A card that " +
        "plays to itself:",
      command: "modprobe snd-aloop",
    })];
  }
  try {
    silenceAlsa();
    const found = sndCards();
    if (found.length === 0) {
      return [warn(subject, "none has a driver", { mend: "`lspci -k` and `lsusb` name what there is" })];
    }
    return found.map(card);
  } catch (error) {
    if (error instanceof LibraryNotFoundError) return [skip(subject, "libasound cannot be loaded")];
    return [fail(subject, (error as Error).message, { command: "aplay -l" })];
  }
}

function card({ index, id, name, driver, devices }: SndCard): Finding {
  const subject = `card ${index}`;
  const node = `/dev/snd/controlC${index}`;
  const code = refusal(node);
  if (code !== undefined) {
    return fail(subject, `${node}: ${code}`, { mend: "run as root, or in the group audio" });
  }
  const inUse = devices.flatMap((device) => owners(index, device));
  const use = inUse.length === 0 ? "" : `; in use by ${[...new Set(inUse)].join(", ")}`;
  return ok(subject, `${id}: ${name} (${driver}), PCM streams: ${devices.length}${use}`);
}

/** Who has substreams of the device open. */
function owners(card: number, { device, stream, subdevices }: SndDevice): string[] {
  const letter = stream === SND_PCM_STREAM.PLAYBACK ? "p" : "c";
  return Array.from({ length: subdevices }, (_, sub) => {
    const status = readText(`/proc/asound/card${card}/pcm${device}${letter}/sub${sub}/status`);
    const pid = status?.match(/^owner_pid\s*:\s*(\d+)$/m)?.[1];
    return pid === undefined ? [] : [processName(Number(pid))];
  }).flat();
}

interface NamedPcm {
  readonly device: string;
  readonly type: Direction;
}

/** Whether the PCMs that policies name can be opened: for a moment, and not while a guest plays through one. */
async function pcms({ store, domid }: Xen): Promise<Finding[]> {
  const subject = "PCMs of streams";
  const named = namedPcms({ store, domid });
  if (named.length === 0) return [skip(subject, "no card here names one")];
  const status = await daemonStatus().catch(() => undefined);
  const findings: Finding[] = [];
  for (const { device, type } of named) {
    const subject = `${type} ${device}`;
    const user = status?.streams.find((stream) =>
      stream.device === device && stream.type === type && stream.state !== "closed" &&
      stream.state !== "detached"
    );
    findings.push(
      user === undefined ? await tryPcm(subject, { device, type }) : ok(subject, `in use by ${user.stream}`),
    );
  }
  return findings;
}

function namedPcms({ store, domid }: Pick<Xen, "store" | "domid">): NamedPcm[] {
  const root = backendsPath(domid);
  const found = new Map<string, NamedPcm>();
  for (const guest of store.list(root) ?? []) {
    for (const card of store.list(`${root}/${guest}`) ?? []) {
      for (const { device, type, denied } of policyStreams(store, `${root}/${guest}/${card}`)) {
        if (!denied) found.set(`${type} ${device}`, { device, type });
      }
    }
  }
  return [...found.values()];
}

/** None of a card whose policy is broken: the checks of cards tell. */
function policyStreams(store: Xen["store"], backend: string) {
  try {
    return readBackendPolicy(store, backend)?.pcms.flatMap(({ streams }) => streams) ?? [];
  } catch {
    return [];
  }
}

async function tryPcm(subject: string, { device, type }: NamedPcm): Promise<Finding> {
  const pcm = pcmDevice(device, type);
  try {
    if (pcm instanceof AlsaDevice) silenceAlsa();
    await pcm.probe();
    return ok(subject, "can be used");
  } catch (error) {
    if (error instanceof LibraryNotFoundError) return skip(subject, "libasound cannot be loaded");
    if (!(error instanceof PcmError)) return fromError(subject, error);
    if (error.errno === XEN_EBUSY) {
      const users = [
        ...new Set(sndCards().flatMap(({ index, devices }) => devices.flatMap((d) => owners(index, d)))),
      ];
      const by = users.length === 0 ? "" : `: cards are in use by ${users.join(", ")}`;
      return warn(subject, `busy${by}`, { mend: "end what has it open, or name a PCM that can be shared" });
    }
    const [detail, mend] = error.message.split("; ");
    return fail(subject, detail, {
      ...(mend && { mend }),
      command: type === "playback" ? "aplay -L" : "arecord -L",
    });
  } finally {
    await pcm.closeProbe();
  }
}
