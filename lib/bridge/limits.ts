// SPDX-License-Identifier: MIT
/** Bounds that hold for the whole daemon, whoever asks. */

/** Streams connected at once, of all guests together: rows of the status table, entries of the engine's poll set. */
export const MAX_STREAMS = 256;
