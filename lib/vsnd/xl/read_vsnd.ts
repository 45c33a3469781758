// SPDX-License-Identifier: MIT
/**
 * Reading `vsnd=[[...]]` of an xl configuration into the value of a YAML file. The text is read as xl's own parser reads it
 * (parse_vsnd_item of xl_parse.c); values that xl ignores or misreads silently become findings.
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

/** The settings that are read here, with the advice for a file that sets one of them twice. */
const SET_ONCE: Readonly<Record<string, string>> = {
  vsnd: "write += here to add cards, or remove one of the two",
  name: "remove one of the two",
};

/** The cards of one xl configuration, and the findings about them. */
export class XlReading implements ItemNotes {
  /** The value of the YAML file: `{ domains: { NAME: { backend, cards } } }`. */
  readonly value: { domains: Record<string, { backend?: string; cards: unknown[] }> };
  /** Values that xl refuses or misreads. */
  readonly findings: PlacedFinding[] = [];
  /** Values that xl takes and the guest's driver does not. They do no harm to a card that `xsnd` provisions. */
  readonly hazards: PlacedFinding[] = [];
  /** Values that YAML cannot express. */
  readonly limits: PlacedFinding[] = [];
  /** The number of streams that got the default device. */
  deviceless = 0;
  /** Whether the file names its domain. */
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

  /** Records that the value at `path` comes from `place`. */
  place(path: DocumentPath, place: Place): void {
    this.#places.set(formatPath(path), place);
  }

  find({ offset, path }: Place, what: string, why: string, instead: string): void {
    this.findings.push({ offset, path, what, why, instead });
  }

  /** The place of the value at `path`, or of the nearest value around. */
  placeOf(path: DocumentPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.#places.get(formatPath(path.slice(0, length)));
      if (place !== undefined) return { ...place, path: [...place.path, ...path.slice(length)] };
    }
    return { offset: 0, path: ["vsnd"] };
  }

  /** Turns a finding about the YAML value into a finding about the file, in xl's terms. */
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
    const why = `xl ignores line ${line} silently`;
    this.find({ offset: byOffset, path: [name] }, what, why, SET_ONCE[name] ?? "remove one of the two");
  }

  #cards(vsnd: XlValue, domain: { backend?: string; cards: unknown[] }, path: DocumentPath): void {
    if (vsnd.kind === "text") {
      const instead = "write a list of cards: vsnd = [['CARD', ...], ...]";
      return this.find(
        { offset: vsnd.offset, path: ["vsnd"] },
        "is no list",
        "xl ignores the setting",
        instead,
      );
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
    const nested = list.items.find((item) => item.kind === "list");
    if (nested !== undefined) {
      const at = { offset: nested.offset, path: [...place.path, list.items.indexOf(nested)] };
      this.find(at, "is a list", "xl ignores the list and the rest of the card", "write texts only");
    }
    list.items.forEach((item, index) => {
      if (item.kind === "text") items.read(item, index);
    });
    const { backend } = items;
    if (domain.cards.length > 0 && backend !== domain.backend) {
      this.limits.push({
        ...place,
        what: `is served by ${backend ?? "Domain-0"}, and the first card by ${domain.backend ?? "Domain-0"}`,
        why: "in YAML, all cards of a domain have one backend",
        instead: "import the cards one by one, each from a file of its own",
      });
    }
    if (backend !== undefined) domain.backend ??= backend;
    domain.cards.push(items.card);
  }
}

/** The domain's name: from a marked comment, or from the setting `name`. */
function domainOf(settings: ReadonlyMap<string, XlValue>, comments: readonly string[]): string | undefined {
  for (const comment of comments) {
    const marked = markedText(comment);
    if (marked === undefined) continue;
    try {
      const { domain } = JSON.parse(marked);
      if (typeof domain === "string") return domain;
    } catch {
      // The comment is not one of xsnd's.
    }
  }
  const name = settings.get("name");
  return name?.kind === "text" ? (name as XlText).text : undefined;
}
