// SPDX-License-Identifier: MIT
/**
 * Finds a card's policy. A card that `xsnd provision` made has its policy in its backend directory. For a card that xl made, the
 * record of `vsnd/nodes/card_snapshot.ts` says what the card is, and the daemon's configuration says which devices it gets.
 */
import { getLogger } from "@logtape/logtape";
import type { CardPolicy, Config } from "../../vsnd/model/card.ts";
import { matchStreams, nameDeviceless } from "../../vsnd/model/match_streams.ts";
import { snapshotCard } from "../../vsnd/nodes/card_snapshot.ts";
import { readBackendPolicy } from "../../vsnd/nodes/policy_nodes.ts";
import { type DefaultDevices, type Grounds, xlCardPolicy } from "./xl_card_policy.ts";
import { type CardAddress, domainName } from "../../xenbus/mod.ts";
import type { Store } from "../../xen/ports.ts";

export type ReadPolicy = (address: CardAddress, backendPath: string) => CardPolicy | undefined;

/** Returns the rule above as a function. `config` and `defaults` concern the cards of xl. */
export function choosePolicy(store: Store, config?: Config, defaults: DefaultDevices = {}): ReadPolicy {
  const log = getLogger(["xsnd", "policy"]);
  return (address, backendPath) => {
    const own = readBackendPolicy(store, backendPath);
    if (own !== undefined) return own;
    const frontendPath = store.read(`${backendPath}/frontend`);
    if (frontendPath === undefined) return undefined; // The toolstack has removed the card meanwhile.
    const card = snapshotCard(store, backendPath, frontendPath);
    const name = domainName(store, address.domid);
    const domains = [config?.get(name), config?.get(String(address.domid))].flatMap((domain) => domain ?? []);
    const { policy, grounds } = xlCardPolicy(
      card,
      matchStreams(address.card, card, domains, card.isLate),
      defaults,
    );
    for (const [ground, advice] of Object.entries(ADVICE)) {
      if (!grounds.flat().includes(ground as Grounds)) continue;
      const streams = nameDeviceless(name, address.card, card, (p, s) => grounds[p]?.[s] !== ground);
      log.warn(advice, { card: `${name}/${address.card}`, streams });
    }
    return policy;
  };
}

/** Warnings about what an operator may not expect, each with the remedy. */
const ADVICE: Readonly<Partial<Record<Grounds, string>>> = {
  deviceless:
    "card {card} was made by xl and is not served: no device is named for {streams}; name a device for all with " +
    "--default-device and --default-capture-device, or one for each in the file of --config, where a stream is found by its " +
    "unique-id and type, or without an id by its place",
  unnamedCapture:
    "{streams} records silence: --default-device is for playback; name a device with --default-capture-device " +
    "or in the file of --config",
  lateCapture:
    "{streams} records silence: the guest ran before this host had a record of its card, and may have turned a " +
    "playback stream into a capture stream; name the device in the file of --config, or attach the card again",
  capped:
    "{streams} asks for more than a default device gives, and gets less; the file of --config can allow more",
};
