// SPDX-License-Identifier: MIT
/**
 * Which configurations a daemon may go by, as far as an administrator can know: the daemon reads its file some time after its start,
 * or after a SIGHUP, and says later that it has. Meanwhile the file may change. So there are several candidates while a reload is
 * under way, and one as a rule.
 */
import { XsndError } from "../../../lib/base/error.ts";
import { parseConfig } from "../../../lib/vsnd/config/yaml_file.ts";
import type { Config } from "../../../lib/vsnd/model/card.ts";
import type { Clock, Entry } from "../machine/clock.ts";

/** A reload that has been asked for: the texts that the daemon may find. */
interface Reload {
  readonly since: number;
  readonly texts: Set<string | undefined>;
}

/** A daemon with more than one reload to do says nothing for so long only if it has done all, µs. */
const QUIET_MICROS = 10_000_000;

const parsed = new Map<string, Config | undefined>();

/** The configuration that `text` is; undefined if the daemon refuses the text. */
export function configOf(text: string): Config | undefined {
  if (!parsed.has(text)) {
    try {
      parsed.set(text, parseConfig(text, "xsnd.yaml"));
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      parsed.set(text, undefined);
    }
  }
  return parsed.get(text);
}

export class ConfigurationInForce {
  /** The daemon has decided about each card at this time or later, µs. */
  decidedSince: number;
  /** The texts that may be in force; none of them is refused. */
  #inForce = new Set<string>();
  /** The reloads that the daemon may not have done yet, the oldest first. The first one is the daemon's start. */
  #reloads: Reload[] = [];
  #isStarting = true;
  /** What is in force once XenStore has told the daemon of all cards; undefined: that holds already. */
  #afterReturn: Set<string> | undefined;
  #quiet: Entry | undefined;

  /**
   * A daemon starts.
   * @param text of the file; undefined if there is none
   * @param changed is called when the candidates change
   */
  constructor(private readonly clock: Clock, text: string | undefined, private readonly changed: () => void) {
    this.#reloads.push({ since: clock.now, texts: new Set([text]) });
    this.decidedSince = clock.now;
  }

  /** The candidates. Empty while the daemon starts and the file is one that it refuses. */
  get candidates(): readonly Config[] {
    const texts = new Set<string | undefined>(this.#inForce);
    for (const reload of this.#reloads) for (const text of reload.texts) texts.add(text);
    return [...texts].flatMap((text) => text === undefined ? [] : configOf(text) ?? []);
  }

  /** The file changes. */
  written(text: string | undefined): void {
    for (const { texts } of this.#reloads) texts.add(text);
    if (this.#reloads.length > 0) this.changed();
  }

  /** The daemon serves: it has read the file. */
  serves(): void {
    if (!this.#isStarting) return;
    this.#isStarting = false;
    this.#inForce = valid(this.#reloads.shift()!.texts);
    this.changed();
  }

  /** The daemon gets SIGHUP. */
  hangUp(text: string | undefined): void {
    this.#reloads.push({ since: this.clock.now, texts: new Set([text]) });
    this.changed();
  }

  /**
   * The daemon says what became of a reload. Reloads that come while another one is under way become one.
   * @param isLate whether the cards follow when XenStore is there again
   */
  reloaded(wasTaken: boolean, isLate = false): void {
    const former = isLate ? this.#inForce : [];
    const { decidedSince } = this;
    this.#ended(wasTaken);
    if (!isLate) return;
    this.decidedSince = decidedSince;
    this.#afterReturn = this.#inForce;
    this.#inForce = new Set([...former, ...this.#inForce]);
    this.changed();
  }

  /** The daemon has looked at all cards since XenStore is there again. */
  caughtUp(): void {
    if (this.#afterReturn === undefined) return;
    this.#inForce = this.#afterReturn;
    this.#afterReturn = undefined;
    this.changed();
  }

  #ended(wasTaken: boolean): void {
    if (this.#isStarting || this.#reloads.length === 0) return;
    this.clock.cancel(this.#quiet);
    if (this.#reloads.length === 1) return this.#settle(wasTaken);
    // The daemon may have read before the later signals came, or after all of them.
    for (const { texts } of this.#reloads) for (const text of valid(texts)) this.#inForce.add(text);
    this.#reloads.shift();
    this.#quiet = this.clock.after(QUIET_MICROS, () => {
      // What the daemon said last is of its last reload, which began after the last signal.
      this.#reloads = this.#reloads.slice(-1);
      this.#settle(wasTaken);
    });
    this.changed();
  }

  #settle(wasTaken: boolean): void {
    const [{ since, texts }] = this.#reloads as [Reload];
    this.#reloads = [];
    if (wasTaken) {
      this.decidedSince = since;
      this.#inForce = valid(texts);
      this.#afterReturn = undefined;
    }
    this.changed();
  }
}

function valid(texts: ReadonlySet<string | undefined>): Set<string> {
  return new Set(
    [...texts].filter((text) => text !== undefined && configOf(text) !== undefined) as string[],
  );
}
