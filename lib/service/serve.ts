// SPDX-License-Identifier: MIT
/** The daemon from its start to its end, as `xsnd serve` and a service manager see it. */
import { getLogger } from "@logtape/logtape";
import { releaseStartup } from "../../ffi/libc/startup_memory.ts";
import type { Backend } from "../daemon/backend.ts";
import { choosePolicy } from "../daemon/policy/choose_policy.ts";
import { Daemon } from "../daemon/daemon.ts";
import type { GuestLimits } from "../daemon/policy/guest_limits.ts";
import { controlSocketPath } from "../control/protocol.ts";
import { Exit } from "../base/error.ts";
import type { MetricsAddress } from "../metrics/address.ts";
import { onSignal, untilSignal } from "../base/signals.ts";
import { requireRegular } from "../base/text_file.ts";
import type { Config } from "../vsnd/model/card.ts";
import { openXen } from "../xen/mod.ts";
import { ServiceManager } from "./manager.ts";
import { reload } from "./reload.ts";
import { Service } from "./service.ts";

export interface ServeOptions {
  /** A configuration file, for cards that xl made. */
  readonly config?: string;
  /** For playback streams that nothing else names a device for. */
  readonly defaultDevice?: string;
  /** For capture streams that nothing else names a device for. */
  readonly defaultCaptureDevice?: string;
  readonly realtime?: boolean;
  /** Whose members may use the control socket. */
  readonly group?: string;
  readonly guestLimits?: GuestLimits;
  /** Where Prometheus finds metrics; nowhere by default. */
  readonly metrics?: MetricsAddress;
}

/**
 * Serves until SIGTERM or SIGINT; a second one has its ordinary effect, and forces the end. On SIGHUP the configuration is read
 * again. Throws {@link XsndError} if it cannot start, or go on.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config: file, realtime, group, metrics, guestLimits } = options;
  const defaults = { playback: options.defaultDevice, capture: options.defaultCaptureDevice };
  const log = getLogger(["xsnd", "serve"]);
  const config = file === undefined ? undefined : await readConfig(file);
  using manager = ServiceManager.fromEnvironment();
  using xen = await openXen({ reconnects: true });
  let readPolicy = choosePolicy(xen.store, config, defaults);
  await using daemon = await Daemon.start(xen, {
    controlSocket: controlSocketPath(),
    controlGroup: group,
    readPolicy: (...card) => readPolicy(...card),
    guestLimits,
    realtime,
  });
  // Before anything is said that a script may take for the end of the start.
  const ending = untilSignal("SIGTERM", "SIGINT");
  using _metrics = metrics && await serveMetrics(daemon.backend, metrics);
  using service = new Service(manager, daemon.backend);

  const readAgain = async () => {
    if (file === undefined) {
      return log.info("there is nothing to read again: it was started without --config");
    }
    await reload(file, {
      get policy() {
        return readPolicy;
      },
      set policy(policy) {
        readPolicy = policy;
      },
      read: async () => {
        // Opening a pipe would hold up all guests until somebody writes into it.
        requireRegular(file, "the configuration", Exit.badConfiguration);
        return choosePolicy(xen.store, await readConfig(file), defaults);
      },
      apply: () => daemon.backend.reload(),
    });
  };
  using hangUps = onSignal("SIGHUP", () => service.reload(readAgain));
  releaseStartup(Deno.execPath());
  const signal = await Promise.race([ending, daemon.failed, hangUps.failed]);
  log.info("{signal}: ending; once more to force it", { signal });
}

/** What writes the metrics is only for who wants them. */
async function serveMetrics(backend: Backend, address: MetricsAddress): Promise<Disposable> {
  const { MetricsServer } = await import("../metrics/metrics_server.ts");
  return await MetricsServer.listen(backend, address);
}

/** The schema and the YAML parser are a tenth of the daemon's memory: only for who needs them. */
async function readConfig(file: string): Promise<Config> {
  const { loadConfig } = await import("../vsnd/config/yaml_file.ts");
  return loadConfig(file);
}
