// SPDX-License-Identifier: MIT
/** The streams of one virtual card: made ready, connected, and given up together. */
import { getLogger, lazy } from "@logtape/logtape";
import { placeInCard } from "../../stream/stream_name.ts";
import type { CardPolicy } from "../../vsnd/model/card.ts";
import type { CardPaths } from "../../xenbus/mod.ts";
import type { Store } from "../../xen/ports.ts";
import type { OpenAtEnd } from "../open_at_end.ts";
import { readTransport, type StreamTransport, transportNodes } from "../link/published.ts";
import { OperatorNodes } from "../../vsnd/nodes/operator_nodes.ts";
import { type NamedCard, StreamControl, type StreamServices } from "./stream_control.ts";
import type { Totals } from "./totals.ts";

export interface CardServices extends StreamServices {
  readonly store: Store;
  readonly totals: Totals;
  /** Undefined in a driver domain, which may not write its frontends' nodes. */
  readonly openAtEnd?: OpenAtEnd;
}

interface CardStream {
  readonly control: StreamControl;
  /** Numbers of the PCM in the card, and of the stream in the PCM. */
  readonly pcm: number;
  readonly stream: number;
  /** The frontend's directory for the stream. */
  readonly directory: string;
}

export class CardStreams {
  readonly #log;
  readonly #streams: readonly CardStream[];
  readonly controls: readonly StreamControl[];

  constructor(
    card: NamedCard,
    { frontend, backend }: CardPaths,
    { pcms }: CardPolicy,
    private readonly services: CardServices,
  ) {
    this.#log = getLogger(["xsnd", "card"]).with({ card: lazy(() => card.name) });
    this.#streams = pcms.flatMap((pcm, p) =>
      pcm.streams.map((policy, s) => {
        const place = placeInCard(p, s);
        const nodes = new OperatorNodes(services.store, backend, place);
        // A policy that turns the stream's direction makes another stream of it.
        const past = services.totals.row(backend, `${place} ${policy.type}`);
        const control = new StreamControl(card, place, policy, services, nodes, past);
        return { control, pcm: p, stream: s, directory: `${frontend}/${place}` };
      })
    );
    this.controls = this.#streams.map(({ control }) => control);
  }

  /** The requests that the frontend has sent, over all streams and connections. */
  get requests(): number {
    return this.controls.reduce((sum, { counters }) => sum + counters.requests, 0);
  }

  /** Whether the guest has a stream open. */
  get anyIsOpen(): boolean {
    return this.controls.some(({ counters }) => !["detached", "closed"].includes(counters.snapshot().state));
  }

  /** The nodes in which the frontend publishes the streams' rings. */
  get transportNodes(): string[] {
    return this.#streams.flatMap(({ directory }) => transportNodes(directory));
  }

  /** Takes over of `policy` what can change under a connected frontend: the streams' devices, and which are denied. */
  setPolicy({ pcms }: CardPolicy): void {
    for (const { control, pcm, stream } of this.#streams) {
      const decided = pcms[pcm]?.streams[stream];
      try {
        if (decided !== undefined) control.setDevice(decided);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#log.error(
          "{stream} keeps its device: {reason}; `xsnd provision --replace` gives it the other",
          {
            stream: control.name,
            reason: error.message,
          },
        );
      }
    }
  }

  /** Makes all streams ready; returns the first error, after all have ended. */
  getReady(): Promise<Error | undefined> {
    return this.#firstFailure((stream) => stream.getReady());
  }

  /** Takes a seat at an engine for all streams; returns the first error, after all have ended. */
  takeSeats(): Promise<Error | undefined> {
    return this.#firstFailure((stream) => stream.takeSeat());
  }

  async #firstFailure(work: (stream: StreamControl) => Promise<void>): Promise<Error | undefined> {
    const outcomes = await Promise.allSettled(this.controls.map(work));
    const failure = outcomes.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (failure === undefined) return undefined;
    return failure.reason instanceof Error ? failure.reason : new Error(String(failure.reason));
  }

  /** What the frontend has published, for each stream. Throws TransportError. */
  readTransports(): StreamTransport[] {
    return this.#streams.map(({ directory }) => readTransport(this.services.store, directory));
  }

  /**
   * Connects all streams, each by its one of `transports`; after an error some may be connected. `resumes`: goes on with what the guest
   * has open since a former daemon.
   */
  attach(transports: readonly StreamTransport[], resumes: boolean): void {
    for (const [i, { control }] of this.#streams.entries()) control.attach(transports[i]!, resumes);
  }

  /** @param leaves whether the next daemon is to go on with what the guest has open */
  async detach(leaves: boolean): Promise<void> {
    await Promise.all(this.controls.map((stream) => stream.detach(leaves)));
  }

  /** Gives up all streams for good. To be called after {@link detach}. */
  async giveUp(): Promise<void> {
    await Promise.all(this.controls.map((stream) => stream[Symbol.asyncDispose]()));
  }
}
