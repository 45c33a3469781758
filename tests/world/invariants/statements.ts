// SPDX-License-Identifier: MIT
/** What must hold in a world, each in one sentence: docs/ARCHITECTURE.md has the same table. */
export const STATEMENTS = {
  requestsAnswered:
    "Every request of a guest's driver gets exactly one answer, in order, within its bound; positions never go back, never step a buffer, and are accepted by the driver's generation.",
  soundGoesOn:
    "A stream that its guest runs and nobody holds, with samples to play or room to record into, is told positions one after the other; a device that has stopped by itself does not stay so.",
  connectionsKept:
    "The daemon keeps the ring of each guest's driver for as long as the driver, the toolstack and the daemon itself go on, and waits until the driver has published its rings for good.",
  framesAccounted:
    "Each frame that a guest has written or read is heard, or stands in a counter with its cause, and silence likewise; no total falls while its card exists.",
  heardInFull:
    "Where nobody but other guests disturbs a stream, each frame that its guest writes in time is heard once, in its place, and each one that it reads in time is the microphone's next.",
  playedOnce: "No device plays a frame of a guest's twice.",
  heardWhereAllowed:
    "A stream is heard on the devices that its card allowed it since its OPEN, and a denied stream on none.",
  withinBounds:
    "No stream is open with a rate, format, channels or a buffer that its card was not made with.",
  settingsInForce:
    "A hold, mute or volume is in force from its answer until another one undoes it, over reconnections, restarts and reloads; what was refused, timed out or cancelled never happens.",
  operatorsServed:
    "No operator is refused for a defect of the daemon or for clients that have ended, or waits on when the stream has got where the request waits for it.",
  logKept:
    "Each line of the daemon's log comes in its order, or is counted as lost, whoever reads the log and when.",
  refusalsTold:
    "A guest that the main thread refuses a device, or the answer to a parameter query, has a line of its stream in the log that says why; so has one whose open stream a daemon does not go on with.",
  backAtTheBeginning:
    "When the last guest has gone, the daemon has no mapping, port, device or engine left, and the watches, descriptors and timers that it began with.",
  nothingStale:
    "XenStore holds nothing of a card, a domain or a daemon that has gone, and all that the toolstack has made.",
  statesKnown:
    "Each pair of XenBus states is one that libxl and the driver know, and the ends of a card that is served come together; a card is Closed only once the daemon has let go of all that is its guest's.",
  withinLimits:
    "A guest never has more streams, pages, engines, descriptors, watches or timers of the daemon's than its limits and its cards account for, and is refused no memory or stream within them.",
  guestsApart:
    "A guest that has claimed little of its budget gets each answer within its delay, whatever other guests claim.",
  turnsBounded:
    "No turn of an engine or of the main thread makes more system calls, or moves more sound, than its bound; no guest gets more answers, sound, wake-ups, looks at XenStore and connections than its budget allows.",
  noDefect:
    "No exception is left to nobody, nothing touches unmapped memory, and no device is used after its close.",
} as const;

export type InvariantName = keyof typeof STATEMENTS;
