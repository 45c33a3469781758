// SPDX-License-Identifier: MIT
/** XenBus for both ends of a card: states and what a pair of them means, paths, domains. */
export * from "./card_state.ts";
export * from "./cleanup.ts";
export * from "./domains.ts";
export * from "./paths.ts";
export * from "./state.ts";
export * from "./until.ts";
