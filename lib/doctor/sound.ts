// SPDX-License-Identifier: MIT
/** Checks ALSA on this host: the configuration, the sound cards, and the processes that have them open. pcms.ts tries the PCMs of guests' streams. */
import { libasound } from "../../ffi/alsa/libasound.ts";
import { AlsaError } from "../../ffi/alsa/alsa_error.ts";
import { type SndCard, sndCards } from "../../ffi/alsa/snd_cards.ts";
import { LibraryNotFoundError } from "../../ffi/base/library.ts";
import { AlsaMessages, readAlsaConfiguration, withAlsaMessages } from "../pcm/alsa/alsa_messages.ts";
import { type Check, fail, type Finding, ok, skip, warn } from "./doctor_finding.ts";
import { exists, refusal } from "./host.ts";
import { owners } from "./pcm_owners.ts";
import { pcmChecks } from "./pcms.ts";
import { soundServerChecks } from "./sound_servers.ts";

export const soundChecks: readonly Check[] = [
  { subject: "ALSA setup", run: configuration },
  { subject: "ALSA cards", run: cards },
  ...soundServerChecks,
  ...pcmChecks,
];

/** Reads asound.conf and all other configuration files of ALSA. With one that cannot be read, no PCM can be opened. */
function configuration(): Finding {
  const subject = "ALSA setup";
  try {
    const { read, messages } = readAlsaConfiguration();
    if (read && messages.length === 0) return ok(subject, "ALSA's configuration can be read");
    const what = read
      ? "ALSA's configuration has errors"
      : "ALSA's configuration cannot be read, so no PCM can be opened";
    return (read ? warn : fail)(subject, withAlsaMessages(what, messages), {
      mend: "correct the file that ALSA names",
    });
  } catch (error) {
    if (error instanceof LibraryNotFoundError) return skip(subject, "libasound cannot be loaded");
    throw error;
  }
}

function cards(): Finding[] {
  const subject = "ALSA cards";
  if (!exists("/dev/snd")) {
    return [warn(subject, "none: there is no /dev/snd", {
      mend:
        "load the driver of this host's card. Without a card, dummy: devices and the devices of a sound server work. To " +
        "load a card that plays to itself:",
      command: "modprobe snd-aloop",
    })];
  }
  try {
    libasound();
  } catch (error) {
    if (error instanceof LibraryNotFoundError) return [skip(subject, "libasound cannot be loaded")];
    throw error;
  }
  using alsa = new AlsaMessages();
  try {
    const found = sndCards();
    if (found.length === 0) {
      return [warn(subject, "no card has a driver", { mend: "`lspci -k` and `lsusb` list the hardware" })];
    }
    return found.map(card);
  } catch (error) {
    if (!(error instanceof AlsaError)) throw error;
    return [fail(subject, withAlsaMessages(error.message, alsa.list()), { command: "aplay -l" })];
  }
}

function card({ index, id, name, driver, devices }: SndCard): Finding {
  const subject = `card ${index}`;
  const node = `/dev/snd/controlC${index}`;
  const code = refusal(node);
  if (code !== undefined) {
    return fail(subject, `${node}: ${code}`, { mend: "run xsnd as root, or in the group audio" });
  }
  const inUse = devices.flatMap((device) => owners(index, device));
  const use = inUse.length === 0 ? "" : `; in use by ${[...new Set(inUse)].join(", ")}`;
  return ok(subject, `${id}: ${name} (${driver}), PCM streams: ${devices.length}${use}`);
}
