// SPDX-License-Identifier: MIT
/**
 * Sound for Xen guests, as a library: what the `xsnd` command does, for programs that provision cards, watch a daemon, or test
 * a guest's sound. The wire protocol alone is `@xsnd/xsnd/sndif`, trace files are `@xsnd/xsnd/trace`.
 *
 * It needs Deno with `--allow-ffi`, `--allow-read`, `--allow-write`, `--allow-env` and `--allow-run` (the sandbox), and the
 * libraries of Xen and ALSA. Whatever is not exported here may change in any version.
 *
 * @example A whole machine in one process: a Xen, a guest, its card, a daemon, and a second of sound
 * ```ts
 * import { applyConfig, openXen, parseConfig, runSession, startDaemon, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const config = parseConfig(
 *   "domains: {domU: {cards: [{pcms: [{streams: [{type: playback, device: 'dummy:'}]}]}]}}",
 *   "guests.yaml",
 * );
 * const path = await Deno.makeTempFile();
 * await Deno.writeFile(path, new Uint8Array(48000 * 4));
 * await withSandbox({ domains: ["domU"] }, async ({ directory, controlSocket }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   applyConfig(xen.store, config);
 *   await using _daemon = await startDaemon(xen, { controlSocket });
 *   const report = await runSession({
 *     kind: "play",
 *     sandbox: directory,
 *     stream: { name: "domU/0/0/0", domain: "domU", domid: 1, card: 0, pcm: 0, stream: 0 },
 *     file: { path, raw: { format: "s16_le", rate: 48000, channels: 2 } },
 *   });
 *   assert.equal(report.frames, 48000);
 * });
 * await Deno.remove(path);
 * ```
 *
 * @module
 */

// Xen, real or embedded.
export { openXen, type OpenXenOptions } from "./lib/xen/mod.ts";
export {
  type Access,
  EventChannelError,
  type EventChannels,
  type EventChannelsShare,
  GrantError,
  type GrantSharer,
  type GrantTable,
  type Mapping,
  type Permission,
  type SharedPages,
  type Store,
  StoreError,
  type StoreView,
  type StoreWatch,
  type Xen,
} from "./lib/xen/ports.ts";
export { Sandbox, type SandboxOptions, withSandbox } from "./lib/xen/embedded/sandbox.ts";

// Configurations.
export { ConfigError } from "./lib/vsnd/config/config_error.ts";
export { loadConfig, parseConfig } from "./lib/vsnd/config/yaml_file.ts";
export type {
  CardConfig,
  CardPolicy,
  Config,
  DomainConfig,
  FirstSettings,
  PcmConfig,
  StreamConfig,
  StreamParams,
  StreamPolicy,
} from "./lib/vsnd/model/card.ts";
export type { Direction } from "./lib/pcm/pcm.ts";
export type { DocumentPath, Finding, LocatedFinding } from "./lib/vsnd/model/finding.ts";
export { applyConfig, type ConfigChoice, planConfig } from "./lib/vsnd/provision/apply_config.ts";
export type { PlannedCard, WantedCard } from "./lib/vsnd/provision/plan.ts";
export type { Domain } from "./lib/xenbus/domains.ts";
export type { CardAddress } from "./lib/xenbus/paths.ts";

// The daemon, and its control socket.
export type { LogLine } from "./lib/log/log_tail.ts";
export { type DaemonHereOptions, startDaemon } from "./lib/demo/daemon_here.ts";
export { ControlClient } from "./lib/control/control_client.ts";
export {
  CONTROL_VERSION,
  type ControlRequest,
  type ControlResults,
  type DeclaredGuest,
  type DeclaredReport,
  type LogLines,
  type LogsRequest,
  type StatusReport,
  type StatusRequest,
  STREAM_GOALS,
  type StreamGoal,
  type StreamReport,
  type TraceChunk,
  type TraceRequest,
  type TriggerRequest,
  type VolumeRequest,
  type WaitRequest,
  type WatchRequest,
} from "./lib/control/protocol.ts";
export {
  type Hold,
  HOLDS,
  OPERATOR_TRIGGERS,
  type OperatorTrigger,
  STREAM_STATES,
  type StreamState,
} from "./lib/stream/stream_state.ts";
export type { TraceHead, TraceParameters } from "./lib/trace/trace_format.ts";

// The software guest.
export { runSession, runSessions } from "./lib/guest/run_session.ts";
export type {
  SessionFile,
  SessionListener,
  SessionOptions,
  SessionProgress,
  SessionReport,
  SessionStream,
} from "./lib/guest/session.ts";
export type { EventIdBehaviour } from "./lib/sndif/event_page.ts";

// Shared by all.
export { Exit, type ExitCode, XsndError } from "./lib/base/error.ts";
export type { Percentiles } from "./lib/base/percentiles.ts";
