// SPDX-License-Identifier: MIT
/** The sndif v2 wire protocol (`xen/io/sndif.h`): octets to numbers and back. This folder imports nothing else. */
export * from "./constants.ts";
export * from "./xen_errno.ts";
export * from "./event.ts";
export * from "./event_page.ts";
export * from "./formats.ts";
export { HwParam, type Interval } from "./hw_param.ts";
export { type PacketView } from "./packet.ts";
export * from "./page_directory.ts";
export * from "./request.ts";
export * from "./response.ts";
export * from "./ring.ts";
