// SPDX-License-Identifier: MIT
/**
 * Gives guests the cards that the configuration declares: as the daemon starts, when a guest appears or gets a declared name, and when
 * the configuration is read again. The rules are those of `xsnd provision`: a card in use changes only as the protocol allows, and no
 * card is taken away. A card that an operator takes away is made again at the guest's next start, and not before, unless the
 * configuration is read again.
 */
import { getLogger } from "@logtape/logtape";
import { XsndError } from "../base/error.ts";
import type { DeclaredGuest, DeclaredReport } from "../control/protocol.ts";
import type { Config } from "../vsnd/model/card.ts";
import { readCards } from "../vsnd/nodes/inventory.ts";
import { cardsOfFile } from "../vsnd/provision/cards_to_provision.ts";
import { provision } from "../vsnd/provision/plan.ts";
import { type Domain, domainName, libxlCardsPath, listDomains } from "../xenbus/mod.ts";
import { isStoreLost, type Store, StoreError, type StoreWatch } from "../xen/ports.ts";

/** How long several changes that come together have until the domains are looked at. */
const LOOK_MS = 20;

/** snd_xen_front serves one card in a guest. */
const TWO_MAKERS =
  "take vsnd out of its xl.cfg, or start `xsnd serve` with --no-provision and have the guest start anew";

export class DeclaredCards implements Disposable {
  readonly #log = getLogger(["xsnd", "declared"]);
  readonly #watches: StoreWatch[] = [];
  /** The watches of each domain's name and cards. */
  readonly #domains = new Map<number, readonly StoreWatch[]>();
  /** As of the last look. */
  #guests: readonly DeclaredGuest[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The domains that have had their cards: {@link identityOf}. */
  readonly #provided = new Map<number, string>();
  /** What the log has said of each domain, as long as that holds. */
  readonly #said = new Map<number, string>();

  /**
   * @param domid this domain's number
   * @param file where the configuration is from
   * @param config what it says now
   */
  constructor(
    private readonly store: Store,
    private readonly domid: number,
    private readonly file: string,
    private readonly config: () => Config,
  ) {}

  /** The guests that are declared, with what was wrong at the last look. */
  get report(): DeclaredReport {
    return { file: this.file, guests: this.#guests };
  }

  /** Begins to follow the domains. The first look is over when this returns. */
  begin(): void {
    if (this.domid !== 0) {
      return this.#log.info(
        "cards are made in domain 0: this domain serves those that {file} declares as soon as a toolstack has made them",
        { file: this.file },
      );
    }
    this.#look();
    for (const path of ["@introduceDomain", "@releaseDomain"]) this.#watches.push(this.#follow(path));
  }

  /** The configuration has changed. */
  reload(): void {
    this.#said.clear();
    this.#provided.clear();
    if (this.domid === 0) this.#look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watch of [...this.#watches, ...this.#domains.values()].flat()) watch[Symbol.dispose]();
  }

  /** The names and numbers of the configuration's guests whose cards this domain serves. */
  get #declared(): string[] {
    const own = [domainName(this.store, this.domid), String(this.domid)];
    return [...this.config()].filter(([, { backend }]) => own.includes(backend)).map(([name]) => name);
  }

  /** Has the domains looked at after each change of the node at `path`. */
  #follow(path: string): StoreWatch {
    const watch = this.store.watch(path);
    const follow = async () => {
      for await (const _ of watch) this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
    };
    // If XenStore is lost for good, the backend ends the daemon.
    follow().catch(() => {});
    return watch;
  }

  /** Looks which guests are there, and gives them their cards. While XenStore is away, nothing: the watches begin anew afterwards. */
  #look(): void {
    this.#timer = undefined;
    try {
      const domains = listDomains(this.store).filter(({ domid }) => domid !== this.domid);
      this.#followDomains(domains);
      this.#guests = this.#declared.flatMap((name): DeclaredGuest[] => {
        const found = domains.filter((domain) => domain.name === name || String(domain.domid) === name);
        if (found.length === 0) return [{ domain: name, problem: "it does not run" }];
        return found.map((domain) => {
          const problem = this.#provide(domain);
          return { domain: name, domid: domain.domid, ...(problem !== undefined && { problem }) };
        });
      });
    } catch (error) {
      if (isStoreLost(error)) return;
      if (!(error instanceof StoreError)) throw error;
      this.#log.error("{error}", { error: error.message });
    }
  }

  /** A name may be written late, or change, and xl may make a card. */
  #followDomains(domains: readonly Domain[]): void {
    const present = new Set(domains.map(({ domid }) => domid));
    for (const [domid, watches] of this.#domains) {
      if (present.has(domid)) continue;
      for (const watch of watches) watch[Symbol.dispose]();
      for (const known of [this.#domains, this.#provided, this.#said]) known.delete(domid);
    }
    for (const domid of present) {
      if (this.#domains.has(domid)) continue;
      const paths = [`/local/domain/${domid}/name`, libxlCardsPath(domid)];
      this.#domains.set(domid, paths.map((path) => this.#follow(path)));
    }
  }

  /** Gives a declared guest its cards. Returns why it does not have them. */
  #provide(domain: Domain): string | undefined {
    const { domid, name } = domain;
    // The nodes of a domain that has died may still be there.
    if (!this.store.isIntroduced(domid)) return "its domain has died";
    try {
      const makers = new Set(readCards(this.store, domain).map(({ provisionedBy }) => provisionedBy));
      if (makers.has("xl")) {
        const both = `${name} has cards of xl's and cards of ${this.file}'s: ${TWO_MAKERS}`;
        if (makers.size > 1) this.#say(domain, "warn", both);
        else this.#say(domain, "info", `xl makes the cards of ${name}, and ${this.file} makes no others`);
        return undefined;
      }
      const identity = this.#identityOf(domain);
      if (this.#provided.get(domid) === identity) return undefined;
      const plans = provision(
        this.store,
        (view) => cardsOfFile(view, this.config(), this.file, String(domid)),
      );
      for (const { address, action, notes } of plans) {
        if (action === "unchanged") continue;
        this.#log.info("card {number} of {domain} is {action}, as {file} says{notes}", {
          number: address.card,
          domain: name,
          action,
          file: this.file,
          notes: notes.map((note) => `; ${note}`).join(""),
        });
      }
      this.#said.delete(domid);
      this.#provided.set(domid, identity);
      return undefined;
    } catch (error) {
      if (isStoreLost(error) || !(error instanceof XsndError || error instanceof StoreError)) throw error;
      this.#say(domain, "error", `${name} is not given what ${this.file} declares: ${error.message}`);
      return error.message;
    }
  }

  /** A number is used again, and a name may change. */
  #identityOf({ domid, name }: Domain): string {
    return `${this.store.read(`/local/domain/${domid}/vm`)} ${name}`;
  }

  /** Logs what is not a change, once as long as it holds. */
  #say({ domid, name }: Domain, level: "info" | "warn" | "error", text: string): void {
    if (this.#said.get(domid) === text) return;
    this.#said.set(domid, text);
    this.#log[level]("{text}", { text, domain: name });
  }
}
