// SPDX-License-Identifier: MIT
/** Cards as `vsnd=` of an xl.cfg has them, and the XenStore nodes that libxl makes of them, in libxl's order. */
import { cardPaths, XenbusState } from "../../../lib/xenbus/mod.ts";
import type { Permission } from "../../../lib/xen/ports.ts";
import type { Random } from "../machine/random.ts";

/** The parameters of a level, in libxl's order (`libxl__set_params_vsnd`). */
export const XL_PARAMS = [
  "sample-rates",
  "sample-formats",
  "channels-min",
  "channels-max",
  "buffer-size",
] as const;

export type XlParams = { readonly [name in typeof XL_PARAMS[number]]?: string };

export interface XlStream extends XlParams {
  readonly "unique-id"?: string;
  readonly type: "p" | "c";
}

export interface XlPcm extends XlParams {
  readonly name?: string;
  readonly streams: readonly XlStream[];
}

export interface XlCard extends XlParams {
  readonly "long-name"?: string;
  readonly "short-name"?: string;
  readonly pcms: readonly XlPcm[];
}

const PULSE = [{ "unique-id": "pulse", type: "p" }, { "unique-id": "pulse", type: "c" }] as const;

/** Cards that people give their guests. */
export const XL_CARDS: readonly XlCard[] = [
  // A published xl.cfg: both streams share a unique-id.
  { "short-name": "VCard", pcms: [{ name: "dev1", streams: PULSE }] },
  {
    "short-name": "Speakers",
    "sample-rates": "44100,48000",
    "sample-formats": "s16_le",
    "channels-max": "2",
    "buffer-size": "65536",
    pcms: [{ streams: [{ "unique-id": "speakers", type: "p" }] }],
  },
  {
    "long-name": "Two devices",
    "channels-max": "6",
    pcms: [
      { name: "Front", "channels-max": "2", streams: [{ "unique-id": "front", type: "p" }] },
      {
        name: "Calls",
        "sample-rates": "8000,16000",
        streams: [
          { "unique-id": "ear", type: "p", "buffer-size": "16384" },
          { "unique-id": "mic", type: "c", "channels-max": "1" },
        ],
      },
    ],
  },
  // More than a default device gives.
  {
    "sample-formats": "s32_le,s16_le",
    "channels-max": "32",
    "buffer-size": "4194304",
    pcms: [{ streams: [{ "unique-id": "wide", type: "p" }] }],
  },
  // Without unique-ids, and without any parameter.
  { pcms: [{ streams: [{ type: "p" }, { type: "c" }] }] },
];

export function anyXlCard(random: Random): XlCard {
  return random.pick(XL_CARDS);
}

export type Pair = readonly [name: string, value: string];

function paramPairs(params: XlParams, path: string): Pair[] {
  return XL_PARAMS.flatMap((name) => {
    const value = params[name];
    return value === undefined ? [] : [[`${path}${name}`, value] as const];
  });
}

function optional(name: string, value: string | undefined): Pair[] {
  return value === undefined ? [] : [[name, value]];
}

/** The nodes of the frontend's directory after `backend`, `backend-id` and `state` (`libxl__set_xenstore_vsnd`). */
export function xlFrontendPairs(card: XlCard): Pair[] {
  return [
    ...optional("long-name", card["long-name"]),
    ...optional("short-name", card["short-name"]),
    ...paramPairs(card, ""),
    ...card.pcms.flatMap((pcm, p) => [
      ...optional(`${p}/name`, pcm.name),
      ...paramPairs(pcm, `${p}/`),
      ...pcm.streams.flatMap((stream, s): Pair[] => [
        ...optional(`${p}/${s}/unique-id`, stream["unique-id"]),
        [`${p}/${s}/type`, stream.type],
        ...paramPairs(stream, `${p}/${s}/`),
      ]),
    ]),
  ];
}

/** One call of libxl on XenStore, inside of its transaction. */
export type DeviceCall =
  | { readonly call: "remove"; readonly path: string }
  | { readonly call: "mkdir"; readonly path: string }
  | { readonly call: "write"; readonly path: string; readonly value: string }
  | { readonly call: "permit"; readonly path: string; readonly permissions: readonly Permission[] };

/** What `libxl__device_generic_add` does for card `devid` of `domid`, whose backend is domain 0: every call, in order. */
export function deviceCalls(domid: number, devid: number, card: XlCard): DeviceCall[] {
  const paths = cardPaths({ domid, card: devid, backendDomid: 0 });
  const initialising = String(XenbusState.Initialising);
  const backPairs: Pair[] = [["frontend-id", String(domid)], ["online", "1"], ["state", initialising]];
  const frontPairs: Pair[] = [["backend-id", "0"], ["state", initialising], ...xlFrontendPairs(card)];
  const guests: Permission[] = [{ domid, access: "none" }, { domid: 0, access: "read" }];
  const ours: Permission[] = [{ domid: 0, access: "none" }, { domid, access: "read" }];
  const write = (path: string, value: string): DeviceCall => ({ call: "write", path, value });
  const directory = (path: string, permissions: readonly Permission[]): DeviceCall[] => [
    { call: "remove", path },
    { call: "mkdir", path },
    { call: "permit", path, permissions },
  ];
  return [
    { call: "remove", path: paths.libxl },
    write(`${paths.libxl}/frontend`, paths.frontend),
    write(`${paths.libxl}/backend`, paths.backend),
    ...directory(paths.frontend, guests),
    write(`${paths.frontend}/backend`, paths.backend),
    ...frontPairs.flatMap(([name, value]): DeviceCall[] => [
      write(`${paths.frontend}/${name}`, value),
      { call: "permit", path: `${paths.frontend}/${name}`, permissions: guests },
    ]),
    ...directory(paths.backend, ours),
    write(`${paths.backend}/frontend`, paths.frontend),
    ...backPairs.map(([name, value]) => write(`${paths.backend}/${name}`, value)),
    ...backPairs.map(([name, value]) => write(`${paths.libxl}/${name}`, value)),
  ];
}
