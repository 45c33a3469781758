/** `xsnd serve`: the backend daemon. */
import { Command } from "commander";
import { silenceAlsa } from "../ffi/libasound.ts";
import { startLogging } from "../lib/log.ts";
import { Daemon } from "../lib/backend/daemon.ts";
import { choosePolicy } from "../lib/backend/choose_policy.ts";
import { controlSocketPath } from "../lib/control/protocol.ts";
import { ServiceManager } from "../lib/service/manager.ts";
import { Service } from "../lib/service/service.ts";
import type { Config } from "../lib/vsnd/card.ts";
import { untilSignal } from "../lib/signals.ts";
import { openXen } from "../lib/xen/mod.ts";

interface ServeOptions {
  readonly config?: string;
  readonly defaultDevice?: string;
  readonly realtime?: boolean;
}

export function serveCommand(): Command {
  return new Command("serve")
    .summary("the backend daemon")
    .description(
      "Serve the virtual sound cards of all guests for which this domain is the backend, until SIGTERM or SIGINT. " +
        "Cards made by `xsnd provision` carry their devices with them; those made by xl get theirs from --config " +
        "(matched by domain and unique-id) or --default-device.",
    )
    .option("--config <file>", "YAML, as for provision: devices for cards that xl made")
    .option(
      "--default-device <pcm>",
      "an ALSA PCM, or dummy:[FILE], for streams that nothing else names a device for",
    )
    .option("--realtime", "give the engine real-time scheduling (SCHED_FIFO), if that is permitted")
    .action(async (options: ServeOptions) => {
      const config = options.config === undefined ? undefined : await readConfig(options.config);
      await startLogging();
      silenceAlsa();
      using manager = ServiceManager.fromEnvironment();
      using xen = await openXen();
      await using daemon = await Daemon.start(xen, {
        controlSocket: controlSocketPath(),
        readPolicy: choosePolicy(xen.store, config, options.defaultDevice),
        realtime: options.realtime,
      });
      using _service = new Service(manager, daemon.backend);
      await Promise.race([untilSignal("SIGTERM", "SIGINT"), daemon.failed]);
    });
}

/** The schema and the YAML parser are a tenth of the daemon's memory: only for who needs them. */
async function readConfig(file: string): Promise<Config> {
  const { loadConfig } = await import("../lib/vsnd/config.ts");
  return loadConfig(file);
}
