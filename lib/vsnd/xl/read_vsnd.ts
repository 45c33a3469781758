// SPDX-License-Identifier: MIT
/**
 * From `vsnd=[[...]]` of an xl configuration to the value that a YAML file of ours would have, as xl's own parser
 * understands it (parse_vsnd_item of xl_parse.c): where xl drops or misreads something without a word, that is a finding.
 */
import type { DocumentPath, Finding, LocatedFinding } from "../model/finding.ts";
import { formatPath } from "../model/finding.ts";
import {
  positionOf,
  type XlFile,
  type XlList,
  type XlReplaced,
  type XlText,
  type XlValue,
} from "./syntax.ts";
import { ItemReader } from "./vsnd_item.ts";
import type { ItemNotes, Place, PlacedFinding, XlDefaults } from "./xl_findings.ts";
import { markedText } from "./xl_spelling.ts";

/** Settings that are read here, and what to do about two of one name. */
const SET_ONCE: Readonly<Record<string, string>> = {
  vsnd: "write += here to add cards, or leave one of them out",
  name: "leave one of them out",
};

/** What a file says, and all that xl makes of it otherwise than one would think. */
export class XlReading implements ItemNotes {
  /** As of a YAML file: `{ domains: { NAME: { backend, cards } } }`. */
  readonly value: { domains: Record<string, { backend?: string; cards: unknown[] }> };
  /** What xl refuses, or takes for something else. */
  readonly findings: PlacedFinding[] = [];
  /** What xl takes, and the guest's driver then does not; cards that `xsnd` provisions are spared it. */
  readonly hazards: PlacedFinding[] = [];
  /** What a configuration of ours has no room for. */
  readonly limits: PlacedFinding[] = [];
  /** Streams that got the default device. */
  deviceless = 0;
  readonly named: boolean;
  readonly #places = new Map<string, Place>();

  constructor(
    private readonly text: string,
    { settings, replaced, comments }: XlFile,
    readonly defaults: XlDefaults,
  ) {
    replaced.filter(({ name }) => Object.hasOwn(SET_ONCE, name)).forEach((each) => this.#setAgain(each));
    const name = domainOf(settings, comments);
    this.named = name !== undefined;
    const domain: { backend?: string; cards: unknown[] } = { cards: [] };
    this.value = { domains: { [name ?? defaults.domain]: domain } };
    const path = ["domains", name ?? defaults.domain];
    const vsnd = settings.get("vsnd");
    for (const at of [[], ["domains"], path, [...path, "cards"]]) {
      this.place(at, { offset: vsnd?.offset ?? 0, path: ["vsnd"] });
    }
    if (vsnd === undefined) {
      this.find(
        { offset: 0, path: ["vsnd"] },
        "missing",
        "the guest gets no sound card",
        "write vsnd = [[...]]",
      );
    } else this.#cards(vsnd, domain, [...path, "cards"]);
  }

  /** Says where the value at `path` comes from. */
  place(path: DocumentPath, place: Place): void {
    this.#places.set(formatPath(path), place);
  }

  find({ offset, path }: Place, what: string, why: string, instead: string): void {
    this.findings.push({ offset, path, what, why, instead });
  }

  /** The place of a value, or of what is around it. */
  placeOf(path: DocumentPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.#places.get(formatPath(path.slice(0, length)));
      if (place !== undefined) return { ...place, path: [...place.path, ...path.slice(length)] };
    }
    return { offset: 0, path: ["vsnd"] };
  }

  /** The finding about a value, told of the file. */
  translate(finding: Finding): PlacedFinding {
    const instead = finding.path.at(-1) === "type" ? "write type=p or type=c" : finding.instead;
    return { ...finding, ...(instead !== undefined && { instead }), ...this.placeOf(finding.path) };
  }

  locate({ offset, ...finding }: PlacedFinding): LocatedFinding {
    return { ...finding, ...positionOf(this.text, offset) };
  }

  #setAgain({ name, offset, byOffset }: XlReplaced): void {
    const { line } = positionOf(this.text, offset);
    const what = `is set again, and was set on line ${line}`;
    const why = `xl drops what line ${line} says, without a word`;
    this.find({ offset: byOffset, path: [name] }, what, why, SET_ONCE[name]);
  }

  #cards(vsnd: XlValue, domain: { backend?: string; cards: unknown[] }, path: DocumentPath): void {
    if (vsnd.kind === "text") {
      const instead = "write a list of cards: vsnd = [['CARD', ...], ...]";
      return this.find({ offset: vsnd.offset, path: ["vsnd"] }, "is no list", "xl passes over it", instead);
    }
    vsnd.items.forEach((item, index) => {
      const place = { offset: item.offset, path: ["vsnd", index] };
      if (item.kind === "text") {
        const why = "xl refuses the file";
        this.find(place, "is no list", why, "put brackets around the card: vsnd = [['CARD', ...]]");
      } else this.#card(item, domain, [...path, domain.cards.length], place);
    });
  }

  #card(
    list: XlList,
    domain: { backend?: string; cards: unknown[] },
    path: DocumentPath,
    place: Place,
  ): void {
    this.place(path, place);
    const items = new ItemReader(this, path, place);
    const nested = list.items.findIndex((item) => item.kind === "list");
    if (nested >= 0) {
      const at = { offset: list.items[nested].offset, path: [...place.path, nested] };
      this.find(at, "is a list", "xl passes over it and all that follows in this card", "write texts only");
    }
    list.items.forEach((item, index) => {
      if (item.kind === "text") items.read(item, index);
    });
    const { backend } = items;
    if (domain.cards.length > 0 && backend !== domain.backend) {
      this.limits.push({
        ...place,
        what: `is served by ${backend ?? "Domain-0"}, and the first card by ${domain.backend ?? "Domain-0"}`,
        why: "a domain's cards have one backend in the YAML",
        instead: "import one card at a time, each from a file of its own",
      });
    }
    if (backend !== undefined) domain.backend ??= backend;
    domain.cards.push(items.card);
  }
}

/** The domain that our comment names, or xl's `name`. */
function domainOf(settings: ReadonlyMap<string, XlValue>, comments: readonly string[]): string | undefined {
  for (const comment of comments) {
    const marked = markedText(comment);
    if (marked === undefined) continue;
    try {
      const { domain } = JSON.parse(marked);
      if (typeof domain === "string") return domain;
    } catch {
      // somebody's own words
    }
  }
  const name = settings.get("name");
  return name?.kind === "text" ? (name as XlText).text : undefined;
}
