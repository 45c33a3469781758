// SPDX-License-Identifier: MIT
/**
 * Where the demo and the self-test run: the real Xen if this domain can serve, with domain 0 as its own guest, or an embedded Xen; the
 * daemon that runs, or one for the length of the test; cards that go when they are not needed any more.
 */
import { dirname } from "node:path";
import { cString } from "../../ffi/base/c_string.ts";
import { ACCESS, libc } from "../../ffi/libc/libc.ts";
import { SANDBOX_VARIABLE } from "../base/environment.ts";
import { Exit, XsndError } from "../base/error.ts";
import { ControlClient } from "../control/control_client.ts";
import { controlSocketPath } from "../control/protocol.ts";
import type { SessionStream } from "../guest/session.ts";
import type { CardConfig } from "../vsnd/model/card.ts";
import { cardRecords } from "../vsnd/nodes/inventory.ts";
import { deprovisionCard } from "../vsnd/provision/deprovision.ts";
import { provision } from "../vsnd/provision/plan.ts";
import { domainName } from "../xenbus/mod.ts";
import { withSandbox } from "../xen/embedded/sandbox.ts";
import { openXen } from "../xen/mod.ts";
import type { Xen } from "../xen/ports.ts";
import { startDaemon } from "./daemon_here.ts";

const GUEST = "demo";

export class DemoHost {
  private constructor(
    readonly xen: Xen,
    /** The number of the domain that is the guest. */
    readonly domid: number,
    /** A directory that a daemon may write to. */
    readonly directory: string,
  ) {}

  /** Runs `body` in the sandbox that this process is in, otherwise in the real Xen, otherwise in a new sandbox, with a daemon. */
  static async run<T>(body: (host: DemoHost) => Promise<T>): Promise<T> {
    const directory = Deno.makeTempDirSync({ dir: directoryOfDaemon(), prefix: "xsnd-demo-" });
    try {
      return await inXen(async (xen, domid) => {
        await using _daemon = await daemonFor(xen);
        return await body(new DemoHost(xen, domid, Deno.realPathSync(directory)));
      });
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  }

  /** Gives the guest a card for the length of `body`, which gets all streams of the card. */
  async withCard<T>(card: CardConfig, body: (streams: SessionStream[]) => Promise<T>): Promise<T> {
    const { xen, domid } = this;
    const domain = domainName(xen.store, domid);
    const number = this.#addCard(domain, card);
    try {
      return await body(card.pcms.flatMap(({ streams }, pcm) =>
        streams.map((_, stream) => ({
          name: `${domain}/${number}/${pcm}/${stream}`,
          domain,
          domid,
          card: number,
          pcm,
          stream,
        }))
      ));
    } finally {
      const record = cardRecords(xen.store, domid).find(({ address }) => address.card === number);
      if (record !== undefined) await deprovisionCard(xen.store, record, { timeoutMs: 5000, force: false });
    }
  }

  /** Provisions `config` under the guest's first free card number, which it returns. */
  #addCard(domain: string, config: CardConfig): number {
    const { xen, domid } = this;
    let card = 0;
    provision(xen.store, (view) => {
      const taken = new Set(cardRecords(view, domid).map(({ address }) => address.card));
      card = 0;
      while (taken.has(card)) card++;
      return [{
        domain: { domid, name: domain },
        address: { domid, card, backendDomid: xen.domid },
        card: config,
      }];
    });
    return card;
  }
}

/** The directory that a daemon outside of a sandbox may write; undefined if this process may not. */
function directoryOfDaemon(): string | undefined {
  const directory = dirname(controlSocketPath());
  const isThere = !Deno.env.has(SANDBOX_VARIABLE) && libc().access(cString(directory), ACCESS.W_OK) === 0;
  return isThere ? directory : undefined;
}

async function inXen<T>(body: (xen: Xen, domid: number) => Promise<T>): Promise<T> {
  if (Deno.env.has(SANDBOX_VARIABLE) || hasRealXen()) {
    using xen = await openXen();
    return await body(xen, xen.domid);
  }
  return await withSandbox({ domains: [GUEST] }, async ({ environment }) => {
    for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
    using xen = await openXen();
    return await body(xen, 1);
  });
}

/** Whether this domain can serve: it has the device nodes of event channels and grants. */
function hasRealXen(): boolean {
  return ["/dev/xen/evtchn", "/dev/xen/gntdev"].every((path) =>
    libc().access(cString(path), ACCESS.F_OK) === 0
  );
}

/** A daemon of this process, unless one runs that serves the cards. */
async function daemonFor(xen: Xen): Promise<AsyncDisposable> {
  try {
    using _client = await ControlClient.connect(0);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  } catch (error) {
    if (!(error instanceof XsndError && error.exitCode === Exit.noDaemon)) throw error;
  }
  return await startDaemon(xen);
}
