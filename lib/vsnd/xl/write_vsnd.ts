// SPDX-License-Identifier: MIT
/** Writing the cards of a domain in xl.cfg's syntax. */
import { type CardConfig, DEFAULT_BACKEND, type DomainConfig, type StreamParams } from "../model/card.ts";
import { encodeParams } from "../model/param_nodes.ts";
import { isMisspeltByLibxl, toComment, toLibxlFormat } from "./xl_spelling.ts";

/** The `vsnd` setting of a domain. Values that xl's syntax cannot express stand in marked comments, which xl ignores. */
export function writeXl(name: string, { backend, cards }: DomainConfig): string {
  const lists = cards.map((
    card,
  ) => ["  [", ...cardLines(card, backend).map((line) => `    ${line}`), "  ],"]);
  return [toComment({ domain: name }), "vsnd = [", ...lists.flat(), "]", ""].join("\n");
}

/** The formats of the cards that the guest's driver does not recognise if xl makes the cards. */
export function misspeltFormats({ cards }: DomainConfig): string[] {
  const streams = cards.flatMap((card) => card.pcms).flatMap((pcm) => pcm.streams);
  return [...new Set(streams.flatMap((stream) => stream.effective.formats))].filter(isMisspeltByLibxl);
}

function cardLines({ shortName, longName, declared, pcms }: CardConfig, backend: string): string[] {
  // In xl's syntax a comma ends a value.
  const sayable = !backend.includes(",");
  const said = backend === DEFAULT_BACKEND || !sayable ? undefined : backend;
  const card = item("CARD", [
    ["backend", said],
    ["short-name", shortName],
    ["long-name", longName],
    ...params(declared),
  ], sayable ? undefined : { backend });
  return [
    card,
    ...pcms.flatMap(({ name, declared, streams }) => [
      item("PCM", [["name", name], ...params(declared)]),
      ...streams.map(({ uniqueId, type, declared, device, denied, first }) =>
        item("STREAM", [["unique-id", uniqueId], ["type", type[0]], ...params(declared)], {
          device,
          ...(denied && { denied }),
          ...(first?.volume !== undefined && { volume: first.volume / 1000 }),
          ...(first?.muted !== undefined && { muted: first.muted }),
        })
      ),
    ]),
  ];
}

function params({ formats, ...rest }: Partial<StreamParams>): [string, string][] {
  const own = formats === undefined ? rest : { ...rest, formats: formats.map(toLibxlFormat) };
  return encodeParams(own).map(([key, value]) => [key, value.replaceAll(",", ";")]);
}

function item(
  word: string,
  pairs: readonly (readonly [string, string | undefined])[],
  more?: object,
): string {
  const said = pairs.filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${value}`);
  const text = [word, ...said].join(", ").replace(/['\\]/g, "\\$&");
  return `'${text}',${more === undefined ? "" : ` ${toComment(more)}`}`;
}
