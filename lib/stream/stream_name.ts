// SPDX-License-Identifier: MIT
/** The names of streams, DOMAIN/CARD/PCM/STREAM: making one, and parsing one that a person wrote. */
import { Exit, XsndError } from "../base/error.ts";
import { streamPlace } from "../vsnd/model/card.ts";

/** The streams that a person means. A part that is undefined was left out, and stands for every number. */
export interface StreamName {
  /** The domain's name or number. */
  readonly domain: string;
  readonly card?: number;
  readonly pcm?: number;
  readonly stream?: number;
}

/** Numbers as {@link formatStreamName} writes them: a number has one spelling. */
const NAME = /^([^/]+)(?:\/(0|[1-9]\d*)(?:\/(0|[1-9]\d*)(?:\/(0|[1-9]\d*))?)?)?$/;

/** `domU/0/0/1`. */
export function formatStreamName(domain: string, card: number, pcm: number, stream: number): string {
  return `${domain}/${streamPlace(card, pcm, stream)}`;
}

/** `0/1`: the stream's place in its card, and the path of its directory in the card's. */
export function placeInCard(pcm: number, stream: number): string {
  return `${pcm}/${stream}`;
}

/**
 * Parses DOMAIN/CARD/PCM/STREAM, of which trailing parts may be left out. Throws {@link XsndError} (exit 2) for any other
 * text.
 */
export function parseStreamName(text: string): StreamName {
  const [, domain, card, pcm, stream] = NAME.exec(text) ?? [];
  if (domain === undefined) {
    throw new XsndError(
      `${JSON.stringify(text)} is no stream name; write DOMAIN/CARD/PCM/STREAM, such as domU/0/0/0`,
      Exit.usage,
    );
  }
  const number = (digits: string | undefined) => digits === undefined ? undefined : Number(digits);
  return { domain, card: number(card), pcm: number(pcm), stream: number(stream) };
}

/** A stream as the daemon reports it. */
export interface KnownStream {
  /** `domU/0/0/1` */
  readonly stream: string;
  /** The number of the stream's domain. */
  readonly domid: number;
}

/** The name with the domain's number in the place of the domain's name: `3/0/0/1`. */
export function nameByNumber({ stream, domid }: KnownStream): string {
  return [domid, ...stream.split("/").slice(-3)].join("/");
}

/** The stream's name in the form of `wanted`: a decimal number in the place of the domain is the domain's number, as for xl. */
export function nameAsIn(wanted: string, stream: KnownStream): string {
  return /^\d+(\/|$)/.test(wanted) ? nameByNumber(stream) : stream.stream;
}

/** Whether `wanted`, of which trailing parts may be left out, means the stream. */
export function isMeantBy(stream: KnownStream, wanted: string): boolean {
  const name = nameAsIn(wanted, stream);
  return name === wanted || name.startsWith(`${wanted}/`);
}

/** `name` without the trailing parts that `wanted` leaves out, for suggestions. */
export function shortenedAs(name: string, wanted: string): string {
  return name.split("/").slice(0, wanted.split("/").length).join("/");
}
