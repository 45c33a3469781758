// SPDX-License-Identifier: MIT
/**
 * Answers SET_VOLUME, GET_VOLUME, MUTE and UNMUTE. Their arguments, one number a channel, lie in the shared sample buffer.
 * Volumes are 32-bit and signed, in steps of 0.001 dB. sndif.h calls a channel's mute a uint8_t and draws it four octets long:
 * both are understood, and the request's length tells which.
 */
import {
  type RequestView,
  XEN_EINVAL,
  XEN_EOPNOTSUPP,
  XENSND_OP_GET_VOLUME,
  XENSND_OP_MUTE,
  XENSND_OP_SET_VOLUME,
} from "../sndif/mod.ts";
import type { Transfer } from "./samples/transfer.ts";
import { MAX_VOLUME } from "../stream/volume_bounds.ts";

const VOLUME_OCTETS = 4;

/** Carries out a request of an open stream: 0 or -XEN_E*. A request that is refused changes nothing. */
export function serveVolume(request: RequestView, transfer: Transfer): number {
  const { operation, offset, length } = request;
  const { buffer, pcm, volume } = transfer;
  const { channels } = pcm.params;
  if (!volume.isPossible) return -XEN_EOPNOTSUPP;
  if (offset >= buffer.bytes || length > buffer.bytes - offset) return -XEN_EINVAL;
  const isVolume = operation === XENSND_OP_SET_VOLUME || operation === XENSND_OP_GET_VOLUME;
  if (length !== channels * VOLUME_OCTETS && (isVolume || length !== channels)) return -XEN_EINVAL;
  const numbers = new DataView(pcm.staging, 0, length);
  if (operation === XENSND_OP_GET_VOLUME) {
    for (let c = 0; c < channels; c++) numbers.setInt32(c * VOLUME_OCTETS, volume.volume(c), true);
    buffer.fromStaging(offset, length);
    return 0;
  }
  // The guest can write the buffer at any time: one copy is both checked and used.
  buffer.toStaging(offset, length);
  if (operation === XENSND_OP_SET_VOLUME) {
    for (let c = 0; c < channels; c++) {
      if (numbers.getInt32(c * VOLUME_OCTETS, true) > MAX_VOLUME) return -XEN_EINVAL;
    }
    for (let c = 0; c < channels; c++) volume.setVolume(c, numbers.getInt32(c * VOLUME_OCTETS, true));
  } else {
    const octets = length / channels;
    for (let c = 0; c < channels; c++) {
      const isNamed = octets === 1 ? numbers.getUint8(c) !== 0 : numbers.getInt32(c * octets, true) !== 0;
      if (isNamed) volume.setMuted(c, operation === XENSND_OP_MUTE);
    }
  }
  volume.changed();
  return 0;
}
