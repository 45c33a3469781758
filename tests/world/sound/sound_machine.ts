// SPDX-License-Identifier: MIT
/** A machine with sound cards and one process, for tests of the virtual cards. Importing this file installs the virtual platform. */
import assert from "node:assert/strict";
import { AlsaDevice } from "../../../lib/pcm/alsa/device.ts";
import type { AlsaDescriptor } from "../../../lib/pcm/alsa/pcm.ts";
import { PcmError } from "../../../lib/pcm/pcm_error.ts";
import { openPcm } from "../../../lib/pcm/descriptor.ts";
import type { OpenDevice, PcmRequest } from "../../../lib/pcm/device.ts";
import type { Direction, Pcm } from "../../../lib/pcm/pcm.ts";
import { formatByName } from "../../../lib/sndif/mod.ts";
import { libcSymbols } from "../../../ffi/libc/libc.ts";
import { Clock } from "../machine/clock.ts";
import { virtualLibc } from "../machine/libc.ts";
import { installPlatform, real } from "../machine/platform.ts";
import { Process } from "../machine/process.ts";
import type { HostPcm } from "./host_pcm.ts";
import { HostCards } from "./host_cards.ts";
import { virtualLibasound } from "./libasound.ts";
import { Recorder } from "./recorder.ts";

let current: SoundMachine | undefined;

installPlatform({
  "libc.so": () => virtualLibc(real.dlopen("libc.so.6", libcSymbols).symbols, { copied: () => {} }),
  "libasound": (symbols) => virtualLibasound(symbols, () => current!.host),
});

/** 48 kHz stereo of 16 bits: a buffer of 100 ms, four periods. */
export const REQUEST: PcmRequest = {
  rate: 48000,
  channels: 2,
  format: formatByName("s16_le")!.code,
  frameBytes: 4,
  bufferFrames: 4800,
  periodFrames: 1200,
};

/** A device that the process has open. */
export interface OpenSound {
  readonly device: AlsaDevice;
  readonly pcm: Pcm;
  /** The host's end of it. */
  readonly handle: HostPcm;
  readonly open: OpenDevice;
}

export class SoundMachine {
  readonly clock = new Clock();
  readonly recorder = new Recorder();
  readonly host = new HostCards(this.clock, this.recorder);
  readonly process: Process;
  readonly failures: unknown[] = [];

  constructor() {
    this.host.addNull();
    this.process = this.start("daemon");
    current = this;
  }

  start(name: string): Process {
    return new Process(this.clock, name, {
      domid: 0,
      pid: 1,
      latency: () => 20,
      failed: (error) => void this.failures.push(error),
    });
  }

  /** Runs `body` as the code of the process, and time until `body` has ended. */
  async run<T>(body: () => T | Promise<T>, process = this.process): Promise<T> {
    current = this;
    let outcome: { value: T } | { error: unknown } | undefined;
    const whole = async () => {
      try {
        outcome = { value: await body() };
      } catch (error) {
        outcome = { error };
      }
    };
    process.main.post(0, () => void whole());
    while (outcome === undefined) {
      const { next } = this.clock;
      if (next === undefined) throw new Error("the process waits for what never comes");
      await this.clock.runUntil(next);
      if (this.failures.length > 0) throw this.failures[0];
    }
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Opens a device as the daemon and its engine do. */
  open(name: string, direction: Direction = "playback", request = REQUEST): Promise<OpenSound> {
    return this.run(async () => {
      const device = new AlsaDevice(name, direction);
      const open = await device.open(request);
      const address = BigInt((open.descriptor as AlsaDescriptor).pcm);
      const handle = this.host.at(Deno.UnsafePointer.create(address));
      return { device, open, handle, pcm: openPcm(open.descriptor) };
    });
  }

  /** Opens a device for playback, fills its buffer, and starts it. */
  async started(name = "hw:0"): Promise<OpenSound> {
    const sound = await this.open(name);
    await this.run(() => {
      sound.pcm.write(sound.pcm.params.bufferFrames);
      assert.equal(sound.pcm.start(), 0);
    });
    return sound;
  }

  /** Opens a device for playback in vain. */
  async refused(name = "hw:0"): Promise<PcmError> {
    const before = this.host.open.length;
    const error = await this.open(name).then(() => undefined, (error) => error);
    assert(error instanceof PcmError, `${error}`);
    assert.equal(this.host.open.length, before, "the device stays open");
    return error;
  }

  /** As the daemon does when its engine has let go. */
  close({ pcm, open }: OpenSound): Promise<void> {
    return this.run(() => {
      pcm.release();
      return open.close();
    });
  }

  /** Lets `micros` µs pass. */
  pass(micros: number): Promise<void> {
    return this.clock.runUntil(this.clock.now + micros);
  }
}
