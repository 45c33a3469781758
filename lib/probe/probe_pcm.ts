// SPDX-License-Identifier: MIT
/** `probe`: asking PCMs for their capabilities, and writing a configuration of a card that uses them. */
import { askDevice } from "../pcm/ask_device.ts";
import { PcmError } from "../pcm/pcm_error.ts";
import type { HostPcm } from "../pcm/host_pcms.ts";
import { DEFAULT_PARAMS, Limits, type StreamParams } from "../vsnd/model/card.ts";
import { describeCard } from "../vsnd/config/describe_card.ts";
import { type Capabilities, capabilitiesOf } from "./capabilities.ts";

export interface Probed extends HostPcm {
  /** Undefined if the PCM could not be asked. */
  readonly able: Capabilities | undefined;
  /** ALSA's name of the PCM's kind; undefined for a dummy device, and if the PCM could not be asked. */
  readonly type?: string;
  /** Why no guest can use the PCM; undefined if guests can. */
  readonly problem: string | undefined;
  /** The messages of libasound about the problem. */
  readonly alsaMessages: readonly string[];
}

/** Kinds of PCM that lead to no hardware or sound server: silence, and the rate converters that alsa-plugins advertises. */
const NO_ENDS: ReadonlySet<string | undefined> = new Set(["NULL", "RATE"]);

/** The most channels of a proposed stream. More come from plugins, have no names in sound servers, and would shorten a guest's periods. */
const MOST_CHANNELS = 8;

/** Asks one PCM. A busy or missing PCM is no error: `problem` has the reason. */
export async function probePcm(pcm: HostPcm): Promise<Probed> {
  try {
    const { able, type } = await askDevice(pcm.name, pcm.direction, (refiner, type) => ({
      able: capabilitiesOf(refiner),
      type,
    }));
    const problem = able.formats.length === 0
      ? "the PCM has no format that a guest could use"
      : able.rates.length === 0
      ? "the PCM has no rate that the Linux frontend knows"
      : able.channelsMin > able.channelsMax
      ? `the PCM has at least ${able.channelsMin} channels, and sndif at most ${able.channelsMax}`
      : undefined;
    return { ...pcm, able, type, problem, alsaMessages: [] };
  } catch (error) {
    if (!(error instanceof PcmError)) throw error;
    // The reader is probing already: the advice to probe is cut off.
    const problem = error.message.replace(/; `xsnd probe`.*$/s, "");
    return { ...pcm, able: undefined, problem, alsaMessages: error.alsaMessages };
  }
}

/**
 * The value of a YAML file that gives `domain` one card with a PCM for each usable name: the names of hardware devices if there
 * are any, else all. PCMs that only convert or discard sound are left out, unless a person named them. Undefined if no PCM is
 * usable.
 */
export function stanzaFor(domain: string, probed: readonly Probed[]): unknown {
  const usable = probed.filter(({ able, problem, advertised, type }) =>
    able !== undefined && problem === undefined && !(advertised && NO_ENDS.has(type))
  );
  const chosen = usable.some(({ hardware }) => hardware) ? usable.filter(({ hardware }) => hardware) : usable;
  const names = [...new Set(chosen.map(({ name }) => name))].slice(0, Limits.pcmsPerCard);
  const [first] = names;
  if (first === undefined) return undefined;
  const pcms = names.map((name) => ({
    streams: chosen.filter((pcm) => pcm.name === name).map(({ direction, able }) => ({
      type: direction,
      uniqueId: "",
      device: name,
      effective: paramsFor(able!),
    })),
  }));
  return { domains: { [domain]: { cards: [describeCard({ pcms }, first)] } } };
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
