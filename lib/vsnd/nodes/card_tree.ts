// SPDX-License-Identifier: MIT
/**
 * The XenStore nodes of a card. They are those that libxl writes for a `vsnd` device (libxl_vsnd.c, `libxl__device_generic_add`
 * in libxl_device.c), so that `xl` can list and detach the card. Below the backend's directory they have the policy, which the
 * guest can neither read nor change.
 *
 * libxl spells the floating-point formats f32_le and so on; sndif.h and Linux spell them float_le. A card with such a format is
 * written for Linux, and `xl vsnd-list` refuses it.
 */
import {
  XENSND_FIELD_DEVICE_NAME,
  XENSND_FIELD_STREAM_UNIQUE_ID,
  XENSND_FIELD_TYPE,
  XENSND_FIELD_VCARD_LONG_NAME,
  XENSND_FIELD_VCARD_SHORT_NAME,
  XENSND_STREAM_TYPE_CAPTURE,
  XENSND_STREAM_TYPE_PLAYBACK,
} from "../../sndif/mod.ts";
import { type CardAddress, cardPaths, XenbusState } from "../../xenbus/mod.ts";
import type { Permission, StoreView } from "../../xen/ports.ts";
import type { CardConfig, PcmConfig, StreamConfig, StreamParams, StreamPolicy } from "../model/card.ts";
import { encodeParams } from "../model/param_nodes.ts";

export interface TreeNode {
  readonly path: string;
  /** Empty for a directory. */
  readonly value: string;
  readonly permissions: readonly Permission[];
}

/** The policy's directory below the backend's. */
export const POLICY_DIRECTORY = "xsnd";
/** The policy's node with the name of the ALSA PCM or of the dummy device. */
export const POLICY_DEVICE = "device";
/** The policy's node of a denied stream, with the value "1". Other streams have no such node. */
export const POLICY_DENIED = "denied";

type Pair = readonly [name: string, value: string];

/** All nodes of a card, each after its parent. */
export function cardTree(address: CardAddress, card: CardConfig): TreeNode[] {
  const { domid, backendDomid } = address;
  const paths = cardPaths(address);
  const initialising = String(XenbusState.Initialising);
  const none = (owner: number): Permission => ({ domid: owner, access: "none" });
  const read = (reader: number): Permission => ({ domid: reader, access: "read" });
  const backend: Pair[] = [["frontend-id", String(domid)], ["online", "1"], ["state", initialising]];
  return [
    ...directory(paths.libxl, [none(0)], [
      ["frontend", paths.frontend],
      ["backend", paths.backend],
      ...backend,
    ]),
    ...directory(paths.frontend, [none(domid), read(backendDomid)], [
      ["backend", paths.backend],
      ["backend-id", String(backendDomid)],
      ["state", initialising],
      ...frontendPairs(card),
    ]),
    ...directory(paths.backend, [none(backendDomid), read(domid)], [
      ["frontend", paths.frontend],
      ...backend,
    ]),
    ...directory(`${paths.backend}/${POLICY_DIRECTORY}`, [none(backendDomid)], policyPairs(card)),
  ];
}

/** Writes `nodes`. Nodes that exist get the new values and permissions. */
export function writeTree(view: StoreView, nodes: readonly TreeNode[]): void {
  for (const { path, value, permissions } of nodes) {
    view.write(path, value);
    view.setPermissions(path, permissions);
  }
}

function directory(path: string, permissions: readonly Permission[], pairs: readonly Pair[]): TreeNode[] {
  return [["", ""] as const, ...pairs].map(([name, value]) => ({
    path: name === "" ? path : `${path}/${name}`,
    value,
    permissions,
  }));
}

/** The node `name`, and `pairs` below it. */
function below(name: string | number, pairs: readonly Pair[]): Pair[] {
  return [[String(name), ""], ...pairs.map(([key, value]): Pair => [`${name}/${key}`, value])];
}

function optional(name: string, value: string | undefined): Pair[] {
  return value === undefined ? [] : [[name, value]];
}

function frontendPairs(card: CardConfig): Pair[] {
  return [
    ...optional(XENSND_FIELD_VCARD_LONG_NAME, card.longName),
    ...optional(XENSND_FIELD_VCARD_SHORT_NAME, card.shortName),
    ...encodeParams(card.declared),
    ...card.pcms.flatMap((pcm, index) => below(index, pcmPairs(pcm, card.declared))),
  ];
}

function pcmPairs(pcm: PcmConfig, card: Partial<StreamParams>): Pair[] {
  const upper = { ...card, ...pcm.declared };
  return [
    ...optional(XENSND_FIELD_DEVICE_NAME, pcm.name),
    ...encodeParams(pcm.declared),
    ...pcm.streams.flatMap((stream, index) => below(index, streamPairs(stream, upper))),
  ];
}

/**
 * Parameters that no level declares are written on the stream, because a frontend's own defaults may be wider than the policy
 * (Linux takes any rate up to 48000). Only channels-min can be left out: sndif.h has the same default, 1.
 */
function streamPairs(
  { type, uniqueId, declared, effective }: StreamConfig,
  upper: Partial<StreamParams>,
): Pair[] {
  const { channelsMin: _, ...defaults } = effective;
  const undeclared = Object.entries(defaults).filter(([key]) => !(key in upper));
  return [
    [XENSND_FIELD_STREAM_UNIQUE_ID, uniqueId],
    [XENSND_FIELD_TYPE, streamType(type)],
    ...encodeParams({ ...Object.fromEntries(undeclared), ...declared }),
  ];
}

function policyPairs({ pcms }: CardConfig): Pair[] {
  return pcms.flatMap(({ streams }, index) =>
    below(index, streams.flatMap((stream, number) => below(number, streamPolicyPairs(stream))))
  );
}

function streamPolicyPairs({ type, uniqueId, device, denied, effective }: StreamPolicy): Pair[] {
  return [
    [XENSND_FIELD_TYPE, streamType(type)],
    [POLICY_DEVICE, device],
    ...optional(POLICY_DENIED, denied ? "1" : undefined),
    [XENSND_FIELD_STREAM_UNIQUE_ID, uniqueId],
    ...encodeParams(effective),
  ];
}

/** The value of the `type` node of a stream in this direction. */
export function streamType(type: StreamPolicy["type"]): string {
  return type === "playback" ? XENSND_STREAM_TYPE_PLAYBACK : XENSND_STREAM_TYPE_CAPTURE;
}
