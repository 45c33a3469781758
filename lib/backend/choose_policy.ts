/**
 * What the host allows a card. Cards that `xsnd provision` made carry it in their backend directory; for one that `xl`
 * made, the daemon's own configuration says which device a stream gets, found by domain and unique-id. (That id is in
 * the guest's directory: a guest that changes it can choose among what its own domain was given, and nothing else.)
 */
import { getLogger } from "@logtape/logtape";
import type { CardPolicy, Config, StreamPolicy } from "../vsnd/card.ts";
import { type FrontendStream, readFrontendCard } from "../vsnd/frontend_dir.ts";
import { readBackendPolicy } from "../vsnd/policy.ts";
import { type CardAddress, domainName } from "../xenbus/mod.ts";
import type { Store } from "../xen/ports.ts";

export type ReadPolicy = (address: CardAddress, backendPath: string) => CardPolicy | undefined;

/** The rule above, with `config` and `defaultDevice` for the cards of `xl`. */
export function choosePolicy(store: Store, config?: Config, defaultDevice?: string): ReadPolicy {
  const log = getLogger(["xsnd", "policy"]);
  return (address, backendPath) => {
    const own = readBackendPolicy(store, backendPath);
    if (own !== undefined) return own;
    const frontendPath = store.read(`${backendPath}/frontend`);
    if (frontendPath === undefined) return undefined; // the toolstack has taken the card away meanwhile
    const name = domainName(store, address.domid);
    const configured = [config?.get(name), config?.get(String(address.domid))]
      .flatMap((domain) => domain?.cards ?? [])
      .flatMap(({ pcms }) => pcms.flatMap(({ streams }) => streams));
    const frontend = readFrontendCard(store, frontendPath);
    const pcms = frontend.pcms.map(({ streams }) => ({
      streams: streams.map((stream) => streamPolicy(stream, configured, defaultDevice)),
    }));
    const streams = pcms.flatMap(({ streams }) => streams);
    if (streams.length > 0 && streams.every((stream) => stream !== undefined)) return { pcms } as CardPolicy;
    log.warn(
      "card {card} was made by xl, and there is no device for each of its streams: it is not served; " +
        "name one with --default-device, or each by its unique-id in --config",
      { card: `${name}/${address.card}` },
    );
    return undefined;
  };
}

function streamPolicy(
  { type, uniqueId, effective }: FrontendStream,
  configured: readonly StreamPolicy[],
  defaultDevice: string | undefined,
): StreamPolicy | undefined {
  const match = configured.find((stream) => stream.uniqueId === uniqueId && stream.type === type);
  const device = match?.device ?? defaultDevice;
  if (type === undefined || device === undefined) return undefined;
  const denied = match?.denied ? { denied: true } : {};
  return { type, uniqueId, device, ...denied, effective: match?.effective ?? effective };
}
