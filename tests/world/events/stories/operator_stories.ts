// SPDX-License-Identifier: MIT
/** Stories of what operators set, and wait for. */
import type { StreamAccount } from "../../guest/account.ts";
import type { Random } from "../../machine/random.ts";
import { patientPlan } from "../../operator/plan.ts";
import type { Guest } from "../../population.ts";
import type { World } from "../../world.ts";
import type { EventTable } from "../events.ts";
import { reloadDriver } from "../guest_events.ts";
import { targetsOf } from "../operator_events.ts";
import { aGuest, MILLI, SECOND, startPrograms, useAgain } from "./story_parts.ts";

/** An operator sets something of a stream, which runs if any of the guest's does; the guest comes again, and uses the stream. */
function setAndUse(world: World, guest: Guest, random: Random): void {
  const isRunning = ({ segment }: StreamAccount) => (segment?.starts.length ?? 0) > 0;
  const ofGuest = ({ domid }: { domid: number }) => domid === guest.domain.domid;
  const running = targetsOf(world, isRunning).filter(ofGuest);
  const targets = running.length > 0 ? running : targetsOf(world).filter(ofGuest);
  if (targets.length === 0) return;
  const verb = random.pick(["mute", "volume", "trigger", "trigger", "trace", "last"] as const);
  const plan = patientPlan(verb, random.pick(targets), random);
  world.operators.start({ ...plan, trigger: random.pick(["pause", "stop"]), volume: -6 });
  world.later(2 * SECOND, () => {
    for (const program of guest.running) program.kill();
    if (random.oneIn(3)) world.happens("daemon.kill", random.word());
    else if (random.oneIn(2)) reloadDriver(guest, random.below(20 * MILLI));
    useAgain(world, guest, random);
  });
  for (const after of [5, 7, 9]) world.later(after * SECOND, () => useAgain(world, guest, random));
  world.later(12 * SECOND, () => {
    const undo = verb === "mute" ? "unmute" : verb;
    world.operators.start({ ...plan, verb: undo, trigger: "resume", volume: 0 });
  });
}

export const OPERATOR_STORIES: EventTable = {
  /** An operator sets something, and the guest uses the stream afterwards: again, or by a connection that is new. */
  "story.setsAndUses": {
    weight: 2,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      startPrograms(world, guest, random);
      world.later(700 * MILLI, () => setAndUse(world, guest, random));
    },
  },
  /** An operator pauses a stream that has run for a while, and has it go on soon. */
  "story.heldForAMoment": {
    weight: 2,
    run(world, random) {
      const targets = targetsOf(world, ({ segment }) => {
        const [startedAt = Infinity] = segment?.starts ?? [];
        return startedAt + 4 * SECOND < world.now;
      });
      if (targets.length === 0) return;
      const plan = patientPlan("trigger", random.pick(targets), random);
      world.operators.start({ ...plan, trigger: "pause" });
      world.later(random.between(10 * MILLI, 2 * SECOND), () => {
        world.operators.start({ ...plan, trigger: random.pick(["resume", "start"]) });
      });
    },
  },
  /** XenStore dies as it keeps a setting. */
  "story.refusedSetting": {
    weight: 1,
    run(world, random) {
      const { xenstored } = world.host.xen;
      const { current } = world.daemons;
      const targets = targetsOf(world);
      if (current === undefined || targets.length === 0) return;
      xenstored.restartMicros = random.below(300 * MILLI);
      xenstored.dieAtCommitOf(current.process);
      const verb = random.pick(["mute", "unmute", "volume"] as const);
      world.operators.start(patientPlan(verb, random.pick(targets), random));
      world.later(random.between(SECOND, 12 * SECOND), () => world.happens("daemon.kill", random.word()));
    },
  },
  /** Somebody else is faster than the daemon, which keeps a setting in XenStore. The next daemon reads what was kept. */
  "story.lostRace": {
    weight: 1,
    run(world, random) {
      const { host: { xen: { xenstored } }, services: { store } } = world;
      const { current } = world.daemons;
      const targets = targetsOf(world);
      if (current === undefined || targets.length === 0) return;
      const target = random.pick(targets);
      const path = `/local/domain/0/backend/vsnd/${target.domid}/${target.name.split("/").at(-3)}`;
      xenstored.beforeCommitOf(current.process, () => {
        const permissions = store.getPermissions(path);
        if (permissions !== undefined) store.setPermissions(path, permissions);
      });
      world.operators.start(patientPlan(random.pick(["mute", "volume"] as const), target, random));
      world.later(random.between(SECOND, 12 * SECOND), () => world.happens("daemon.kill", random.word()));
    },
  },
  /** Operators wait for a stream that its guest is about to use, for a while. */
  "story.waited": {
    weight: 1,
    run(world, random) {
      const guest = aGuest(world, random);
      if (guest === undefined) return;
      const targets = targetsOf(world).filter(({ domid }) => domid === guest.domain.domid);
      if (targets.length === 0) return;
      for (const program of guest.running) program.kill();
      world.later(random.below(SECOND), () => {
        const target = random.pick(targets);
        for (const verb of ["wait", "wait", "trigger"] as const) {
          const plan = { ...patientPlan(verb, target, random), goal: "open", waitMs: 20_000 } as const;
          world.operators.start({ ...plan, trigger: "resume" });
        }
      });
      world.later(random.between(SECOND, 4 * SECOND), () => startPrograms(world, guest, random));
    },
  },
};
