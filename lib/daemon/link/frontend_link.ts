// SPDX-License-Identifier: MIT
/** The link from a stream to its frontend: two shared pages and two event channels, opened together and released together. */
import { type EventChannels, type GrantTable, type Mapping, XEN_PAGE_SIZE } from "../../xen/ports.ts";
import type { GuestUse } from "../policy/guest_limits.ts";
import type { StreamTransport } from "./published.ts";

/** What all links of a daemon share. */
export interface LinkServices {
  readonly grants: GrantTable;
  readonly guests: GuestUse;
}

export class FrontendLink implements Disposable {
  private constructor(
    readonly ring: Mapping,
    readonly eventPage: Mapping,
    readonly requestPort: number,
    readonly eventPort: number,
    private readonly stack: DisposableStack,
  ) {}

  /**
   * Maps the pages and binds the channels that domain `domid` has published. Throws {@link GrantError} or {@link EventChannelError} if
   * its numbers are wrong, or {@link LimitError}, with nothing left mapped or bound.
   */
  static open(
    domid: number,
    transport: StreamTransport,
    { grants, guests }: LinkServices,
    channels: EventChannels,
  ): FrontendLink {
    using stack = new DisposableStack();
    stack.use(guests.memory(domid, 2 * XEN_PAGE_SIZE));
    const map = (gref: number) => stack.use(grants.map(domid, [gref], "write"));
    const bind = (port: number) =>
      stack.adopt(channels.bindInterdomain(domid, port), (p) => channels.unbind(p));
    const { ringRef, evtRingRef, eventChannel, evtEventChannel } = transport;
    return new FrontendLink(
      map(ringRef),
      map(evtRingRef),
      bind(eventChannel),
      bind(evtEventChannel),
      stack.move(),
    );
  }

  /** Unmaps and unbinds. To be called when the engine has let go: nothing may touch the pages any more. */
  [Symbol.dispose](): void {
    this.stack.dispose();
  }
}
