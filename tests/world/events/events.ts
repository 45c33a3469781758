// SPDX-License-Identifier: MIT
/** What can happen in a world: every kind of event, with how often it happens in relation to the others. */
import type { Random } from "../machine/random.ts";
import type { World } from "../world.ts";
import { AIMED_EVENTS } from "./aimed_events.ts";
import { DAEMON_EVENTS } from "./daemon_events.ts";
import { GUEST_EVENTS } from "./guest_events.ts";
import { HARDWARE_EVENTS } from "./hardware_events.ts";
import { HOST_EVENTS } from "./host_events.ts";
import { OPERATOR_EVENTS } from "./operator_events.ts";
import { CARD_STORIES } from "./stories/card_stories.ts";
import { DEVICE_STORIES } from "./stories/device_stories.ts";
import { HOSTILE_STORIES } from "./stories/hostile_stories.ts";
import { OPERATOR_STORIES } from "./stories/operator_stories.ts";
import { TOOLSTACK_EVENTS } from "./toolstack_events.ts";
import { XENSTORE_EVENTS } from "./xenstore_events.ts";

export interface WorldEventKind {
  readonly weight: number;
  /** Does it, by the chance of `random`; does nothing if the world has nobody to whom that could happen. */
  run(world: World, random: Random): void;
}

export type EventTable = Readonly<Record<string, WorldEventKind>>;

export const EVENTS: EventTable = {
  ...DAEMON_EVENTS,
  ...GUEST_EVENTS,
  ...HARDWARE_EVENTS,
  ...HOST_EVENTS,
  ...OPERATOR_EVENTS,
  ...TOOLSTACK_EVENTS,
  ...XENSTORE_EVENTS,
  ...AIMED_EVENTS,
  // Stories are a few things in an order that chance alone seldom finds. Each is told of somebody who is there, with times drawn by
  // chance, and in the midst of all that happens besides.
  ...CARD_STORIES,
  ...DEVICE_STORIES,
  ...HOSTILE_STORIES,
  ...OPERATOR_STORIES,
};
