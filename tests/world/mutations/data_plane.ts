// SPDX-License-Identifier: MIT
/** Defects of the data plane (lib/engine). */
import type { Mutation } from "./mutation.ts";

export const DATA_PLANE: readonly Mutation[] = [
  {
    name: "answer-told-only-if-asked",
    sentence:
      "an answer is notified only if rsp_event asks for it, and a closed PCM has left rsp_event behind",
    file: "lib/engine/request_queue.ts",
    find: `    this.#ring.pushResponses();
    services.channels.notify(requestPort);`,
    replace: `    if (this.#ring.pushResponses()) services.channels.notify(requestPort);`,
    finds: "answers",
  },
  {
    name: "answer-of-the-dead-untold",
    sentence: "a daemon does not notify of an answer that its predecessor published as it died",
    file: "lib/engine/engine.ts",
    find: `    this.#channels.notify(stream.requestPort);`,
    replace: ``,
    finds: "answers",
  },
  {
    name: "answer-with-the-next-id",
    sentence: "the answer to a request that the main thread worked on has an id that is one too large",
    file: "lib/engine/request_queue.ts",
    find: `this.#respond(this.#deferredId, operation, status);`,
    replace: `this.#respond(this.#deferredId + 1, operation, status);`,
    finds: "answers",
  },
  {
    name: "no-final-check",
    sentence: "the engine does not ask to be notified of the next request once the ring is empty",
    file: "lib/engine/request_queue.ts",
    find: `if (taken !== Taken.none || !this.#ring.finalCheckForRequests()) return taken;`,
    replace: `return taken;`,
    finds: "answers",
  },
  {
    name: "rest-of-the-ring-forgotten",
    sentence: "requests that a turn leaves on the ring wait for a signal that does not come",
    file: "lib/engine/engine.ts",
    find: `if (more || stream.isMasked) this.#unfinished.add(stream);`,
    replace: `if (stream.isMasked) this.#unfinished.add(stream);`,
    finds: "answers",
  },
  {
    name: "unmask-before-the-turn",
    sentence:
      "an event channel is unmasked before its ring is drained, so a storm of signals has turns without end",
    file: "lib/engine/engine.ts",
    find: `      if (stream !== undefined) {
        const before = stream.taken;`,
    replace: `      this.#channels.unmask(port);
      if (stream !== undefined) {
        const before = stream.taken;`,
    finds: "isolation",
  },
  {
    name: "rest-without-end",
    sentence: "a guest that has used up its budget is never served again",
    file: "lib/engine/guest_turns.ts",
    find: `if (!budget.isUsedUp(now)) ended = this.#resting.delete(budget);`,
    replace: `if (!budget.isUsedUp(now)) ended = true;`,
    finds: "answers",
  },
  {
    name: "one-budget-for-all",
    sentence: "what one guest claims of the engine's time is charged to all guests",
    file: "lib/engine/engine.ts",
    find: `this.#turns.budgetOf(command)`,
    replace: `this.#turns.budgetOf({ ...command, domid: 0 })`,
    finds: "isolation",
  },
  {
    name: "sound-for-free",
    sentence: "a guest is charged for requests and never for the sound that is moved for it",
    file: "lib/engine/engine_stream.ts",
    find: `const cost = this.#cost + this.budget.costOf(moved);`,
    replace: `const cost = this.#cost;`,
    finds: "isolation",
  },
  {
    name: "large-debt-forgiven",
    sentence: "a guest's debt that is large enough is taken for one of long ago, and forgiven",
    file: "lib/engine/guest_budget.ts",
    find: `return owed < 0 || owed > MOST_OWED ? 0 : owed;`,
    replace: `return owed < 0 || owed > BUDGET_MICROS + TURN_MICROS ? 0 : owed;`,
    finds: "isolation",
  },
  {
    name: "turn-without-end",
    sentence: "one stream moves all the samples that there are before anybody else has a turn",
    file: "lib/engine/samples/transfer.ts",
    find: `const TURN_BYTES = 1 << 18;`,
    replace: `const TURN_BYTES = 1 << 30;`,
    finds: "turns",
  },
  {
    name: "port-remembered",
    sentence: "a port of a stream that was detached is not free for the stream that is bound to it next",
    file: "lib/engine/engine.ts",
    find: `    this.#byPort.delete(stream.eventPort);`,
    replace: ``,
    finds: "answers",
  },
  {
    name: "new-device-not-polled",
    sentence: "the engine polls the descriptor of the device that another one has replaced",
    file: "lib/engine/open_stream.ts",
    find: `    this.#deviceChanged(pcm);
    this.#connection.services.pollSetChanged();`,
    replace: `    this.#deviceChanged(pcm);`,
    finds: "positions",
  },
  {
    name: "taken-for-a-stand-in",
    sentence:
      "a device that came back counts as a stand-in, and is not given back when the main thread closes it",
    file: "lib/engine/open_stream.ts",
    find: `    this.#isLost = false;
    queries.end();`,
    replace: `    queries.end();`,
    finds: "ownership",
  },
  {
    name: "device-kept-after-close",
    sentence: "the engine passes CLOSE on before it lets go of device and buffer",
    file: "lib/engine/engine_stream.ts",
    find: `    this.#life.release();
    this.#services.post({ op: "close", slot: this.slot });`,
    replace: `    this.#services.post({ op: "close", slot: this.slot });`,
    finds: "ownership",
  },
  {
    name: "former-frames-after-stop",
    sentence: "what was written or recorded before a STOP still counts after it",
    file: "lib/engine/samples/transfer.ts",
    find: `    this.rebase(at);
    this.guestFrames = at;`,
    replace: `    this.rebase(at);`,
    finds: "samples",
  },
  {
    name: "position-not-rounded-at-stop",
    sentence: "after a STOP the position is no multiple of the buffer, and the guest's two pointers part",
    file: "lib/engine/samples/transfer.ts",
    find: `Math.ceil(this.feed.toldFrames / this.bufferFrames) * this.bufferFrames`,
    replace: `this.feed.toldFrames`,
    finds: "positions",
  },
  {
    name: "catches-up-in-one-step",
    sentence: "after a stall the position steps by more than the guest's buffer",
    file: "lib/engine/samples/position_feed.ts",
    find: `    if (step >= bufferFrames) return this.#toldFrames + Math.max(1, bufferFrames >> 1);`,
    replace: ``,
    finds: "positions",
  },
  {
    name: "event-not-notified",
    sentence: "a position is published, and the guest is not notified of it",
    file: "lib/engine/samples/position_feed.ts",
    find: `    services.channels.notify(eventPort);`,
    replace: ``,
    finds: "positions",
  },
  {
    name: "dry-device-unseen",
    sentence: "a device that runs dry counts only once its guest writes again",
    file: "lib/engine/samples/playback.ts",
    find: `    } else if (this.lastPosition > this.guestFrames) {
      this.#underrun.dry(this.guestFrames, this.lastPosition, this.#isHostLate);
    }`,
    replace: `    }`,
    finds: "totals",
  },
  {
    name: "overrun-counted-again",
    sentence: "an overrun counts once more at each interrupt until the guest reads",
    file: "lib/engine/samples/capture.ts",
    find: `if (!this.xruns.isOn) this.xruns.begin(lost > 0 ? from`,
    replace: `this.xruns.begin(lost > 0 ? from`,
    finds: "totals",
  },
  {
    name: "late-frames-uncounted",
    sentence: "samples that come after the device has passed their place stand in no counter",
    file: "lib/engine/samples/playback.ts",
    find: `    this.xruns.late(Math.min(end, this.settled) - begin);`,
    replace: ``,
    finds: "samples",
  },
  {
    name: "stall-blamed-on-the-guest",
    sentence: "an underrun that this host's stall has caused counts as the guest's",
    file: "lib/engine/samples/playback.ts",
    find: `return this.#waiting || this.lastPosition <= this.#stallEnd;`,
    replace: `return this.#waiting;`,
    finds: "samples",
  },
  {
    name: "overwritten-frames-shift",
    sentence: "frames that a capture device has overwritten leave no gap, and all later ones come too early",
    file: "lib/engine/samples/capture.ts",
    find: `    this.deviceFrames += missed;
    return missed;`,
    replace: `    return missed;`,
    finds: "samples",
  },
  {
    name: "periods-reset-at-open",
    sentence: "a counter goes back to 0 at each OPEN",
    file: "lib/engine/open_stream.ts",
    find: `    status.set("rate", rate);`,
    replace: `    status.set("rate", rate);
    status.set("periods", 0);`,
    finds: "totals",
  },
  {
    name: "mute-lost-at-open",
    sentence: "the operator's volume and mute do not hold for what the guest opens next",
    file: "lib/engine/stream_life.ts",
    find: `    this.setOperators(this.settings);
    // Last`,
    replace: `    // Last`,
    finds: "operators",
  },
];
