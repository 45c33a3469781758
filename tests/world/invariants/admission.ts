// SPDX-License-Identifier: MIT
/** That no guest is refused a stream which its limit allows: a card that is made anew has its former streams' places. */
import { parseBackendPath } from "../../../lib/xenbus/mod.ts";
import { backendDirectories } from "../toolstack/oracle.ts";
import type { World } from "../world.ts";

/** µs after which the daemon has let go of the streams of a card that is not there any more. */
const LET_GO_MICROS = 3_000_000;

/** What the daemon says of a card that is above its guest's limit of streams. */
const REFUSAL =
  /(\S+)\/\d+: it is not served: its guest has \d+; \d+ more is above the (\d+) that --guest-limits streams=/;

const isNumber = (name: string) => /^\d+$/.test(name);

interface Seen {
  readonly domid: number;
  /** The most of the last moments. */
  readonly streams: number;
  /** When the card was last there, µs. */
  readonly at: number;
}

export class Admission {
  /** By the path of a card's backend. */
  readonly #cards = new Map<string, Seen>();

  private constructor(private readonly world: World) {}

  static readonly #all = new WeakMap<World, Admission>();

  /** What is known of the streams of a world's cards, from the first call on. */
  static of(world: World): Admission {
    let admission = Admission.#all.get(world);
    if (admission === undefined) Admission.#all.set(world, admission = new Admission(world));
    return admission;
  }

  /** Counts the streams of all cards that there are. To be called after each event. */
  look(): void {
    const { nodes, now } = this.world;
    for (const path of backendDirectories(nodes)) {
      const address = parseBackendPath(path);
      const frontend = nodes.value(`${path}/frontend`);
      if (address === undefined || frontend === undefined) continue;
      const domain = this.world.host.xen.hypervisor.domain(address.domid);
      const isHonest = domain === undefined || this.world.population.of(domain)?.isHonest !== false;
      const counts = nodes.children(frontend).filter(isNumber)
        .map((pcm) => nodes.children(`${frontend}/${pcm}`).filter(isNumber).length);
      // A daemon knows the streams of a card of which the toolstack, or a hostile guest, has removed nodes of the guest's half.
      const streams = isHonest && counts.reduce((sum, count) => sum + count, 0) || Infinity;
      const before = this.#cards.get(path);
      const isLate = before === undefined || before.at + LET_GO_MICROS < now;
      this.#cards.set(path, {
        domid: address.domid,
        streams: isLate ? streams : Math.max(streams, before.streams),
        at: now,
      });
    }
  }

  /** What is wrong with `text`, which a daemon has just logged; undefined: nothing. */
  refusalProblem(text: string): string | undefined {
    const [, name, limit] = REFUSAL.exec(text) ?? [];
    const domains = this.world.account.domains.filter((domain) => domain.name === name);
    if (domains.length !== 1) return undefined;
    this.look();
    const cards = [...this.#cards.values()].filter(({ domid, at }) =>
      domid === domains[0]!.domid && at + LET_GO_MICROS >= this.world.now
    );
    const streams = cards.reduce((sum, card) => sum + card.streams, 0);
    if (streams > Number(limit)) return undefined;
    return `a card is refused, and its guest has ${cards.length} cards with ${streams} streams in all: ${text}`;
  }
}
