// SPDX-License-Identifier: MIT
/**
 * Reading a card from its frontend directory, which the guest can write. Each value is checked, bounded and made one line here;
 * printing escapes the characters that a terminal must not get. No value may choose a device or raise a bound. The directory is
 * all there is of a card that `xl` made, and it has the names of every card.
 */
import type { Direction } from "../../pcm/pcm.ts";
import {
  XENSND_FIELD_DEVICE_NAME,
  XENSND_FIELD_STREAM_UNIQUE_ID,
  XENSND_FIELD_TYPE,
  XENSND_FIELD_VCARD_LONG_NAME,
  XENSND_FIELD_VCARD_SHORT_NAME,
} from "../../sndif/mod.ts";
import { StoreError, type StoreView } from "../../xen/ports.ts";
import { DEFAULT_PARAMS, Limits, type StreamParams } from "../model/card.ts";
import { decodeParams } from "../model/param_nodes.ts";
import { children, parseStreamType } from "./policy_nodes.ts";

/** The most problems that are kept: a guest must not fill a screen. */
const MAX_PROBLEMS = 16;

export interface FrontendStream {
  /** Undefined if the node holds neither direction. Linux then refuses the whole card. */
  readonly type: Direction | undefined;
  readonly uniqueId: string;
  readonly effective: StreamParams;
}

export interface FrontendPcm {
  readonly name?: string;
  readonly streams: readonly FrontendStream[];
}

export interface FrontendCard {
  readonly shortName?: string;
  readonly longName?: string;
  readonly pcms: readonly FrontendPcm[];
  /** A line for each value that was left out or cut, the first 16. */
  readonly problems: readonly string[];
}

/** Reads the card at `path`: an empty card if there is no such directory. No content makes this throw. */
export function readFrontendCard(view: StoreView, path: string): FrontendCard {
  const reader = new Reader(new GuardedView(view));
  const card = reader.card(path);
  return { ...card, problems: reader.problems };
}

/** A view in which nodes that may not be read are absent: the guest can close its nodes to the backend. */
class GuardedView {
  constructor(private readonly view: StoreView) {}

  read(path: string): string | undefined {
    return guarded(() => this.view.read(path));
  }

  children(path: string, limit: number): string[] {
    return guarded(() => children(this.view, path, limit)) ?? [];
  }
}

function guarded<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof StoreError && error.code === "EACCES") return undefined;
    throw error;
  }
}

class Reader {
  readonly problems: string[] = [];
  constructor(private readonly view: GuardedView) {}

  card(path: string): Omit<FrontendCard, "problems"> {
    const params = this.#params(path, {});
    return {
      ...this.#text(path, XENSND_FIELD_VCARD_SHORT_NAME, "shortName", Limits.shortNameOctets),
      ...this.#text(path, XENSND_FIELD_VCARD_LONG_NAME, "longName", Limits.longNameOctets),
      pcms: this.view.children(path, Limits.pcmsPerCard).map((pcm) => this.#pcm(pcm, params)),
    };
  }

  #pcm(path: string, card: Partial<StreamParams>): FrontendPcm {
    const params = this.#params(path, card);
    return {
      ...this.#text(path, XENSND_FIELD_DEVICE_NAME, "name", Limits.longNameOctets),
      streams: this.view.children(path, Limits.streamsPerPcm).map((stream) => this.#stream(stream, params)),
    };
  }

  #stream(path: string, pcm: Partial<StreamParams>): FrontendStream {
    const text = this.view.read(`${path}/${XENSND_FIELD_TYPE}`);
    const type = parseStreamType(text);
    if (type === undefined) this.#reject(path, XENSND_FIELD_TYPE, text ?? "");
    const { uniqueId = "" } = this.#text(path, XENSND_FIELD_STREAM_UNIQUE_ID, "uniqueId", Limits.textOctets);
    const params = { ...DEFAULT_PARAMS, ...this.#params(path, pcm) };
    // cfg_read_pcm_hw of the Linux frontend does the same.
    const effective = { ...params, channelsMin: Math.min(params.channelsMin, params.channelsMax) };
    return { type, uniqueId, effective };
  }

  #params(path: string, upper: Partial<StreamParams>): Partial<StreamParams> {
    const own = decodeParams(
      (node) => this.view.read(`${path}/${node}`),
      (node, value) => this.#reject(path, node, value),
    );
    return { ...upper, ...own };
  }

  /** `{ [key]: TEXT }` with the node's text, cut to `octets` and without control characters; `{}` if there is no such node. */
  #text<K extends string>(path: string, node: string, key: K, octets: number): { [P in K]?: string } {
    const text = this.view.read(`${path}/${node}`);
    if (text === undefined) return {};
    const fitting = cut(text.replace(/\p{Cc}/gu, "\ufffd"), octets);
    if (fitting !== text) this.#reject(path, node, text);
    return { [key]: fitting } as { [P in K]?: string };
  }

  #reject(path: string, node: string, value: string): void {
    if (this.problems.length === MAX_PROBLEMS) return;
    const shown = value.length > 40 ? `${value.slice(0, 40)}…` : value;
    this.problems.push(`${path}/${node}: ${JSON.stringify(shown)} is not usable`);
  }
}

/** The longest prefix of `text` that takes at most `octets` octets of UTF-8. */
function cut(text: string, octets: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(octets));
  return text.slice(0, read);
}
