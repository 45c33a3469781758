// SPDX-License-Identifier: MIT
/** Reading the policy of a card: the nodes below the backend's directory that `provision` wrote and the guest cannot write. */
import { Exit, XsndError } from "../../base/error.ts";
import type { Direction } from "../../pcm/pcm.ts";
import {
  XENSND_FIELD_STREAM_UNIQUE_ID,
  XENSND_FIELD_TYPE,
  XENSND_STREAM_TYPE_CAPTURE,
  XENSND_STREAM_TYPE_PLAYBACK,
} from "../../sndif/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import { type CardPolicy, Limits, type StreamParams, type StreamPolicy } from "../model/card.ts";
import { decodeParams, fieldName, PARAM_KEYS } from "../model/param_nodes.ts";
import { POLICY_DENIED, POLICY_DEVICE, POLICY_DIRECTORY } from "./card_tree.ts";

/**
 * The policy of the card whose backend directory is `backendPath`; undefined for a card without a policy, such as one that `xl`
 * made. Throws {@link XsndError} (exit 6) if a node is missing or damaged.
 */
export function readBackendPolicy(view: StoreView, backendPath: string): CardPolicy | undefined {
  const root = `${backendPath}/${POLICY_DIRECTORY}`;
  if (view.read(root) === undefined) return undefined;
  const pcms = children(view, root, Limits.pcmsPerCard).map((pcm) => ({
    streams: children(view, pcm, Limits.streamsPerPcm).map((stream) => readStream(view, stream)),
  }));
  return { pcms };
}

/** Parses the value of a `type` node. */
export function parseStreamType(value: string | undefined): Direction | undefined {
  switch (value) {
    case XENSND_STREAM_TYPE_PLAYBACK:
      return "playback";
    case XENSND_STREAM_TYPE_CAPTURE:
      return "capture";
  }
}

/** The paths of the children 0, 1, ... of `path` up to the first that is missing, at most `limit`. */
export function children(view: StoreView, path: string, limit: number): string[] {
  const names = new Set(view.list(path));
  const paths: string[] = [];
  while (paths.length < limit && names.has(String(paths.length))) paths.push(`${path}/${paths.length}`);
  return paths;
}

function readStream(view: StoreView, path: string): StreamPolicy {
  const bad = (node: string, value: string | undefined): never => {
    const found = value === undefined ? "is missing" : `holds ${JSON.stringify(value)}`;
    throw new XsndError(
      `the policy node ${path}/${node} ${found}; deprovision the card and provision it again`,
      Exit.badConfiguration,
    );
  };
  const read = (node: string) => view.read(`${path}/${node}`);
  const params = decodeParams(read, bad);
  const missing = PARAM_KEYS.find((key) => params[key] === undefined);
  if (missing !== undefined) return bad(fieldName(missing), undefined);
  return {
    type: parseStreamType(read(XENSND_FIELD_TYPE)) ?? bad(XENSND_FIELD_TYPE, read(XENSND_FIELD_TYPE)),
    uniqueId: read(XENSND_FIELD_STREAM_UNIQUE_ID) ?? bad(XENSND_FIELD_STREAM_UNIQUE_ID, undefined),
    device: read(POLICY_DEVICE) || bad(POLICY_DEVICE, read(POLICY_DEVICE)),
    ...(read(POLICY_DENIED) === undefined ? {} : { denied: true }),
    effective: params as StreamParams,
  };
}
