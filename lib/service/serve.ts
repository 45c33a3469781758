// SPDX-License-Identifier: MIT
/** Runs the daemon as `xsnd serve` does: start, reload at SIGHUP, end. */
import { getLogger } from "@logtape/logtape";
import { dirname } from "node:path";
import { releaseStartup } from "../../ffi/libc/startup_memory.ts";
import type { Backend } from "../daemon/backend.ts";
import { KeptFiles } from "../daemon/kept_files.ts";
import { choosePolicy } from "../daemon/policy/choose_policy.ts";
import { Daemon } from "../daemon/daemon.ts";
import type { XrunTraces } from "../daemon/xrun_traces.ts";
import type { DeclaredCards } from "../daemon/declared_cards.ts";
import type { GuestLimits } from "../daemon/policy/guest_limits.ts";
import { controlSocketPath } from "../control/protocol.ts";
import { Exit } from "../base/error.ts";
import type { LogTail } from "../log/log_tail.ts";
import type { MetricsAddress } from "../metrics/address.ts";
import { onSignal, untilSignal } from "../base/signals.ts";
import { requireRegular } from "../base/text_file.ts";
import type { Config } from "../vsnd/model/card.ts";
import { openXen } from "../xen/mod.ts";
import type { Xen } from "../xen/ports.ts";
import { ServiceManager } from "./manager.ts";
import { reload } from "./reload.ts";
import { served, Service } from "./service.ts";
import { endOther, isServedAt, untilNobodyServes } from "./succession.ts";
import { startWatchdog } from "./watchdog.ts";

export interface ServeOptions {
  /** Configuration file: the cards that guests get, and the devices of cards that xl made. */
  readonly config?: string;
  /** Whether the daemon makes the cards of {@link config}. */
  readonly provision?: boolean;
  /** Device of playback streams without another device. */
  readonly defaultDevice?: string;
  /** Device of capture streams without another device. */
  readonly defaultCaptureDevice?: string;
  readonly realtime?: boolean;
  /** Where another daemon serves: waits, ready to serve, until it has ended. */
  readonly standby?: boolean;
  /** Where another daemon serves: takes its place. */
  readonly replace?: boolean;
  /** Group whose members may use the control socket. */
  readonly group?: string;
  readonly guestLimits?: GuestLimits;
  /** Address of the metrics; no metrics without an address. */
  readonly metrics?: MetricsAddress;
  /** Directory for a trace of each xrun. */
  readonly traceOnXrun?: string;
  /** The last lines of this process's log. */
  readonly log?: LogTail;
}

/**
 * Serves until SIGTERM or SIGINT. A second signal has its default effect, and so forces the end. SIGHUP reloads the configuration.
 * Throws {@link XsndError} if the daemon cannot start or continue.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config: file, realtime, group, metrics, guestLimits } = options;
  const defaults = { playback: options.defaultDevice, capture: options.defaultCaptureDevice };
  const log = getLogger(["xsnd", "serve"]);
  const controlSocket = controlSocketPath();
  // From the first moment on: a SIGHUP during the start, or while another daemon serves, ends nothing, and is not lost.
  let isReloadDue = false;
  let reloads = (): Promise<void> => Promise.resolve(void (isReloadDue = true));
  using hangUps = onSignal("SIGHUP", () => reloads());
  const config = file === undefined ? undefined : await readConfig(file);
  using xrunTraces = options.traceOnXrun === undefined
    ? undefined
    : await openXrunTraces(options.traceOnXrun);
  using manager = ServiceManager.fromEnvironment();
  using xen = await openXen({ reconnects: true });
  const policyOf = (config?: Config) => ({ config, read: choosePolicy(xen.store, config, defaults) });
  let policy = policyOf(config);
  using declared = options.provision && file !== undefined
    ? await declaredCards(xen, file, () => policy.config!)
    : undefined;
  /** Waits until the other daemon has gone. The file may have changed meanwhile. */
  const succeed = async () => {
    if (!await isServedAt(controlSocket)) return;
    if (options.replace) await endOther(controlSocket);
    else log.info("standing by: another daemon serves, and this one does when that one ends");
    await standBy(controlSocket, manager);
    isReloadDue = false;
    if (file === undefined) return;
    await readConfig(file).then(
      (config) => policy = policyOf(config),
      (error) =>
        log.error("{file} is refused; the configuration of this daemon's start is in force: {reason}", {
          file,
          reason: error.message,
        }),
    );
  };
  await using daemon = await Daemon.start(xen, {
    controlSocket,
    controlGroup: group,
    readPolicy: (...card) => policy.read(...card),
    guestLimits,
    realtime,
    kept: new KeptFiles(`${dirname(controlSocket)}/streams`),
    ...((options.standby || options.replace) && { untilAlone: succeed }),
    ...(declared !== undefined && { declared }),
    ...(xrunTraces !== undefined && { xrunTraces }),
    log: options.log,
  });
  // The handlers are set before the first message that a script may take for the end of the start.
  const ending = untilSignal("SIGTERM", "SIGINT");
  using _metrics = metrics && await serveMetrics(daemon.backend, metrics);
  using service = new Service(manager, daemon.backend);

  const readAgain = async () => {
    if (file === undefined) {
      return log.info("nothing to reload: xsnd serve was started without --config");
    }
    await reload(file, {
      get policy() {
        return policy;
      },
      set policy(chosen) {
        policy = chosen;
      },
      read: async () => {
        // Opening a pipe would block all guests until somebody writes to the pipe.
        requireRegular(file, "the configuration", Exit.badConfiguration);
        return policyOf(await readConfig(file));
      },
      apply: async () => {
        declared?.reload();
        return await daemon.backend.reload();
      },
    });
  };
  log.info("serving {what}", { what: served(daemon.backend) ?? waitingFor(declared && file) });
  reloads = () => service.reload(readAgain);
  if (isReloadDue) await reloads();
  releaseStartup(Deno.execPath());
  const signal = await Promise.race([ending, daemon.failed, hangUps.failed]);
  log.info("{signal}: ending; a second signal forces the end", { signal });
}

/** For people: whose cards come next, where no guest has one. */
function waitingFor(file: string | undefined): string {
  if (file === undefined) return "no guest yet: `xsnd provision DOMAIN` gives one a card";
  return `no guest yet: those of ${file} get their cards as soon as they are there`;
}

/** Waits, with everything ready, until no daemon listens at `controlSocket`. */
async function standBy(controlSocket: string, manager: ServiceManager): Promise<void> {
  manager.ready("standing by");
  using _watchdog = startWatchdog(manager, () => Promise.resolve());
  await untilNobodyServes(controlSocket);
}

/** The modules that make cards are loaded only on demand. */
async function declaredCards(xen: Xen, file: string, config: () => Config): Promise<DeclaredCards> {
  const { DeclaredCards } = await import("../daemon/declared_cards.ts");
  return new DeclaredCards(xen.store, xen.domid, file, config);
}

/** The modules that write traces are loaded only on demand. */
async function openXrunTraces(directory: string): Promise<XrunTraces> {
  const { XrunTraces } = await import("../daemon/xrun_traces.ts");
  return XrunTraces.open(directory);
}

/** The metrics modules are loaded only on demand. */
async function serveMetrics(backend: Backend, address: MetricsAddress): Promise<Disposable> {
  const { MetricsServer } = await import("../metrics/metrics_server.ts");
  return await MetricsServer.listen(backend, address);
}

/** The schema and the YAML parser, a tenth of the daemon's memory, are loaded only on demand. */
async function readConfig(file: string): Promise<Config> {
  const { loadConfig } = await import("../vsnd/config/yaml_file.ts");
  return loadConfig(file);
}
