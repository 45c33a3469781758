// SPDX-License-Identifier: MIT
/** What several stories have in common. */
import type { Random } from "../../machine/random.ts";
import type { Guest } from "../../population.ts";
import type { HostEnd } from "../../sound/host_card.ts";
import type { World } from "../../world.ts";
import { deviceEnds, isRunning } from "../hardware_events.ts";

export const MILLI = 1000;
export const SECOND = 1_000_000;

/** An honest guest that has a card; `isUsed`: one that has asked for something. */
export function aGuest({ population }: World, random: Random, isUsed = false): Guest | undefined {
  const guests = population.present.filter(({ kernel }) =>
    kernel.streams.some(({ account: { requests } }) => !isUsed || requests.length > 0)
  );
  return guests.length === 0 ? undefined : random.pick(guests);
}

/** A device that plays or records. */
export function aRunningEnd(world: World, random: Random): HostEnd | undefined {
  const ends = deviceEnds(world).filter(isRunning);
  return ends.length === 0 ? undefined : random.pick(ends);
}

/** The devices take `micros` µs for each of the next `times` opens, unless something else is wrong with them. */
export function slowOpens(world: World, micros: () => number, times = 1): HostEnd[] {
  const ends = deviceEnds(world);
  world.disturbs();
  for (const end of ends) end.disturbedAt = world.now;
  const slow = ends.filter(({ faults }) => faults.isEmpty);
  for (const { faults } of slow) faults.slow("open", micros(), times);
  return slow;
}

/** The device goes, and comes back after `micros` µs. */
export function unplug(world: World, { card }: HostEnd, micros: number): void {
  world.disturbs();
  for (const end of card.ends) end.disturbedAt = world.now;
  card.unplug();
  world.later(micros, () => {
    world.disturbs();
    card.plugIn();
  });
}

export function startPrograms(world: World, guest: Guest, random: Random): void {
  for (let i = 0; i < 3; i++) world.population.startProgram(guest, random);
}

/** Programs start as soon as the guest's card is back. */
export function useAgain(world: World, guest: Guest, random: Random, left = 50): void {
  world.later(20 * MILLI, () => {
    if (guest.kernel.streams.length === 0) return left > 0 && useAgain(world, guest, random, left - 1);
    startPrograms(world, guest, random);
  });
}
