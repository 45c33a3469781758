// SPDX-License-Identifier: MIT
/** libasound over the host's virtual devices: its functions as the daemon's code calls them. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { type libasoundSymbols, SND_PCM_STREAM } from "../../../ffi/alsa/libasound.ts";
import { addressOf } from "../../../ffi/libc/pointers.ts";
import { memoryOf } from "../machine/libc.ts";
import { currentThread } from "../machine/process.ts";
import { call, entered, later, ordered, pooled } from "./calls.ts";
import { errorText } from "./error_text.ts";
import { addressOf as handleOf, type HostCards } from "./host_cards.ts";
import { PCM_TYPE, STATE } from "./host_pcm.ts";
import { parameterFunctions } from "./parameters.ts";
import { type Pointer, Structures, textOf } from "./structures.ts";

type Functions = Partial<Record<keyof typeof libasoundSymbols, unknown>>;

/** snd_pcm_open, on a thread of the pool. */
function opened(host: HostCards, out: unknown, cName: unknown, stream: number): Promise<number> {
  const { process } = currentThread();
  process.call();
  const octets = cName as Uint8Array;
  const name = new TextDecoder().decode(octets.subarray(0, octets.indexOf(0)));
  const found = host.find(name, stream === SND_PCM_STREAM.PLAYBACK ? "playback" : "capture");
  if (typeof found === "number") return later(0, () => found);
  const { end, opening } = found;
  const fault = end.faults.take("open");
  const micros = end.openTime() + fault.micros;
  if (fault.errno !== 0) return later(micros, () => -fault.errno);
  // The kernel gives the substream away at once; the rest is what takes long.
  const pcm = host.openPcm(end, opening, process);
  if (typeof pcm === "number") return later(micros, () => pcm);
  [pcm.busyThread, pcm.busyUntil] = [undefined, Infinity];
  return later(micros, () => {
    pcm.busyUntil = 0;
    if (pcm.state === STATE.DISCONNECTED) {
      end.close(pcm);
      end.release(pcm);
      return -ERRNO.ENODEV;
    }
    (out as BigUint64Array)[0] = handleOf(pcm);
    return 0;
  });
}

/** snd_pcm_close, on a thread of the pool. The sound stops at once. */
function closed(host: HostCards, pointer: Pointer): Promise<number> {
  currentThread().process.call();
  const pcm = entered(host, pointer, "close");
  if (pcm === undefined) return Promise.resolve(-ERRNO.EBADFD);
  const fault = pcm.end.faults.take("close");
  pcm.end.close(pcm);
  return later(fault.micros, () => {
    pcm.end.release(pcm);
    return -fault.errno;
  });
}

/**
 * The functions of `symbols`. `hostOf` gives the host whose devices the calling process sees: worlds that follow each other in one
 * process of ours have a host each.
 */
export function virtualLibasound(symbols: Deno.ForeignLibraryInterface, hostOf: () => HostCards): unknown {
  const outputs = new Structures<{ text: Uint8Array<ArrayBuffer> }>(0x5d00_0000_0000n);
  const mine: Functions = {
    ...parameterFunctions(hostOf),
    snd_pcm_type: (pcm: Pointer) => PCM_TYPE[hostOf().at(pcm).type],
    snd_pcm_type_name: (type: number) =>
      textOf(Object.entries(PCM_TYPE).find(([, number]) => number === type)?.[0] ?? ""),
    snd_pcm_state: (pcm: Pointer) => entered(hostOf(), pcm, "state")?.state ?? STATE.DISCONNECTED,
    snd_pcm_dump: (pcm: Pointer, output: Pointer) => {
      outputs.at(output).text = new TextEncoder().encode(hostOf().at(pcm).dump());
      return 0;
    },
    snd_pcm_poll_descriptors_count: (pcm: Pointer) =>
      entered(hostOf(), pcm, "poll_descriptors")?.pollFiles.length ?? -ERRNO.EBADFD,
    snd_pcm_poll_descriptors: (pcm: Pointer, out: Int32Array, space: number) => {
      const handle = entered(hostOf(), pcm, "poll_descriptors");
      if (handle === undefined) return -ERRNO.EBADFD;
      const listed = handle.pollFiles.slice(0, space);
      listed.forEach(({ file, events }, i) => {
        out[i * 2] = handle.fdOf(file);
        out[i * 2 + 1] = events;
      });
      return listed.length;
    },
    snd_pcm_htimestamp: (pcm: Pointer, avail: Pointer, stamp: Pointer) => {
      const { now } = currentThread();
      const handle = entered(hostOf(), pcm, "htimestamp");
      if (handle === undefined) return -ERRNO.EBADFD;
      const time = handle.timestamp(now);
      if (time < 0) return time;
      const [count, words] = [memoryOf(avail!, 8), memoryOf(stamp!, 16)];
      new Int32Array(count.buffer, count.byteOffset, 2)[0] = handle.availUpdate(now);
      const spec = new Int32Array(words.buffer, words.byteOffset, 4);
      spec[0] = Math.floor(time / 1e6);
      spec[2] = Math.floor(time % 1e6) * 1000;
      spec[1] = spec[3] = 0;
      return 0;
    },
    snd_pcm_prepare: (pcm: Pointer) => call(hostOf(), pcm, "prepare", (handle, now) => handle.prepare(now)),
    snd_pcm_start: (pcm: Pointer) => call(hostOf(), pcm, "start", (handle, now) => handle.start(now)),
    snd_pcm_drop: (pcm: Pointer) => call(hostOf(), pcm, "drop", (handle, now) => handle.drop(now)),
    snd_pcm_pause: (pcm: Pointer, enable: number) =>
      call(hostOf(), pcm, "pause", (handle, now) => handle.pause(now, enable !== 0)),

    snd_output_buffer_open: (out: unknown) => outputs.put({ text: new Uint8Array(0) }, out),
    snd_output_buffer_string: (output: Pointer, start: BigUint64Array) => {
      const { text } = outputs.at(output);
      if (text.length > 0) start[0] = Deno.UnsafePointer.value(addressOf(text));
      return BigInt(text.length);
    },
    snd_output_close: (output: Pointer) => {
      outputs.free(output);
      return 0;
    },

    snd_strerror: (errnum: number) => textOf(errorText(errnum)),
    snd_lib_error_set_handler: () => 0,
    snd_config_update: () => 0,
    snd_config_update_free_global: () => 0,

    snd_pcm_open_async: (out: unknown, name: unknown, stream: number) => opened(hostOf(), out, name, stream),
    snd_pcm_close_async: (pcm: Pointer) => closed(hostOf(), pcm),
    snd_pcm_prepare_async: (pcm: Pointer) =>
      pooled(hostOf(), pcm, "prepare", 0, (handle, now) => handle.prepare(now)),

    hot_writei: (pointer: Pointer, samples: Pointer, frames: number) => {
      const thread = currentThread();
      thread.process.call();
      const pcm = entered(hostOf(), pointer, "writei");
      if (pcm === undefined) return -ERRNO.EBADFD;
      const failure = ordered(pcm, "writei");
      if (failure < 0) return failure;
      return pcm.writei(thread.now, memoryOf(samples!, frames * pcm.frameBytes), frames);
    },
    hot_readi: (pointer: Pointer, samples: Pointer, frames: number) => {
      const thread = currentThread();
      thread.process.call();
      const pcm = entered(hostOf(), pointer, "readi");
      if (pcm === undefined) return -ERRNO.EBADFD;
      const failure = ordered(pcm, "readi");
      if (failure < 0) return failure;
      return pcm.readi(thread.now, memoryOf(samples!, frames * pcm.frameBytes), frames);
    },
    hot_avail: (pcm: Pointer) => call(hostOf(), pcm, "avail", (handle, now) => handle.avail(now)),
    hot_avail_update: (pointer: Pointer) => {
      const pcm = entered(hostOf(), pointer, "avail_update");
      if (pcm === undefined) return -ERRNO.EBADFD;
      // No system call: libasound reads memory that the kernel shares. A server is asked each time.
      const failure = pcm.type === "IOPLUG" ? ordered(pcm, "avail") : 0;
      return failure < 0 ? failure : pcm.availUpdate(currentThread().now);
    },
    hot_forward: (pcm: Pointer, frames: number) =>
      call(hostOf(), pcm, "forward", (handle, now) => handle.forward(now, frames)),
  };
  const functions: Record<string, unknown> = {};
  for (const name of Object.keys(symbols)) {
    functions[name] = mine[name as keyof typeof libasoundSymbols] ??
      (() => {
        throw new Error(`the virtual libasound has no ${name}`);
      });
  }
  return functions;
}
