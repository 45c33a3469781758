// SPDX-License-Identifier: MIT
/** `check --probe`: findings about values of a configuration that the devices on this host cannot do. */
import { askDevice } from "../pcm/ask_device.ts";
import { PcmError } from "../pcm/pcm_error.ts";
import type { Config, PcmConfig, StreamConfig, StreamParams } from "../vsnd/model/card.ts";
import type { DocumentPath, Finding } from "../vsnd/model/finding.ts";
import { type Capabilities, capabilitiesOf } from "./capabilities.ts";
import { adviceFor, type DeviceProblem, mismatchOf, problemFrom } from "./device_problem.ts";

/** Opens the device of every stream that is not denied, one after the other. */
export async function probeFindings(config: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, { cards }] of config) {
    for (const [c, card] of cards.entries()) {
      for (const [p, pcm] of card.pcms.entries()) {
        for (const [s, stream] of pcm.streams.entries()) {
          const path = ["domains", name, "cards", c, "pcms", p, "streams", s];
          findings.push(...await streamFindings(stream, declaredFor(card.declared, pcm, stream), path));
        }
      }
    }
  }
  return findings;
}

/** The parameters that the file sets for a stream at any level. Defaults are left out: they need not fit every device. */
function declaredFor(
  card: Partial<StreamParams>,
  pcm: PcmConfig,
  stream: StreamConfig,
): Partial<StreamParams> {
  return { ...card, ...pcm.declared, ...stream.declared };
}

async function streamFindings(
  stream: StreamConfig,
  declared: Partial<StreamParams>,
  path: DocumentPath,
): Promise<Finding[]> {
  if (stream.denied) return [];
  const device = [...path, "device"];
  let able: Capabilities;
  let mismatch: DeviceProblem | undefined;
  try {
    [able, mismatch] = await askDevice(stream.device, stream.type, (refiner) => [
      capabilitiesOf(refiner),
      mismatchOf(refiner, stream.device, stream.effective),
    ]);
  } catch (error) {
    if (!(error instanceof PcmError)) throw error;
    const { kind, reason, advice } = problemFrom(error);
    // A busy device works for the process that has it: nothing is wrong with the file.
    if (kind === "busy") return [];
    const why = "a guest that opens the stream now gets an error";
    return [{ path: device, what: reason, why, ...(advice !== undefined && { instead: advice }) }];
  }
  if (mismatch !== undefined) {
    return [{
      path: device,
      what: `${JSON.stringify(stream.device)} can do nothing that the stream allows: ${mismatch.reason}`,
      why: "`xsnd provision` refuses the stream, as no guest could open it",
      instead: mismatch.advice,
    }];
  }
  return lacking(stream.device, declared, able, path);
}

function lacking(
  device: string,
  { formats = [], rates = [], channelsMax = 0 }: Partial<StreamParams>,
  able: Capabilities,
  path: DocumentPath,
): Finding[] {
  const findings: Finding[] = [];
  const lacks = (key: string, missing: readonly (string | number)[], has: string) => {
    if (missing.length === 0) return;
    findings.push({
      path: [...path, key],
      what: `the device cannot do ${missing.join(", ")}`,
      why: "the guest never gets it",
      instead: adviceFor(device, `write ${has}`),
    });
  };
  const list = (items: readonly (string | number)[]) => `of ${items.join(", ")}`;
  lacks("sample-formats", formats.filter((name) => !able.formats.includes(name)), list(able.formats));
  lacks("sample-rates", rates.filter((rate) => !able.rates.includes(rate)), list(able.rates));
  const many = channelsMax > able.channelsMax ? [`${channelsMax} channels`] : [];
  lacks("channels-max", many, `at most ${able.channelsMax}`);
  return findings;
}
