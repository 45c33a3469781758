// SPDX-License-Identifier: MIT
/**
 * The requests of a stream that may block, which the engine passes on: OPEN, CLOSE and the first of some parameter queries. One after
 * the other, with the host's changes of the device between them. Also takes the engine's other events about the stream.
 */
import { getLogger, lazy } from "@logtape/logtape";
import { errnoName } from "../../../ffi/libc/errno.ts";
import type { KeptOpen } from "../../bridge/kept_stream.ts";
import type { PcmDescriptor } from "../../pcm/descriptor.ts";
import { PcmError } from "../../pcm/pcm_error.ts";
import { FORMATS, type OpenRequest, XEN_EINVAL, XEN_EIO, XEN_ENOMEM } from "../../sndif/mod.ts";
import { judgeOpen } from "../../stream/open_admission.ts";
import { type StreamPolicy, usedDevice } from "../../vsnd/model/card.ts";
import { GrantError } from "../../xen/ports.ts";
import type { Changes } from "../../bridge/changes.ts";
import { inTime, type SlotEvent } from "../engines/engine_client.ts";
import type { LinkServices } from "../link/frontend_link.ts";
import { mapBuffer } from "../link/map_buffer.ts";
import { LimitError } from "../policy/guest_limits.ts";
import { ChosenDevice } from "./chosen_device.ts";
import type { StreamConnection } from "./stream_connection.ts";
import { DeviceSession } from "./device_session.ts";
import { QueryLoans } from "./query_loans.ts";

/** The stream whose requests these are. */
interface RequestedStream {
  readonly name: string;
  readonly domid: number;
  readonly connection: StreamConnection | undefined;
  detach(): Promise<void>;
  hadXrun(): void;
}

/** The status of the answer to a request that failed with `error`. */
function statusOf(error: unknown): number {
  if (error instanceof PcmError) return -error.errno;
  const isMemory = error instanceof LimitError || error instanceof GrantError && error.isOutOfMemory;
  return -(isMemory ? XEN_ENOMEM : XEN_EIO);
}

export class BlockingRequests {
  readonly #log;
  readonly #chosen: ChosenDevice;
  readonly #session: DeviceSession;
  readonly #loans = new QueryLoans();
  #work: Promise<void> = Promise.resolve();

  constructor(
    private readonly stream: RequestedStream,
    policy: StreamPolicy,
    private readonly services: LinkServices,
    private readonly changes: Changes,
  ) {
    this.#log = getLogger(["xsnd", "stream"]).with({ stream: lazy(() => stream.name) });
    this.#chosen = new ChosenDevice(policy);
    this.#session = new DeviceSession(
      this.#log,
      this.#chosen,
      (work) => this.#enqueue(work),
      (pcm) => this.#replace(pcm),
    );
  }

  /** The policy of what the guest has open; if nothing is open, the policy of the next OPEN. */
  get policy(): StreamPolicy {
    return this.#session.isOpen ? this.#chosen.policy : this.#chosen.decided;
  }

  /** The policy of what the guest has open, or had open last. */
  get usedPolicy(): StreamPolicy {
    return this.#chosen.policy;
  }

  /** Whether the device may block, so that the stream needs an engine of its own. */
  get mayWait(): boolean {
    return this.#chosen.mayWait;
  }

  /** Makes the first request as quick as the later ones. */
  async warmUp(): Promise<void> {
    await this.#chosen.device.warmUp();
  }

  /** Resolves when all work has ended that is under way now. */
  get done(): Promise<void> {
    return this.#work;
  }

  /** See {@link StreamControl.setDevice}. */
  setDevice(choice: Pick<StreamPolicy, "device" | "denied">): void {
    const device = this.#chosen.choose(choice);
    if (device === undefined) return;
    const isAtOnce = Boolean(this.#chosen.policy.denied) !== Boolean(choice.denied);
    // A failure is that of the work below, which asks once more.
    if (isAtOnce) this.#takeDevice().catch(() => {});
    this.#enqueue(() => device.warmUp());
    if (isAtOnce) this.#enqueue(() => this.#changeOpenDevice());
    // What the former device can do is no answer any more.
    const { connection } = this.stream;
    if (connection !== undefined) this.#loans.recall(connection.engine, connection.slot);
  }

  /** Has the engine give the device back; false if the code of a PCM does not return, and may still use the device. */
  async #takeDevice(): Promise<boolean> {
    const { connection } = this.stream;
    return connection === undefined || await inTime(connection.engine.giveBackDevice(connection.slot));
  }

  /** Changes to the chosen device under a guest that has the stream open. */
  async #changeOpenDevice(): Promise<void> {
    if (!this.#session.isOpen) return;
    // An OPEN that was under way may have brought a device since the engine gave one back.
    if (await this.#takeDevice()) {
      await this.#session.change();
      return this.changes.tell();
    }
    this.#log.error("{device} does not come back: it is used until it does", {
      device: usedDevice(this.#chosen.policy),
    });
  }

  /** Changes to the chosen device, unless one is open. The engine has no loan. */
  async #changeClosedDevice(): Promise<void> {
    if (this.#session.isOpen || !await this.#chosen.change()) return;
    this.#log.info("its device is {device} from now on", { device: usedDevice(this.policy) });
  }

  /** Opens once more what a former daemon had open for the guest, as `open` says, and has the engine go on. */
  resume(kept: KeptOpen, connection: StreamConnection): void {
    this.#enqueue(async () => {
      try {
        await this.#open(kept.open, connection, kept);
      } catch (error) {
        this.#tellAnew(error instanceof Error ? error.message : String(error));
        await this.#chosen.device.closeProbe();
        if (this.#isCurrent(connection)) connection.engine.post({ op: "notResumed", slot: connection.slot });
      }
    });
  }

  #tellAnew(reason: string): void {
    this.#log.warn("its guest has to open it anew: {reason}", { reason });
  }

  /** The guest's connection ends: nothing is looked for, and no loan recalled, any more. */
  leave(): void {
    this.#session.leave();
    this.#loans.end();
  }

  /** Closes the device after what is under way, and before what the next connection brings. */
  close(): void {
    this.#enqueue(async () => {
      await this.#session.close();
      await this.#chosen.device.closeProbe();
    });
  }

  /** Takes an event of the engine about `connection`. */
  handle(event: SlotEvent, connection: StreamConnection): void {
    switch (event.op) {
      case "broken":
        this.#log.error("the frontend is broken: {reason}; the stream is disconnected", {
          reason: event.reason,
        });
        return this.#detach();
      case "defect":
        this.#log.error("a defect of the engine's; the stream is disconnected, others are not: {reason}", {
          reason: event.reason,
        });
        return this.#detach();
      case "log":
        return this.#log[event.level](event.text);
      case "close":
        // The answer does not wait for the device; the next OPEN does.
        this.#endOpen(connection);
        this.#answer(0, connection);
        this.#enqueue(() => this.#chosen.device.closeProbe());
        return this.#queue(connection, () => this.#session.close());
      case "lost":
        this.#log.error("{device} is lost ({code}): the stream goes on in silence", {
          device: this.#chosen.policy.device,
          code: errnoName(event.errno),
        });
        return this.#session.lost();
      case "stalled":
        return this.#log.error("{device} does not move: the stream goes on in silence until it does", {
          device: usedDevice(this.#chosen.policy),
        });
      case "moves":
        return this.#log.info("{device} moves again", { device: usedDevice(this.#chosen.policy) });
      case "openFailed":
        this.#endOpen(connection);
        return this.#queue(connection, async () => {
          await this.#session.close();
          throw new PcmError(`OPEN failed: ${event.reason}`, XEN_EIO);
        });
      case "resumeFailed":
        // No request waits for an answer, or one that came later.
        this.#endOpen(connection);
        this.#tellAnew(event.reason);
        return this.#enqueue(() => this.#session.close());
      case "open":
        this.#endOpen(connection);
        return this.#queue(connection, async () => {
          try {
            await this.#open(event.open, connection);
          } catch (error) {
            await this.#chosen.device.closeProbe();
            throw error;
          }
        });
      case "query":
        return this.#queue(connection, async () => {
          await this.#changeClosedDevice();
          const refiner = await this.#session.probe();
          if (this.#isCurrent(connection)) this.#loans.lend(refiner, connection.engine, connection.slot);
        });
      case "forgotten":
        // The engine asks for another loan after this event: whoever lends it opens the device again.
        return this.#enqueue(() => this.#chosen.device.closeProbe());
    }
  }

  #detach(): void {
    this.stream.detach().catch((error) => this.#log.error("{error}", { error: String(error) }));
  }

  /** The engine has let go of what the guest had open. */
  #endOpen(connection: StreamConnection): void {
    connection.endXrunLog();
    this.#session.leave();
    connection.unmapBuffer();
  }

  /** Gives the engine the device that was lost or busy; false if nobody wants the device any more. */
  #replace(pcm: PcmDescriptor): boolean {
    const { connection } = this.stream;
    const isDenied = this.#chosen.policy.denied === true;
    connection?.engine.post({ op: "replaced", slot: connection.slot, pcm, isDenied });
    return connection !== undefined;
  }

  /** Queues work that ends in an answer. If the work fails, its error is the answer. */
  #queue(connection: StreamConnection, work: () => Promise<void>): void {
    this.#enqueue(() =>
      work().catch((error) => {
        this.#log.warn("{error}", { error: error instanceof Error ? error.message : String(error) });
        this.#answer(statusOf(error), connection);
      })
    );
  }

  /** Queues work that nobody waits for. */
  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => {
      this.#log.error("{error}", { error: error instanceof Error ? error.stack : String(error) });
    });
  }

  /** Whether `connection` is still the stream's: work that began for one connection does not end in another. */
  #isCurrent(connection: StreamConnection): boolean {
    return this.stream.connection === connection;
  }

  #answer(status: number, connection: StreamConnection): void {
    if (!this.#isCurrent(connection)) return;
    connection.engine.post({ op: "respond", slot: connection.slot, status });
  }

  /** @param kept what a former daemon has kept of the open stream; without it `open` is the guest's request */
  async #open(open: OpenRequest, connection: StreamConnection, kept?: KeptOpen): Promise<void> {
    await this.#session.close();
    await this.#changeClosedDevice();
    if (!this.#isCurrent(connection)) return;
    const { type, effective } = this.#chosen.policy;
    const reason = judgeOpen(open, effective);
    if (reason !== undefined) throw new PcmError(`OPEN refused: ${reason}`, XEN_EINVAL);
    const buffer = mapBuffer(this.stream.domid, open, type, effective.bufferSizeBytes, this.services);
    connection.setBuffer(buffer);
    // judgeOpen() admits formats alone that are known, and have samples of whole octets.
    const { name: format, octets } = FORMATS[open.pcmFormat]!;
    const frameBytes = octets! * open.pcmChannels;
    const request = {
      rate: open.pcmRate,
      channels: open.pcmChannels,
      format: open.pcmFormat,
      frameBytes,
      bufferFrames: open.bufferSz / frameBytes,
      periodFrames: open.periodSz / frameBytes,
    };
    const device = await this.#session.open(request).catch((error) => {
      connection.unmapBuffer();
      throw error;
    });
    if (!this.#isCurrent(connection)) return;
    this.#session.use(request, device.isStandIn);
    connection.logXruns(this.#log, type, () => this.stream.hadXrun());
    const opened = {
      slot: connection.slot,
      buffer: String(buffer.address),
      mappedBytes: buffer.buffer.byteLength,
      open,
      ...device,
    };
    connection.engine.post(
      kept === undefined ? { op: "opened", ...opened } : { op: "resumed", ...opened, kept },
    );
    this.#log.info(
      "{what}: {rate} Hz, {format}, {channels} channels, buffer {buffer}, period {period} octets",
      {
        what: kept === undefined ? "open" : "goes on",
        rate: open.pcmRate,
        format,
        channels: open.pcmChannels,
        buffer: open.bufferSz,
        period: open.periodSz,
      },
    );
  }
}
