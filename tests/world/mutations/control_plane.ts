// SPDX-License-Identifier: MIT
/** Defects of the control plane (lib/daemon). */
import type { Mutation } from "./mutation.ts";

export const CONTROL_PLANE: readonly Mutation[] = [
  {
    name: "reload-leaves-the-middle-armed",
    sentence: "a policy that changes and goes back leaves the one in the middle in force for the next OPEN",
    file: "lib/daemon/backend.ts",
    find: `if (wasConnected || !served.isOutdated) card.setPolicy(`,
    replace: `if (wasConnected && served.isOutdated) card.setPolicy(`,
    finds: "heardWhereAllowed",
    test: "tests/sandbox/denied_test.ts",
  },
  {
    name: "denied-while-connecting",
    sentence: "a stream that is denied while its guest connects is served by the former policy",
    file: "lib/daemon/backend.ts",
    find: `if (hasConnected && served.isOutdated) card.setPolicy(served.decided ?? denied(card.policy));`,
    replace: ``,
    finds: "heardWhereAllowed",
    test: "tests/sandbox/denied_test.ts",
  },
  {
    name: "denied-from-the-next-open",
    sentence: "a stream that is denied goes on until its guest opens it again",
    file: "lib/daemon/stream/blocking_requests.ts",
    find: `const isAtOnce = Boolean(this.#chosen.policy.denied) !== Boolean(choice.denied);`,
    replace: `const isAtOnce: boolean = false;`,
    finds: "heardWhereAllowed",
    test: "tests/sandbox/denied_test.ts",
  },
  {
    name: "name-read-once",
    sentence: "the policy of a domain is found by the name that the first domain of its number had",
    file: "lib/daemon/policy/choose_policy.ts",
    find: `  return (address, backendPath) => {
    const own = readBackendPolicy(store, backendPath);
    if (own !== undefined) return own;
    const frontendPath = store.read(\`\${backendPath}/frontend\`);
    if (frontendPath === undefined) return undefined; // The toolstack has removed the card meanwhile.
    const card = snapshotCard(store, backendPath, frontendPath);
    const name = domainName(store, address.domid);`,
    replace: `  const names: string[] = [];
  return (address, backendPath) => {
    const own = readBackendPolicy(store, backendPath);
    if (own !== undefined) return own;
    const frontendPath = store.read(\`\${backendPath}/frontend\`);
    if (frontendPath === undefined) return undefined;
    const card = snapshotCard(store, backendPath, frontendPath);
    const name = names[address.domid] ??= domainName(store, address.domid);`,
    finds: "withinBounds",
  },
  {
    name: "totals-vanish-with-the-policy",
    sentence: "a card that is made anew by another policy begins to count at 0",
    file: "lib/daemon/backend.ts",
    find: `if (card.isClosed || domain.isAnother()) this.#totals.forget(card.paths.backend);`,
    replace: `this.#totals.forget(card.paths.backend);`,
    finds: "framesAccounted",
    test: "tests/sandbox/totals_test.ts",
  },
  {
    name: "totals-of-another-domain",
    sentence: "a card counts on from that of a domain that had its number before, and whose nodes were left",
    file: "lib/daemon/backend.ts",
    find: `card.isClosed || domain.isAnother()`,
    replace: `card.isClosed`,
    finds: "framesAccounted",
  },
  {
    name: "row-counted-twice",
    sentence: "the counters of a connection that has ended count as its own and as the past's",
    file: "lib/daemon/stream/stream_counters.ts",
    find: `    this.#leaving.delete(row);`,
    replace: ``,
    finds: "framesAccounted",
    test: "tests/sandbox/totals_test.ts",
  },
  {
    name: "row-not-cleared",
    sentence: "a new connection has the numbers of the one that had its slot before",
    file: "lib/daemon/engines/engine_client.ts",
    find: `      this.status(slot).clear();`,
    replace: ``,
    finds: "framesAccounted",
  },
  {
    name: "old-card-beside-the-new",
    sentence: "a card that is made anew is served before the old one has been shut down",
    file: "lib/daemon/backend.ts",
    find: `    await card.shutDown({ leave: false });
    if (this.#cards.get(key)?.card`,
    replace: `    void card.shutDown({ leave: false });
    if (this.#cards.get(key)?.card`,
    finds: "statesKnown",
  },
  {
    name: "watch-left-behind",
    sentence: "the watch of a card that has gone is not removed",
    file: "lib/daemon/backend.ts",
    find: `      watch[Symbol.dispose]();
    }
    await card.shutDown`,
    replace: `    }
    await card.shutDown`,
    finds: "backAtTheBeginning",
  },
  {
    name: "pages-of-the-dead-kept",
    sentence: "the pages of a domain that has died stay mapped until its card is removed",
    file: "lib/daemon/backend.ts",
    find: `    this.#watch("@releaseDomain", () => this.#domainsChanged());`,
    replace: ``,
    finds: "backAtTheBeginning",
  },
  {
    name: "announcement-left",
    sentence: "XenStore says that a daemon serves which has ended",
    file: "lib/daemon/daemon.ts",
    find: `    this.announcement[Symbol.dispose]();`,
    replace: ``,
    finds: "nothingStale",
    test: "tests/sandbox/announcement_test.ts",
  },
  {
    name: "adopt-starts-over",
    sentence: "a daemon that starts has connected guests start over, with their PCMs open",
    file: "lib/daemon/handshake.ts",
    find: `return frontend === XenbusState.Connected || isAboutTo ? "adopt" : "initWait";`,
    replace: `return "initWait";`,
    finds: "requestsAnswered",
    test: "tests/unit/handshake_table_test.ts",
  },
  {
    name: "left-stream-forgotten",
    sentence: "a daemon that ends leaves no open stream to the next one",
    file: "lib/engine/engine_stream.ts",
    find: `      if (leaves) this.#life.leave();`,
    replace: ``,
    finds: "refusalsTold",
    test: "tests/sandbox/resumed_test.ts",
  },
  {
    name: "open-stream-not-kept",
    sentence: "a daemon that is killed leaves no open stream to the next one",
    file: "lib/engine/stream_life.ts",
    find: `    kept.setState(state);`,
    replace: ``,
    finds: "refusalsTold",
    test: "tests/sandbox/resumed_test.ts",
  },
  {
    name: "resumed-at-the-beginning",
    sentence: "a daemon that goes on with a stream has forgotten the position that the guest was told",
    file: "lib/engine/open_stream.ts",
    find: `    this.#feed.resume(kept);`,
    replace: ``,
    finds: "noDefect",
    test: "tests/sandbox/resumed_test.ts",
  },
  {
    name: "resumed-with-another-base",
    sentence: "a daemon that goes on with a stream counts events from where it finds the page",
    file: "lib/engine/open_stream.ts",
    find: `      else events.resumed(command.kept.eventBase);`,
    replace: ``,
    finds: "soundGoesOn",
  },
  {
    name: "another-owner-resumed",
    sentence: "a daemon goes on with a stream for whoever has the rings of its place now",
    file: "lib/bridge/kept_stream.ts",
    find: `      OWNER.every((name) => get(name) === owner[name]);`,
    replace: `      owner !== undefined;`,
    finds: "requestsAnswered",
    test: "tests/unit/kept_stream_test.ts",
  },
  {
    name: "found-card-never-replaced",
    sentence:
      "a card that a daemon found with its domain dead counts as the card of the next domain of the number",
    file: "lib/daemon/handshake.ts",
    find: `return phase !== "new" && backend === XenbusState.Initialising;`,
    replace: `return phase !== "new" && phase !== "found" && backend === XenbusState.Initialising;`,
    finds: "settingsInForce",
    test: "tests/unit/handshake_table_test.ts",
  },
  {
    name: "half-connected-starts-over",
    sentence: "a daemon that starts has a guest start over that its predecessor has just connected",
    file: "lib/daemon/handshake.ts",
    find: `frontend === XenbusState.Connected || isAboutTo ?`,
    replace: `frontend === XenbusState.Connected ?`,
    finds: "requestsAnswered",
    test: "tests/unit/handshake_table_test.ts",
  },
  {
    name: "adopts-at-the-first-try",
    sentence: "a daemon that has no memory for a moment as it takes a card over has the guest start over",
    file: "lib/daemon/virtual_card.ts",
    find: `      if (isOutOfMemory(error)) return await this.#tryAgain(error);
      if (!isFrontends(error)) throw error;
      this.#log.info("its`,
    replace: `      if (!isFrontends(error)) throw error;
      this.#log.info("its`,
    finds: "requestsAnswered",
  },
  {
    name: "rings-of-before",
    sentence: "a guest that publishes its rings anew while it is connected is served by the former ones",
    file: "lib/daemon/virtual_card.ts",
    find: `    this.#hasPublishedAnew = true;`,
    replace: ``,
    finds: "playedOnce",
    test: "tests/sandbox/handshake_test.ts",
    beyond: "a kernel that publishes twice does so between two system calls of the daemon's",
  },
  {
    name: "no-wait-for-quiet",
    sentence: "rings are taken while their guest may still be publishing others",
    file: "lib/daemon/virtual_card.ts",
    find: `Math.max(this.#initWaitUntil, this.#writes.quietAt)`,
    replace: `this.#initWaitUntil`,
    finds: "connectionsKept",
    test: "tests/world/publish_test.ts",
  },
  {
    name: "own-hand-shake-a-new-start",
    sentence:
      "changes that led to a connection are taken for a new start of the guest once they are heard of",
    file: "lib/daemon/virtual_card.ts",
    find: `    } finally {
      await this.services.store.settled();
    }`,
    replace: `    } finally {}`,
    finds: "connectionsKept",
  },
  {
    name: "refused-for-former-rings",
    sentence: "a card is refused for rings that cannot be mapped any more, as others are published already",
    file: "lib/daemon/virtual_card.ts",
    find: `      await this.services.store.settled();
      if (isOver()) return;
      await this.#refuse(`,
    replace: `      await this.#refuse(`,
    finds: "connectionsKept",
    test: "tests/world/cases_test.ts",
  },
  {
    name: "rings-read-after-the-news",
    sentence:
      "rings that a guest publishes as its card is connected are taken, and then taken for a new start",
    file: "lib/daemon/virtual_card.ts",
    find: `    try {
      return this.#streams.readTransports();
    } finally {
      await this.services.store.settled();
    }`,
    replace: `    await this.services.store.settled();
    return this.#streams.readTransports();`,
    finds: "connectionsKept",
  },
  {
    name: "end-restarts-guests",
    sentence: "a daemon that ends leaves connected cards in another state, and their guests start over",
    file: "lib/daemon/virtual_card.ts",
    find: `const isUntouched = !leave || this.connected || this.#phase === "found";`,
    replace: `const isUntouched = !leave;`,
    finds: "requestsAnswered",
    test: "tests/sandbox/serve_test.ts",
  },
  {
    name: "detached-not-closed",
    sentence: "a card that the toolstack detaches does not become Closed",
    file: "lib/daemon/virtual_card.ts",
    find: `        this.#writeState(XenbusState.Closed);`,
    replace: ``,
    finds: "statesKnown",
    test: "tests/sandbox/running_card_test.ts",
  },
  {
    name: "looks-at-each-write",
    sentence: "a guest that writes its nodes without end has the daemon ask XenStore each time",
    file: "lib/daemon/frontend_writes.ts",
    find: `Math.max(0, this.#lookedAt + LOOK_MS - this.#writtenAt)`,
    replace: `0`,
    finds: "turnsBounded",
  },
  {
    name: "slot-free-too-soon",
    sentence: "a slot is given to another stream before the engine has let go of it",
    file: "lib/daemon/engines/engine_client.ts",
    find: `    this.#detached.set(slot, () => {`,
    replace: `    this.#handlers.delete(slot);
    this.#detached.set(slot, () => {`,
    finds: "noDefect",
  },
  {
    name: "eventfd-left-open",
    sentence: "the eventfd of an engine that has ended is not closed",
    file: "lib/daemon/engines/engine_client.ts",
    find: `    this.#wake[Symbol.dispose]();`,
    replace: ``,
    finds: "backAtTheBeginning",
    test: "tests/sandbox/engines_test.ts",
  },
  {
    name: "own-engine-left",
    sentence: "a guest's own engine runs on when its last stream has gone",
    file: "lib/daemon/engines/engines.ts",
    find: `      await running.stop();`,
    replace: ``,
    finds: "backAtTheBeginning",
    test: "tests/sandbox/engines_test.ts",
  },
  {
    name: "port-left-bound",
    sentence: "the event channels of a stream that has gone stay bound",
    file: "lib/daemon/link/frontend_link.ts",
    find: `      stack.adopt(channels.bindInterdomain(domid, port), (p) => channels.unbind(p));`,
    replace: `      channels.bindInterdomain(domid, port);`,
    finds: "backAtTheBeginning",
    test: "tests/sandbox/leaks_test.ts",
  },
  {
    name: "share-never-given-back",
    sentence: "what a guest has used of its limit is not given back",
    file: "lib/daemon/policy/guest_limits.ts",
    find: `        this.#add(domid, -amount);`,
    replace: ``,
    finds: "withinLimits",
    test: "tests/unit/guest_limits_test.ts",
  },
  {
    name: "engines-without-limit",
    sentence: "a guest gets an engine for each of its streams, however many",
    file: "lib/daemon/engines/engines.ts",
    find: `share = this.guests.engine(domid);`,
    replace: `share = this.guests.engine(-1 - engines.length);`,
    finds: "withinLimits",
    test: "tests/sandbox/engines_test.ts",
  },
  {
    name: "loss-closes-another-device",
    sentence: "the loss of a device closes the device that the engine has been given since",
    file: "lib/daemon/stream/device_session.ts",
    find: `if (this.#open === lost) await this.close();`,
    replace: `await this.close();`,
    finds: "noDefect",
    test: "tests/unit/device_session_test.ts",
  },
  {
    name: "device-closed-too-soon",
    sentence: "a device is closed before the engine has given it back",
    file: "lib/daemon/stream/blocking_requests.ts",
    find: `    if (await this.#takeDevice()) {`,
    replace: `    if (this.#session.isOpen) {`,
    finds: "noDefect",
  },
  {
    name: "lost-device-looked-for-once",
    sentence: "a device that is lost for more than a second is never used again",
    file: "lib/daemon/stream/device_session.ts",
    find: `    } catch (error) {
      this.lookFor();`,
    replace: `    } catch (error) {`,
    finds: "framesAccounted",
  },
  {
    name: "buffer-left-mapped",
    sentence: "the buffer of a stream that its guest has closed stays mapped",
    file: "lib/daemon/stream/blocking_requests.ts",
    find: `    this.#session.leave();
    connection.unmapBuffer();
  }`,
    replace: `    this.#session.leave();
  }`,
    finds: "backAtTheBeginning",
    test: "tests/sandbox/guest_limits_test.ts",
  },
  {
    name: "device-left-at-implicit-close",
    sentence: "an OPEN without a CLOSE before it leaves the former device open",
    file: "lib/daemon/stream/blocking_requests.ts",
    find: `connection: StreamConnection, kept?: KeptOpen): Promise<void> {
    await this.#session.close();`,
    replace: `connection: StreamConnection, kept?: KeptOpen): Promise<void> {`,
    finds: "backAtTheBeginning",
  },
  {
    name: "answer-of-another-connection",
    sentence: "work that began for one connection of a stream answers a request of the slot's next owner",
    file: "lib/daemon/stream/blocking_requests.ts",
    find: `  #answer(status: number, connection: StreamConnection): void {
    if (!this.#isCurrent(connection)) return;`,
    replace: `  #answer(status: number, connection: StreamConnection): void {`,
    finds: "refusalsTold",
    test: "tests/unit/blocking_requests_test.ts",
  },
  {
    name: "hold-not-sent",
    sentence: "a stream that the operator holds runs once its guest has connected again",
    file: "lib/daemon/stream/stream_control.ts",
    find: `hold: settings.hold,`,
    replace: `hold: "none",`,
    finds: "settingsInForce",
    test: "tests/sandbox/trigger_test.ts",
  },
  {
    name: "unmap-before-let-go",
    sentence: "the guest's pages are unmapped while the engine still has them",
    file: "lib/daemon/stream/stream_control.ts",
    find: `    this.#freed = engine.detach(slot, letGo, leaves);`,
    replace: `    letGo();
    this.#freed = engine.detach(slot, () => {}, leaves);`,
    finds: "noDefect",
    test: "tests/sandbox/handshake_test.ts",
  },
  {
    name: "second-detach-does-not-wait",
    sentence: "a card that is shut down while a stream is being detached does not wait for that",
    file: "lib/daemon/stream/stream_control.ts",
    find: `    this.#detaching ??= this.#letGo(leaves).finally(() => this.#detaching = undefined);
    return this.#detaching;`,
    replace: `    return this.#letGo(leaves);`,
    finds: "statesKnown",
    test: "tests/unit/stream_control_test.ts",
  },
  {
    name: "timer-left",
    sentence: "the log's look at a stream's xruns goes on when the stream is closed",
    file: "lib/daemon/stream/xrun_log.ts",
    find: `    clearInterval(this.#timer);`,
    replace: ``,
    finds: "backAtTheBeginning",
  },
  {
    name: "volume-not-kept",
    sentence: "the operator's volume and mute are gone when the daemon is started again",
    file: "lib/daemon/stream/operator_control.ts",
    find: `    if (!this.#write(settings)) {`,
    replace: `    if (this.nodes === undefined) {`,
    finds: "settingsInForce",
    test: "tests/sandbox/operator_volume_test.ts",
  },
  {
    name: "lost-setting-comes-back",
    sentence: "a setting that was refused as XenStore died is in force after the daemon's next start",
    file: "lib/daemon/virtual_card.ts",
    find: `    for (const { operator } of this.streams) operator.keepAgain();`,
    replace: ``,
    finds: "settingsInForce",
  },
  {
    name: "second-card-without-end",
    sentence: "a frontend that leaves as soon as it is connected is offered its card again at once, for ever",
    file: "lib/daemon/virtual_card.ts",
    find: `    if (pauseMs === 0) return false;`,
    replace: `    if (pauseMs >= 0) return false;`,
    finds: "turnsBounded",
  },
  {
    name: "trigger-without-an-engine",
    sentence: "a trigger of a stream that is served no more fails as a defect of the daemon",
    file: "lib/daemon/control_commands.ts",
    find: `    (stream) => !stream.isGivenUp,
    (stream) => \`cannot \${trigger}`,
    replace: `    () => true,
    (stream) => \`cannot \${trigger}`,
    finds: "noDefect",
    test: "tests/sandbox/trigger_test.ts",
  },
];
