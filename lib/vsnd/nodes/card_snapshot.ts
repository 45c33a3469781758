// SPDX-License-Identifier: MIT
/**
 * The daemon's snapshot of a card that xl made. The guest can write the card's frontend directory, so the daemon reads the
 * directory once, before the guest's driver runs. Later, every daemon goes by the snapshot alone.
 *
 * The snapshot is in the card's backend directory, in nodes that the guest can neither read nor write. The nodes have the form of
 * a policy of `xsnd provision`. libxl removes them together with the backend directory when the card is detached.
 */
import { Exit, XsndError } from "../../base/error.ts";
import type { Direction } from "../../pcm/pcm.ts";
import { XENSND_FIELD_STREAM_UNIQUE_ID, XENSND_FIELD_TYPE } from "../../sndif/mod.ts";
import { readState, XenbusState } from "../../xenbus/mod.ts";
import type { Permission, Store, StoreView } from "../../xen/ports.ts";
import { Limits, type StreamParams } from "../model/card.ts";
import { type FrontendCard, readFrontendCard } from "./frontend_dir.ts";
import { decodeParams, encodeParams, fieldName, PARAM_KEYS } from "../model/param_nodes.ts";
import { children, parseStreamType } from "./policy_nodes.ts";
import { streamType } from "./card_tree.ts";

export const SNAPSHOT_DIRECTORY = "pinned";
/** The node of a late snapshot, with the value "1". Other snapshots have no such node. */
const LATE = "late";

export interface SnapshotStream {
  readonly type: Direction;
  readonly uniqueId: string;
  readonly effective: StreamParams;
}

export interface CardSnapshot {
  /** Whether the guest may have written its directory before the snapshot. */
  readonly isLate: boolean;
  readonly pcms: readonly { readonly streams: readonly SnapshotStream[] }[];
}

/**
 * The snapshot of the card whose backend directory is `backendPath`. If there is none, the snapshot is taken of the frontend
 * directory `frontendPath`. Throws {@link XsndError} (exit 6) if the frontend directory has no card that can be served, or if the
 * snapshot is damaged. Throws StoreError.
 */
export function snapshotCard(store: Store, backendPath: string, frontendPath: string): CardSnapshot {
  const snapshot = readSnapshot(store, backendPath);
  return snapshot === undefined || isOfRefusal(snapshot)
    ? takeSnapshot(store, backendPath, frontendPath, snapshot !== undefined)
    : snapshot;
}

/**
 * The snapshot of a refused card. It makes the next snapshot a late one: the toolstack's state does not tell when the directory
 * was mended, nor by whom.
 */
const REFUSED: CardSnapshot = { isLate: true, pcms: [] };
const isOfRefusal = ({ isLate, pcms }: CardSnapshot) => isLate && pcms.length === 0;

function takeSnapshot(
  store: Store,
  backendPath: string,
  frontendPath: string,
  wasRefused: boolean,
): CardSnapshot {
  let card: Omit<CardSnapshot, "isLate">;
  try {
    card = wholeCard(readFrontendCard(store, frontendPath), frontendPath);
  } catch (error) {
    if (!wasRefused && error instanceof XsndError) writeSnapshot(store, backendPath, REFUSED);
    throw error;
  }
  // The state is read after the directory. While it is Initialising, no driver has begun: only the daemon changes it.
  const isLate = wasRefused || readState(store, backendPath) !== XenbusState.Initialising;
  const snapshot = { isLate, ...card };
  writeSnapshot(store, backendPath, snapshot);
  return snapshot;
}

/** The streams of a card that Linux accepts. Throws {@link XsndError} for any other card. */
function wholeCard({ pcms }: FrontendCard, path: string): Omit<CardSnapshot, "isLate"> {
  const count = pcms.reduce((sum, { streams }) => sum + streams.length, 0);
  const refuse = (reason: string): never => {
    throw new XsndError(`the card at ${path} cannot be served: ${reason}`, Exit.badConfiguration);
  };
  if (count === 0) refuse("it has no streams");
  if (count > Limits.streamsPerDomain) {
    refuse(`it has ${count} streams, ${Limits.streamsPerDomain} is the most`);
  }
  return {
    pcms: pcms.map(({ streams }, p) => ({
      streams: streams.map(({ type, uniqueId, effective }, s) => ({
        type: type ?? refuse(`stream ${p}/${s} has no type`),
        uniqueId,
        effective,
      })),
    })),
  };
}

function readSnapshot(view: StoreView, backendPath: string): CardSnapshot | undefined {
  const root = `${backendPath}/${SNAPSHOT_DIRECTORY}`;
  if (view.read(root) === undefined) return undefined;
  return {
    isLate: view.read(`${root}/${LATE}`) !== undefined,
    pcms: children(view, root, Limits.pcmsPerCard).map((pcm) => ({
      streams: children(view, pcm, Limits.streamsPerPcm).map((stream) => readStream(view, stream)),
    })),
  };
}

function readStream(view: StoreView, path: string): SnapshotStream {
  const bad = (node: string): never => {
    throw new XsndError(
      `the node ${path}/${node} is missing or damaged; detach the card with \`xl vsnd-detach\` and attach it again`,
      Exit.badConfiguration,
    );
  };
  const read = (node: string) => view.read(`${path}/${node}`);
  const effective = decodeParams(read, bad);
  const missing = PARAM_KEYS.find((key) => effective[key] === undefined);
  if (missing !== undefined) bad(fieldName(missing));
  return {
    type: parseStreamType(read(XENSND_FIELD_TYPE)) ?? bad(XENSND_FIELD_TYPE),
    uniqueId: read(XENSND_FIELD_STREAM_UNIQUE_ID) ?? bad(XENSND_FIELD_STREAM_UNIQUE_ID),
    effective: effective as StreamParams,
  };
}

/** Writes all nodes or none. Throws StoreError. */
function writeSnapshot(store: Store, backendPath: string, { isLate, pcms }: CardSnapshot): void {
  const root = `${backendPath}/${SNAPSHOT_DIRECTORY}`;
  store.transaction((view) => {
    const [owner] = view.getPermissions(backendPath) ?? [];
    if (owner === undefined) return; // The toolstack has removed the card meanwhile.
    const permissions: Permission[] = [{ domid: owner.domid, access: "none" }];
    const put = (path: string, value: string) => {
      view.write(path, value);
      view.setPermissions(path, permissions);
    };
    put(root, "");
    if (isLate) put(`${root}/${LATE}`, "1");
    pcms.forEach(({ streams }, p) => {
      put(`${root}/${p}`, "");
      streams.forEach(({ type, uniqueId, effective }, s) => {
        const path = `${root}/${p}/${s}`;
        put(path, "");
        put(`${path}/${XENSND_FIELD_TYPE}`, streamType(type));
        put(`${path}/${XENSND_FIELD_STREAM_UNIQUE_ID}`, uniqueId);
        for (const [node, value] of encodeParams(effective)) put(`${path}/${node}`, value);
      });
    });
  });
}
