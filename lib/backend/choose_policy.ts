/**
 * What the host allows a card. Cards that `xsnd provision` made carry their policy in their backend directory. For a card that
 * xl made, the record of `vsnd/pinned.ts` says what the card is, and the daemon's configuration says which devices it gets.
 */
import { getLogger } from "@logtape/logtape";
import type { CardPolicy, Config } from "../vsnd/card.ts";
import { pinnedCard } from "../vsnd/pinned.ts";
import { readBackendPolicy } from "../vsnd/policy.ts";
import { type DefaultDevices, xlCardPolicy } from "../vsnd/xl_card_policy.ts";
import { type CardAddress, domainName } from "../xenbus/mod.ts";
import type { Store } from "../xen/ports.ts";

export type ReadPolicy = (address: CardAddress, backendPath: string) => CardPolicy | undefined;

/** The rule above. `config` and `defaults` are for the cards of xl. */
export function choosePolicy(store: Store, config?: Config, defaults: DefaultDevices = {}): ReadPolicy {
  const log = getLogger(["xsnd", "policy"]);
  return (address, backendPath) => {
    const own = readBackendPolicy(store, backendPath);
    if (own !== undefined) return own;
    const frontendPath = store.read(`${backendPath}/frontend`);
    if (frontendPath === undefined) return undefined; // The toolstack has removed the card meanwhile.
    const card = pinnedCard(store, backendPath, frontendPath);
    const name = domainName(store, address.domid);
    const configured = [config?.get(name), config?.get(String(address.domid))]
      .flatMap((domain) => domain?.cards ?? [])
      .flatMap(({ pcms }) => pcms.flatMap(({ streams }) => streams));
    const { policy, notes } = xlCardPolicy(card, configured, defaults);
    for (const note of notes) log.warn("{note}", { card: `${name}/${address.card}`, note });
    return policy;
  };
}
