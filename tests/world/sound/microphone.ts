// SPDX-License-Identifier: MIT
/** What a microphone hears: each frame holds the number of frames that the card's microphone has given so far, this one included. */

/** The octets of frame `number`: the number, little endian, in up to 4 octets, and never 0. */
export function putFrame(into: Uint8Array, at: number, frameBytes: number, number: number): void {
  const octets = Math.min(frameBytes, 4);
  let rest = (number - 1) % (256 ** octets - 1) + 1;
  for (let i = 0; i < frameBytes; i++) {
    into[at + i] = i < octets ? rest & 0xff : 0;
    rest = Math.floor(rest / 256);
  }
}

/** The frame that stands at `place` of a buffer of `buffer` frames when `heard` frames have come: the newest; -1: none. */
export function newestAt(place: number, buffer: number, heard: number): number {
  const back = ((heard - 1 - place) % buffer + buffer) % buffer;
  return heard - 1 - back;
}
