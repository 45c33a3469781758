// SPDX-License-Identifier: MIT
/** Defects of the memory between the planes, of the ports to Xen and ALSA, of the protocol, and of what stands around the daemon. */
import type { Mutation } from "./mutation.ts";

export const PORTS_AND_REST: readonly Mutation[] = [
  {
    name: "directory-read-again",
    sentence: "a daemon that starts reads the guest's own directory again, whatever was recorded of the card",
    file: "lib/vsnd/nodes/card_snapshot.ts",
    find: `  const snapshot = readSnapshot(store, backendPath);`,
    replace: `  const snapshot = readSnapshot(store, backendPath) && undefined;`,
    finds: "withinBounds",
    test: "tests/sandbox/xl_card_test.ts",
  },
  {
    name: "late-directory-trusted",
    sentence: "a directory that the guest may have written before the daemon came is believed",
    file: "lib/vsnd/nodes/card_snapshot.ts",
    find: `const isLate = wasRefused || readState(store, backendPath) !== XenbusState.Initialising;`,
    replace: `const isLate = wasRefused;`,
    finds: "withinBounds",
    test: "tests/sandbox/xl_card_test.ts",
    beyond: "it takes another backend that served the card before",
  },
  {
    name: "rate-not-judged",
    sentence: "an OPEN may have a rate that the policy does not allow",
    file: "lib/stream/open_admission.ts",
    find:
      "  if (!allowed.rates.includes(open.pcmRate)) return `rate ${open.pcmRate} is not one of ${allowed.rates}`;",
    replace: ``,
    finds: "withinBounds",
    test: "tests/unit/policy_test.ts",
  },
  {
    name: "page-named-again",
    sentence: "a guest makes a large buffer of one page that it names again and again",
    file: "lib/sndif/page_directory.ts",
    find:
      "      if (seen.has(gref)) return fault(XEN_EINVAL, `${where} has gref ${gref} a second time, at ${i - 1}`);",
    replace: ``,
    finds: "withinLimits",
    test: "tests/unit/sndif_page_directory_test.ts",
  },
  {
    name: "unanswered-skipped",
    sentence: "a daemon that is started again passes over the requests that its predecessor left unanswered",
    file: "lib/sndif/ring.ts",
    find: `return new BackRing(buffer, byteOffset, Atomics.load(words, RSP_PROD));`,
    replace: `return new BackRing(buffer, byteOffset, Atomics.load(words, REQ_PROD));`,
    finds: "requestsAnswered",
    test: "tests/unit/sndif_ring_test.ts",
  },
  {
    name: "one-event-id",
    sentence: "events have the ids of one generation of kernels alone",
    file: "lib/sndif/event_page.ts",
    find: `const twice = (this.#base & 0xffff) !== 0;`,
    replace: `const twice = false;`,
    finds: "requestsAnswered",
    test: "tests/unit/sndif_event_page_test.ts",
  },
  {
    name: "cancelled-and-carried-out",
    sentence: "what an operator has cancelled is carried out as soon as it can be",
    file: "lib/bridge/changes.ts",
    find: `    gone.addEventListener("abort", giveUp);`,
    replace: ``,
    finds: "settingsInForce",
    test: "tests/sandbox/trigger_test.ts",
  },
  {
    name: "change-missed-in-the-pause",
    sentence: "who waits for a stream misses a change that comes between two looks",
    file: "lib/bridge/changes.ts",
    find: `      const seen = Atomics.load(this.#count, 0);
      for (const look of this.#looks) look();
      if (this.#looks.size === 0) break;
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      if (this.#looks.size === 0) break;`,
    replace: `      for (const look of this.#looks) look();
      if (this.#looks.size === 0) break;
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      if (this.#looks.size === 0) break;
      const seen = Atomics.load(this.#count, 0);`,
    finds: "operatorsServed",
    test: "tests/sandbox/wait_test.ts",
  },
  {
    name: "client-keeps-its-place",
    sentence: "a client of the control socket that has gone keeps its place, until there is none for anybody",
    file: "lib/control/control_server.ts",
    find: `      this.#clients.delete(connection);`,
    replace: ``,
    finds: "operatorsServed",
    test: "tests/unit/control_test.ts",
  },
  {
    name: "reload-without-effect",
    sentence: "a reload says that the file is read, and the former policy stays in force",
    file: "lib/service/serve.ts",
    find: `readPolicy: (...card) => policy.read(...card),`,
    replace: `readPolicy: policy.read,`,
    finds: "heardWhereAllowed",
    test: "tests/sandbox/reload_test.ts",
  },
  {
    name: "no-watches-after-reconnect",
    sentence: "the daemon hears of nothing any more once XenStore has been away",
    file: "lib/xen/store/reconnecting_store.ts",
    find: `      for (const watch of this.#watches) watch.resume(store);`,
    replace: ``,
    finds: "statesKnown",
    test: "tests/sandbox/xenstore_lost_test.ts",
  },
  {
    name: "lost-connection-left-open",
    sentence: "a connection to XenStore that was lost is not closed",
    file: "lib/xen/store/reconnecting_store.ts",
    find: `    store[Symbol.dispose]();
    this.#tryAgain(FIRST_RETRY_MS);`,
    replace: `    this.#tryAgain(FIRST_RETRY_MS);`,
    finds: "backAtTheBeginning",
  },
  {
    name: "no-descriptor-taken-for-a-defect",
    sentence: "a daemon that has no free descriptor as XenStore comes back ends",
    file: "lib/xen/store/library_store.ts",
    find: `    if (!(cause instanceof Errno)) throw cause;
    throw new XsndError(\`cannot watch`,
    replace: `    if (!(cause instanceof TypeError)) throw cause;
    throw new XsndError(\`cannot watch`,
    finds: "noDefect",
  },
  {
    name: "lost-call-taken-for-a-defect",
    sentence: "a call under which XenStore dies counts as one on a path that is not valid",
    file: "lib/xen/store/store_call.ts",
    find: `  if (error.errno !== ERRNO.EINVAL) return error.code;
  try {`,
    replace: `  if (error.errno !== 0) return error.code;
  try {`,
    finds: "noDefect",
    test: "tests/unit/ffi_store_test.ts",
  },
  {
    name: "lost-race-taken-for-a-commit",
    sentence: "a transaction that another writer has beaten counts as written",
    file: "lib/xen/store/library_store.ts",
    find:
      `if (this.#call("commit a transaction to", () => this.#handle.transactionEnd(t, false))) return result;`,
    replace: `this.#call("commit a transaction to", () => this.#handle.transactionEnd(t, false));
      if (attempt >= 0) return result;`,
    finds: "settingsInForce",
    test: "tests/unit/ffi_store_test.ts",
  },
  {
    name: "short-write-counted-whole",
    sentence: "a device that takes fewer samples than it is given counts as having taken all",
    file: "lib/pcm/alsa/pcm.ts",
    find: `    const taken = this.#io.writei(this.#staging, frames);
    if (taken > 0) this.#applFrames += taken;`,
    replace: `    const taken = this.#io.writei(this.#staging, frames);
    if (taken > 0) this.#applFrames += frames;`,
    finds: "requestsAnswered",
  },
  {
    name: "handle-left-at-a-failed-open",
    sentence: "a device that does not take the guest's parameters stays open",
    file: "lib/pcm/alsa/device.ts",
    find: `      await this.#discard(pcm);
      if (!(error instanceof AlsaError)) throw error;
      const what = \`cannot set up`,
    replace: `      if (!(error instanceof AlsaError)) throw error;
      const what = \`cannot set up`,
    finds: "backAtTheBeginning",
  },
  {
    name: "lost-lines-uncounted",
    sentence: "lines that the log loses as its disk is full are counted nowhere",
    file: "lib/log/line_queue.ts",
    find: `for (const { lines } of this.#chunks.splice(0)) this.#lost += lines;`,
    replace: `this.#chunks.splice(0);`,
    finds: "logKept",
    test: "tests/unit/line_queue_test.ts",
  },
  {
    name: "silence-forgets-where-it-stood",
    sentence: "a dummy device that is paused goes on from where it last began to move",
    file: "lib/pcm/dummy/pcm.ts",
    find: `    this.#standsAt = this.position();
    this.#startedAt = undefined;`,
    replace: `    this.#startedAt = undefined;`,
    finds: "requestsAnswered",
    test: "tests/unit/dummy_pcm_test.ts",
  },
];
