/** Asking PCMs what they can do, and the card that a guest could be given for it. */
import { PcmError } from "../pcm/device.ts";
import type { HostPcm } from "../pcm/host_pcms.ts";
import { DEFAULT_PARAMS, Limits, type StreamParams } from "../vsnd/card.ts";
import { describeCard } from "../vsnd/describe.ts";
import { type Capabilities, capabilitiesOf } from "./capabilities.ts";

export interface Probed extends HostPcm {
  /** Undefined if it could not be asked. */
  readonly able: Capabilities | undefined;
  /** Why it can do nothing for a guest. */
  readonly problem: string | undefined;
}

/** More channels than sound servers have names for are an artefact of a plugin, and would cost a guest its periods. */
const MOST_CHANNELS = 8;

/** Asks one PCM. Never throws for what it is: it may be busy, or not there. */
export async function probePcm(pcm: HostPcm): Promise<Probed> {
  try {
    const able = await capabilitiesOf(pcm.name, pcm.direction);
    const problem = able.formats.length === 0
      ? "it has no format that a guest could use"
      : able.rates.length === 0
      ? "it has no rate that the Linux frontend knows"
      : able.channelsMin > able.channelsMax
      ? `it has ${able.channelsMin} channels at least, and sndif no more than ${able.channelsMax}`
      : undefined;
    return { ...pcm, able, problem };
  } catch (error) {
    if (!(error instanceof PcmError)) throw error;
    return { ...pcm, able: undefined, problem: error.message };
  }
}

/**
 * The value of a YAML file that gives `domain` one card with a PCM for each of the names that can be used: of the cards' own
 * devices if there are any, and of all otherwise. Undefined if there are none.
 */
export function stanzaFor(domain: string, probed: readonly Probed[]): unknown {
  const usable = probed.filter(({ able, problem }) => able !== undefined && problem === undefined);
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
