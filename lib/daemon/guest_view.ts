// SPDX-License-Identifier: MIT
/**
 * The backend's state as a guest sees it whose kernel may have been restored with a PCM open (`xl save` and `restore`, `xl migrate`).
 *
 * snd_xen_front starts over at the first InitWait that it reads after a restore, and frees memory that the open PCM still uses: the
 * guest's kernel crashes (`snd_card_free`, `alsa_hw_free`). But `xl` lets a restored guest run only once the backend's state is
 * InitWait. So the guest gets a state node of its own, in a directory below the card's, and the `backend` node of the frontend names
 * that directory. The guest sees Closing there, which the driver ignores, until the driver has given up its requests, and the program
 * its PCM. From then on the guest sees what the backend's own node has.
 */
import { getLogger } from "@logtape/logtape";
import { type CardPaths, readState, restoredPath, XenbusState } from "../xenbus/mod.ts";
import { isStoreLost, type Store } from "../xen/ports.ts";

/**
 * How long the guest sees Closing. A program waits for room in its buffer for up to 10 s; STOP and CLOSE have 3 s each. (`aplay` had
 * ended within 7 s, with Linux 6.1 and 7.)
 */
const HOLD_MS = 20_000;
/** How often the daemon looks whether the guest's kernel has booted. */
const LOOK_MS = 250;

/**
 * Whether the domain's kernel has yet to boot, or was restored. libxl makes the node, empty. Linux writes 1 as it boots, and writes
 * nothing after a restore.
 */
export function hasNotBooted(store: Store, domid: number): boolean {
  return store.read(`/local/domain/${domid}/control/feature-poweroff`) === "";
}

export class GuestView implements Disposable {
  readonly #directory: string;
  /** Whether the guest sees Closing, whatever the backend's state is. */
  #isHeld = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    private readonly store: Store,
    private readonly paths: CardPaths,
    private readonly domid: number,
  ) {
    this.#directory = restoredPath(paths.backend);
  }

  /** Begins to show Closing to the guest of a card that nobody has offered yet. Returns undefined if the card is gone. */
  static begin(store: Store, paths: CardPaths, domid: number): GuestView | undefined {
    const view = new GuestView(store, paths, domid);
    const link = `${paths.frontend}/backend`;
    const isThere = store.transaction((t) => {
      if (t.read(`${paths.backend}/state`) === undefined || t.read(link) === undefined) return false;
      t.write(`${view.#directory}/state`, String(XenbusState.Closing));
      t.write(link, view.#directory);
      return true;
    });
    if (!isThere) return undefined;
    view.#hold();
    return view;
  }

  /** What a former daemon has begun; undefined: nothing. */
  static find(store: Store, paths: CardPaths, domid: number): GuestView | undefined {
    const shown = readState(store, restoredPath(paths.backend));
    if (shown === undefined) return undefined;
    const view = new GuestView(store, paths, domid);
    if (shown === XenbusState.Closing && readState(store, paths.backend) !== shown) view.#hold();
    return view;
  }

  #hold(): void {
    const [log, card] = [getLogger(["xsnd", "card"]), this.paths.backend];
    const until = performance.now() + HOLD_MS;
    this.#isHeld = true;
    this.#timer = setInterval(() => {
      try {
        if (performance.now() < until && hasNotBooted(this.store, this.domid)) return;
        this.#show();
        this.#isHeld = false;
        this[Symbol.dispose]();
      } catch (error) {
        if (isStoreLost(error)) return; // XenStore comes back
        this[Symbol.dispose]();
        log.error("{card}: its guest does not see its state: {error}", { card, error: String(error) });
      }
    }, LOOK_MS);
    log.debug(
      "{card}: shown to its guest when the guest's kernel has booted, or in {seconds} s: the guest may have been restored with its " +
        "PCM open",
      { card, seconds: HOLD_MS / 1000 },
    );
  }

  #show(): void {
    this.store.transaction((t) => {
      const state = readState(t, this.paths.backend);
      const isThere = t.read(`${this.#directory}/state`) !== undefined;
      if (isThere && state !== undefined) t.write(`${this.#directory}/state`, String(state));
    });
  }

  /** The directory whose state is to be the backend's; undefined while the guest sees Closing. */
  get mirror(): string | undefined {
    return this.#isHeld ? undefined : this.#directory;
  }

  /** What is shown stays as it is, for the next daemon to find. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
