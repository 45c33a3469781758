// SPDX-License-Identifier: MIT
/**
 * The operator's settings of a stream in XenStore. They lie in the card's backend directory and go with the card; the guest cannot
 * read them:
 *
 *     <backend>/operator/0/0/volume   in steps of 0.001 dB
 *     <backend>/operator/0/0/muted    0 or 1
 *     <backend>/operator/0/0/hold     none, paused or stopped
 *     <backend>/operator/0/0/muted-until   ms of CLOCK_MONOTONIC; only for a mute that ends by itself
 *
 * A configuration may give a stream its first volume and mute. They are written with the card, as if an operator had set them.
 */
import { readState, XenbusState } from "../../xenbus/mod.ts";
import type { Permission, Store, StoreView } from "../../xen/ports.ts";
import { isVolume, type KeptSettings, UNTOUCHED } from "../../stream/operator_settings.ts";
import { placeInCard } from "../../stream/stream_name.ts";
import { HOLDS } from "../../stream/stream_state.ts";
import { XENSND_FIELD_STREAM_UNIQUE_ID, XENSND_FIELD_TYPE } from "../../sndif/mod.ts";
import type { CardPolicy, FirstSettings, StreamPolicy } from "../model/card.ts";
import { SNAPSHOT_DIRECTORY } from "./card_snapshot.ts";
import { POLICY_DIRECTORY, streamType } from "./card_tree.ts";

/** Below a card's backend directory. */
export const OPERATOR_DIRECTORY = "operator";
const VOLUME = "volume";
const MUTED = "muted";
const HOLD = "hold";
const MUTED_UNTIL = "muted-until";

/** The nodes of one stream. */
export class OperatorNodes {
  /** @param stream `0/0`, PCM and stream */
  constructor(
    private readonly store: Store,
    private readonly backendPath: string,
    private readonly stream: string,
  ) {}

  /** Reads the settings. A node that is missing, or holds no valid value, counts as untouched. Throws StoreError. */
  read(): KeptSettings {
    return readSettings(this.store, this.backendPath, this.stream) ?? UNTOUCHED;
  }

  /** As {@link read}. Writes `first` if there are no settings yet: the next daemon is to find them, whatever its file says. */
  begin(first: FirstSettings): KeptSettings {
    const { store, backendPath, stream } = this;
    return store.transaction((view) => {
      const present = readSettings(view, backendPath, stream);
      if (present !== undefined) return present;
      const settings = { ...UNTOUCHED, ...first };
      writeSettings(view, backendPath, stream, settings);
      return settings;
    });
  }

  /** Writes nothing, and returns false, if the toolstack has removed the card, or put another one in its place. Throws StoreError. */
  write(settings: KeptSettings): boolean {
    const { store, backendPath, stream } = this;
    return store.transaction((view) => {
      if (readState(view, backendPath) === XenbusState.Initialising) return false;
      return writeSettings(view, backendPath, stream, settings);
    });
  }
}

/** Undefined if there are none. */
function readSettings(view: StoreView, backendPath: string, stream: string): KeptSettings | undefined {
  const path = `${backendPath}/${OPERATOR_DIRECTORY}/${stream}`;
  if (view.read(path) === undefined) return undefined;
  const volume = Number(view.read(`${path}/${VOLUME}`) ?? UNTOUCHED.volume);
  const hold = view.read(`${path}/${HOLD}`);
  const muted = view.read(`${path}/${MUTED}`) === "1";
  const mutedUntil = muted ? view.read(`${path}/${MUTED_UNTIL}`) : undefined;
  return {
    volume: isVolume(volume) ? volume : UNTOUCHED.volume,
    muted,
    hold: HOLDS.find((name) => name === hold) ?? UNTOUCHED.hold,
    // Up to some thousand years after the host's start.
    ...(mutedUntil !== undefined && /^[1-9]\d{0,13}$/.test(mutedUntil) && { mutedUntil: Number(mutedUntil) }),
  };
}

/** Returns false if there is no such card. */
function writeSettings(
  view: StoreView,
  backendPath: string,
  stream: string,
  { volume, muted, hold, mutedUntil }: KeptSettings,
): boolean {
  const [owner] = view.getPermissions(backendPath) ?? [];
  if (owner === undefined) return false;
  const permissions: Permission[] = [{ domid: owner.domid, access: "none" }];
  const put = (path: string, value: string) => {
    view.write(path, value);
    view.setPermissions(path, permissions);
  };
  const path = `${backendPath}/${OPERATOR_DIRECTORY}/${stream}`;
  put(`${backendPath}/${OPERATOR_DIRECTORY}`, "");
  put(path, "");
  put(`${path}/${VOLUME}`, String(volume));
  put(`${path}/${MUTED}`, muted ? "1" : "0");
  put(`${path}/${HOLD}`, hold);
  if (mutedUntil === undefined) view.remove(`${path}/${MUTED_UNTIL}`);
  else put(`${path}/${MUTED_UNTIL}`, String(mutedUntil));
  return true;
}

/** The settings of a card, by `PCM/STREAM`. */
export type CardSettings = ReadonlyMap<string, KeptSettings>;

/**
 * What holds for those streams of the card in `backendPath` that `card` has, too: in the same place and direction, with the same
 * unique-id. A card of xl's has no policy; what its streams are stands in the record that the daemon has made of it.
 */
export function readCardSettings(view: StoreView, backendPath: string, card: CardPolicy): CardSettings {
  return settingsOf(card, (place, { type, uniqueId }) => {
    const isSame = [POLICY_DIRECTORY, SNAPSHOT_DIRECTORY].some((directory) => {
      const path = `${backendPath}/${directory}/${place}`;
      return view.read(`${path}/${XENSND_FIELD_TYPE}`) === streamType(type) &&
        view.read(`${path}/${XENSND_FIELD_STREAM_UNIQUE_ID}`) === uniqueId;
    });
    return isSame ? readSettings(view, backendPath, place) ?? UNTOUCHED : undefined;
  });
}

/** Writes settings of a card that has just been written: `kept` of the card before, and else the first ones of the configuration. */
export function writeCardSettings(
  view: StoreView,
  backendPath: string,
  card: CardPolicy,
  kept: CardSettings,
): void {
  const settings = settingsOf(
    card,
    (place, { first }) => kept.get(place) ?? (first && { ...UNTOUCHED, ...first }),
  );
  for (const [place, each] of settings) {
    // A stream that nobody has touched has no nodes.
    if (each !== UNTOUCHED) writeSettings(view, backendPath, place, each);
  }
}

function settingsOf(
  { pcms }: CardPolicy,
  choose: (place: string, stream: StreamPolicy) => KeptSettings | undefined,
): CardSettings {
  const all = new Map<string, KeptSettings>();
  for (const [pcm, { streams }] of pcms.entries()) {
    for (const [index, stream] of streams.entries()) {
      const place = placeInCard(pcm, index);
      const settings = choose(place, stream);
      if (settings !== undefined) all.set(place, settings);
    }
  }
  return all;
}
