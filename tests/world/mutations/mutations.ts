// SPDX-License-Identifier: MIT
/**
 * The defects that the world has to find, each planted alone in a copy of the program. Most of them were in the program once, or
 * stand in a review of it. All are quiet: the program runs on, and decides or gives back something at the wrong moment.
 */
import { CONTROL_PLANE } from "./control_plane.ts";
import { DATA_PLANE } from "./data_plane.ts";
import type { Mutation } from "./mutation.ts";
import { PORTS_AND_REST } from "./ports_and_rest.ts";

export const MUTATIONS: readonly Mutation[] = [...DATA_PLANE, ...CONTROL_PLANE, ...PORTS_AND_REST];

/** `text`, the content of the mutation's file, with the defect. Throws unless the place to change stands in it once. */
export function mutated({ name, find, replace }: Mutation, text: string): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    throw new Error(`${name}: the text to replace stands in the file ${parts.length - 1} times, not once`);
  }
  return parts.join(replace);
}
