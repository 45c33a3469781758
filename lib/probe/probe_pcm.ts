// SPDX-License-Identifier: MIT
/** Asking PCMs what they can do, and the card that a guest could be given for it. */
import { askDevice } from "../pcm/ask_device.ts";
import { PcmError } from "../pcm/pcm_error.ts";
import type { HostPcm } from "../pcm/host_pcms.ts";
import { DEFAULT_PARAMS, Limits, type StreamParams } from "../vsnd/model/card.ts";
import { describeCard } from "../vsnd/config/describe_card.ts";
import { type Capabilities, capabilitiesOf } from "./capabilities.ts";

export interface Probed extends HostPcm {
  /** Undefined if it could not be asked. */
  readonly able: Capabilities | undefined;
  /** ALSA's name for the kind of PCM; undefined of a dummy card, and if it could not be asked. */
  readonly type?: string;
  /** Why it can do nothing for a guest. */
  readonly problem: string | undefined;
  /** What libasound says of that. */
  readonly alsaMessages: readonly string[];
}

/** Kinds of PCM that are no sound system's own end: silence, and the rate converters that alsa-plugins advertises. */
const NO_ENDS: ReadonlySet<string | undefined> = new Set(["NULL", "RATE"]);

/** More channels than sound servers have names for are an artefact of a plugin, and would cost a guest its periods. */
const MOST_CHANNELS = 8;

/** Asks one PCM. Never throws for what it is: it may be busy, or not there. */
export async function probePcm(pcm: HostPcm): Promise<Probed> {
  try {
    const { able, type } = await askDevice(pcm.name, pcm.direction, (refiner, type) => ({
      able: capabilitiesOf(refiner),
      type,
    }));
    const problem = able.formats.length === 0
      ? "it has no format that a guest could use"
      : able.rates.length === 0
      ? "it has no rate that the Linux frontend knows"
      : able.channelsMin > able.channelsMax
      ? `it has ${able.channelsMin} channels at least, and sndif no more than ${able.channelsMax}`
      : undefined;
    return { ...pcm, able, type, problem, alsaMessages: [] };
  } catch (error) {
    if (!(error instanceof PcmError)) throw error;
    // Whoever reads this has no use for the advice to probe.
    const problem = error.message.replace(/; `xsnd probe`.*$/s, "");
    return { ...pcm, able: undefined, problem, alsaMessages: error.alsaMessages };
  }
}

/**
 * The value of a YAML file that gives `domain` one card with a PCM for each of the names that can be used: of the cards' own
 * devices if there are any, and of all otherwise. Of those that nobody has named, the ones that only convert or discard sound are
 * left out. Undefined if there are none.
 */
export function stanzaFor(domain: string, probed: readonly Probed[]): unknown {
  const usable = probed.filter(({ able, problem, advertised, type }) =>
    able !== undefined && problem === undefined && !(advertised && NO_ENDS.has(type))
  );
  const chosen = usable.some(({ hardware }) => hardware) ? usable.filter(({ hardware }) => hardware) : usable;
  const names = [...new Set(chosen.map(({ name }) => name))].slice(0, Limits.pcmsPerCard);
  if (names.length === 0) return undefined;
  const pcms = names.map((name) => ({
    streams: chosen.filter((pcm) => pcm.name === name).map(({ direction, able }) => ({
      type: direction,
      uniqueId: "",
      device: name,
      effective: paramsFor(able!),
    })),
  }));
  return { domains: { [domain]: { cards: [describeCard({ pcms }, names[0])] } } };
}

function paramsFor({ formats, rates, channelsMin, channelsMax }: Capabilities): StreamParams {
  return {
    rates,
    formats,
    channelsMin,
    channelsMax: Math.min(channelsMax, Math.max(MOST_CHANNELS, channelsMin)),
    bufferSizeBytes: DEFAULT_PARAMS.bufferSizeBytes,
  };
}
