// SPDX-License-Identifier: MIT
/** The XenStore nodes of the five parameters that card, PCM and stream can each set: encoding and decoding. */
import {
  XENSND_FIELD_BUFFER_SIZE,
  XENSND_FIELD_CHANNELS_MAX,
  XENSND_FIELD_CHANNELS_MIN,
  XENSND_FIELD_SAMPLE_FORMATS,
  XENSND_FIELD_SAMPLE_RATES,
  XENSND_LIST_SEPARATOR,
} from "../../sndif/constants.ts";
import { formatByName, FORMATS } from "../../sndif/formats.ts";
import { Limits, LINUX_RATES, type StreamParams } from "./card.ts";

/**
 * The formats that are served: those whose samples have a fixed number of octets. In the others (ima_adpcm, mpeg, gsm) a
 * position cannot be counted in frames.
 */
export const SERVED_FORMATS: readonly string[] = FORMATS
  .filter((format) => format.octets !== undefined)
  .map((format) => format.name);

/** The octets of one frame of `channels` channels in the widest of `formats`. */
export function widestFrameBytes(formats: readonly string[], channels: number): number {
  return channels * Math.max(...formats.map((name) => formatByName(name)?.octets ?? 0));
}

/** A node's decoded value: the usable part, undefined if there is none, and whether the whole value is usable. */
interface Decoded<T> {
  readonly value: T | undefined;
  readonly whole: boolean;
}

interface Field<T> {
  readonly node: string;
  encode(value: T): string;
  decode(text: string): Decoded<T>;
}

function listField<T extends number | string>(
  node: string,
  known: readonly T[],
): Field<readonly T[]> {
  const byName = new Map(known.map((item) => [String(item), item]));
  return {
    node,
    encode: (items) => items.join(XENSND_LIST_SEPARATOR),
    decode: (text) => {
      const names = [...new Set(text.split(XENSND_LIST_SEPARATOR))];
      const value = names.flatMap((name) => byName.get(name) ?? []);
      return { value: value.length > 0 ? value : undefined, whole: value.length === names.length };
    },
  };
}

function numberField(node: string, maximum: number): Field<number> {
  return {
    node,
    encode: String,
    decode: (text) => {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
      const usable = value >= 1 && value <= maximum;
      return { value: usable ? value : undefined, whole: usable };
    },
  };
}

/** The fields in the order in which libxl writes them (`libxl__set_params_vsnd`). */
const FIELDS: { readonly [K in keyof StreamParams]: Field<StreamParams[K]> } = {
  rates: listField(XENSND_FIELD_SAMPLE_RATES, LINUX_RATES),
  formats: listField(XENSND_FIELD_SAMPLE_FORMATS, SERVED_FORMATS),
  channelsMin: numberField(XENSND_FIELD_CHANNELS_MIN, Limits.channels),
  channelsMax: numberField(XENSND_FIELD_CHANNELS_MAX, Limits.channels),
  bufferSizeBytes: numberField(XENSND_FIELD_BUFFER_SIZE, Limits.bufferSizeBytes),
};

export const PARAM_KEYS = Object.keys(FIELDS) as readonly (keyof StreamParams)[];

/** The parameter's name in XenStore, which xl.cfg and xsnd's YAML use too. */
export function fieldName(key: keyof StreamParams): string {
  return FIELDS[key].node;
}

/** The nodes of `params`, each as [name, value]. */
export function encodeParams(params: Partial<StreamParams>): [string, string][] {
  const encodeOne = <K extends keyof StreamParams>(key: K): [string, string][] => {
    const value = params[key];
    return value === undefined ? [] : [[FIELDS[key].node, FIELDS[key].encode(value)]];
  };
  return PARAM_KEYS.flatMap(encodeOne);
}

/**
 * Decodes the parameters of a directory. `read` gives a node's value. Values that are not understood are left out, as the Linux
 * frontend leaves them out, and `reject` is called with the node's whole value.
 */
export function decodeParams(
  read: (node: string) => string | undefined,
  reject: (node: string, value: string) => void,
): Partial<StreamParams> {
  const params: { -readonly [K in keyof StreamParams]?: StreamParams[K] } = {};
  const decodeOne = <K extends keyof StreamParams>(key: K): void => {
    const { node, decode } = FIELDS[key];
    const text = read(node);
    if (text === undefined) return;
    const { value, whole } = decode(text);
    if (!whole) reject(node, text);
    if (value !== undefined) params[key] = value;
  };
  for (const key of PARAM_KEYS) decodeOne(key);
  return params;
}
