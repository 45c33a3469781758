// SPDX-License-Identifier: MIT
/** XenBus: states, device paths and domains, for both ends. */
export * from "./card_state.ts";
export * from "./cleanup.ts";
export * from "./domains.ts";
export * from "./paths.ts";
export * from "./state.ts";
export * from "./until.ts";
