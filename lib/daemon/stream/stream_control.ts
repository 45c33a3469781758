// SPDX-License-Identifier: MIT
/**
 * The daemon's half of a stream: everything that may block or allocate. Takes a seat at an engine, connects the stream to its
 * frontend and takes it away again. Its parts: the requests that may block, the operator's settings, the counters, a trace.
 */
import { getLogger, lazy } from "@logtape/logtape";
import type { StatusRow } from "../../bridge/stream_status.ts";
import { TraceRing } from "../../bridge/trace_ring.ts";
import type { KeptSettings } from "../../stream/operator_settings.ts";
import { type StreamPolicy, usedDevice } from "../../vsnd/model/card.ts";
import type { CardAddress } from "../../xenbus/mod.ts";
import { inTime } from "../engines/engine_client.ts";
import type { Engines, Seat } from "../engines/engines.ts";
import type { LinkServices } from "../link/frontend_link.ts";
import type { StreamTransport } from "../link/published.ts";
import type { KeptFile, KeptFiles } from "../kept_files.ts";
import type { OperatorNodes } from "../../vsnd/nodes/operator_nodes.ts";
import { BlockingRequests } from "./blocking_requests.ts";
import { StreamConnection } from "./stream_connection.ts";
import { OperatorControl } from "./operator_control.ts";
import { StreamCounters } from "./stream_counters.ts";

/** What all streams of a daemon share. */
export interface StreamServices extends LinkServices {
  readonly engines: Engines;
  /** Undefined: no open stream is kept for the next daemon. */
  readonly kept?: KeptFiles;
  /** Who is told of xruns. */
  readonly xrunTraces?: { note(stream: StreamControl): void };
}

/** What a stream tells of its card. The name changes with the domain's. */
export interface NamedCard {
  /** `domU/0` */
  readonly name: string;
  readonly address: CardAddress;
  /** Tells the card's domain from others of the number. */
  readonly domainHash: number;
}

export class StreamControl implements AsyncDisposable {
  readonly #log;
  readonly #requests: BlockingRequests;
  /** What an operator sets. */
  readonly operator: OperatorControl;
  /** What is counted. */
  readonly counters: StreamCounters;
  /** The stream's place among those that its guest may have. */
  #admission: Disposable | undefined;
  #seat: Seat | undefined;
  #connection: StreamConnection | undefined;
  /** What the next daemon goes on by. */
  #kept: KeptFile | undefined;
  /** Whether the next daemon is to go on with the stream. */
  #isLeft = false;
  /** Resolves when the engine has let go of the last connection. */
  #freed: Promise<void> = Promise.resolve();
  /** Whether the engine has yet to let go of it. */
  #isHeld = false;
  #detaching: Promise<void> | undefined;
  #records: TraceRing | undefined;
  #isGivenUp = false;

  /**
   * @param place `0/0`, in the card
   * @param nodes where the operator's settings are kept
   * @param past counters of the connections that have ended
   */
  constructor(
    private readonly card: NamedCard,
    private readonly place: string,
    policy: StreamPolicy,
    private readonly services: StreamServices,
    nodes: OperatorNodes,
    past: StatusRow,
  ) {
    const { changes } = services.engines;
    this.#log = getLogger(["xsnd", "stream"]).with({ stream: lazy(() => this.name) });
    this.#requests = new BlockingRequests(this, policy, services, changes);
    this.operator = new OperatorControl(this, nodes, changes, policy.first);
    this.counters = new StreamCounters(this, past);
    changes.tell();
  }

  /** `domU/0/0/0`, for logs and status. */
  get name(): string {
    return `${this.card.name}/${this.place}`;
  }

  get domid(): number {
    return this.card.address.domid;
  }

  /**
   * Admits the stream among those of its guest, before anything is spent on it, and makes the first request as quick as the later
   * ones. Throws {@link LimitError}.
   */
  async getReady(): Promise<void> {
    this.#admission = this.services.guests.stream(this.domid);
    if (!this.#requests.mayWait) await this.takeSeat();
    await this.#requests.warmUp();
    if (!this.#isGivenUp) this.operator.begin();
  }

  /**
   * Takes a seat at an engine, unless the stream has one. To be called before {@link attach}. Throws {@link LimitError}, and what an
   * engine's start throws.
   */
  async takeSeat(): Promise<void> {
    if (this.#seat !== undefined) return;
    const device = usedDevice(this.#requests.usedPolicy);
    const seat = this.#seat = await this.services.engines.seat(device, this.domid);
    // The shared engine's failure is the daemon's.
    if (!seat.isShared) seat.engine.ended.catch((error) => this.#engineFailed(seat, error));
  }

  /** The stream's own engine has failed: the stream is disconnected until its guest connects again. */
  async #engineFailed(seat: Seat, error: Error): Promise<void> {
    if (this.#seat !== seat) return;
    this.#log.error("{error}; the stream is disconnected until its guest connects again", {
      error: error.message,
    });
    const detached = this.detach();
    this.#seat = undefined;
    await detached;
    await seat[Symbol.asyncDispose]();
  }

  /** The policy of what the guest has open; if nothing is open, the policy of the next OPEN. */
  get policy(): StreamPolicy {
    return this.#requests.policy;
  }

  get settings(): KeptSettings {
    return this.operator.settings;
  }

  /**
   * Gives the stream another device, from the next OPEN on. Denies it, or ends that, at once. Throws RangeError:
   * {@link ChosenDevice.choose}.
   */
  setDevice(choice: Pick<StreamPolicy, "device" | "denied">): void {
    this.#requests.setDevice(choice);
  }

  /** Whether the stream is served no more: its guest is gone, or the host lacks something that the card needs. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Whether nothing of the guest's is mapped or bound any more. */
  get isFree(): boolean {
    return this.#connection === undefined && !this.#isHeld;
  }

  /** The connection to the frontend, if there is one. */
  get connection(): StreamConnection | undefined {
    return this.#connection;
  }

  /** Whether the stream is connected to its frontend. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Connects the stream to its frontend and hands it to the engine; `resumes`: goes on with what the guest has open since a former
   * daemon. Throws GrantError, EventChannelError or RangeError, with nothing left mapped or bound, if the frontend's numbers do not
   * hold.
   */
  attach(transport: StreamTransport, resumes = false): void {
    if (this.#seat === undefined) throw new RangeError(`${this.name} has no engine yet, or none any more`);
    const { settings, services: { guests: { limits } } } = this;
    const connection = this.#connection = StreamConnection.open(
      this.domid,
      transport,
      this.#seat,
      this.services,
      (event, connection) => this.#requests.handle(event, connection),
    );
    const { type, effective } = this.#requests.usedPolicy;
    const open = this.#keep(transport, resumes);
    connection.begin({
      direction: type,
      allowed: effective,
      hold: settings.hold,
      settings,
      requests: limits.requests,
      moved: limits.moved,
      kept: this.#kept?.address ?? null,
      resumes: open !== undefined,
    }, this.records);
    if (open !== undefined) this.#requests.resume(open, connection);
  }

  /** Begins to keep the stream. Returns what a former daemon has kept, if the stream is the one that it was, and `resumes`. */
  #keep({ ringRef, evtRingRef, eventChannel, evtEventChannel }: StreamTransport, resumes: boolean) {
    const { domid, card, place } = this;
    this.#kept ??= this.services.kept?.open(domid, `${card.address.card}/${place}`);
    if (this.#kept === undefined) return undefined;
    const owner = { domain: card.domainHash, ringRef, evtRingRef, eventChannel, evtEventChannel };
    const open = resumes ? this.#kept.stream.read(owner) : undefined;
    if (open === undefined) this.#kept.stream.begin(owner);
    return open;
  }

  /**
   * Takes the stream from the engine, unmaps all that is the guest's and closes the device; `leaves`: the next daemon is to go on with
   * what the guest has open. Calls while it does are merged.
   */
  detach(leaves = false): Promise<void> {
    this.#detaching ??= this.#letGo(leaves).finally(() => this.#detaching = undefined);
    return this.#detaching;
  }

  async #letGo(leaves: boolean): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#requests.leave();
    // The slot is somebody else's as soon as the engine has let go of it: work that is under way must not use it any more.
    this.#connection = undefined;
    this.services.engines.changes.tell();
    const { row, engine, slot } = connection;
    this.counters.leave(row);
    const letGo = () => {
      connection.endXrunLog();
      this.counters.hasLeft(row);
      // Grants first: a domain that died cannot go until they are unmapped, and a device may take seconds to close.
      connection.release();
      this.#requests.close();
    };
    this.#isLeft = leaves;
    this.#isHeld = true;
    this.#freed = engine.detach(slot, letGo, leaves);
    this.#freed.finally(() => this.#isHeld = false).catch(() => {}); // see below
    const freed = this.#freed.then(() => this.#requests.done);
    if (await inTime(freed)) return;
    // Nothing is unmapped before the engine has let go of it, lest it touch that.
    this.#log.error("{device} does not come back: what it holds of the guest's stays until it does", {
      device: this.#requests.usedPolicy.device,
    });
    // The rest goes on by itself. If it fails, the log says so.
    freed.catch((error) => this.#log.error("{error}", { error: String(error) }));
  }

  /** Gives the engine back, for good. To be called after {@link detach}. */
  async [Symbol.asyncDispose](): Promise<void> {
    const seat = this.#seat;
    this.#seat = undefined;
    this.#isGivenUp = true;
    this.operator[Symbol.dispose]();
    this.services.engines.changes.tell();
    const kept = this.#kept;
    if (kept !== undefined && !this.#isLeft) kept.remove();
    this.#freed.then(() => kept?.[Symbol.dispose](), () => {});
    await seat?.[Symbol.asyncDispose]();
    this.#admission?.[Symbol.dispose]();
  }

  /** What passes on the rings, in this connection and in others: the newest records. */
  get records(): TraceRing {
    return this.#records ??= new TraceRing();
  }

  /** One or more xruns have ended. */
  hadXrun(): void {
    this.services.xrunTraces?.note(this);
  }

  /** Which kind of engine serves the stream, and the processor time that the engine has taken, as far as known. */
  get engineUse(): { engine: "shared" | "own"; engineCpuSeconds?: number } | undefined {
    if (this.#seat === undefined) return undefined;
    const { isShared, engine: { cpuSeconds } } = this.#seat;
    return {
      engine: isShared ? "shared" : "own",
      ...(cpuSeconds !== undefined && { engineCpuSeconds: cpuSeconds }),
    };
  }
}
