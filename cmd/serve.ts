// SPDX-License-Identifier: MIT
/** `xsnd serve`: the backend daemon. */
import { Command, InvalidArgumentError } from "commander";
import { silenceAlsa } from "../ffi/alsa/alsa_error.ts";
import { type GuestLimits, parseGuestLimits } from "../lib/daemon/policy/guest_limits.ts";
import { startLogging } from "../lib/log/mod.ts";
import { type MetricsAddress, parseMetricsAddress } from "../lib/metrics/address.ts";
import { serve, type ServeOptions } from "../lib/service/serve.ts";
import { addLogOptions, type LogChoice, logOptions } from "./shared/log_options.ts";
import { withManual } from "./shared/manual.ts";

export function serveCommand(): Command {
  const command = new Command("serve")
    .description(
      "Serve the virtual sound cards of all guests for which this domain is the backend, until SIGTERM or SIGINT. " +
        "Cards made by `xsnd provision` carry their devices with them; those made by xl get theirs from --config " +
        "--default-device or --default-capture-device. In the file a stream is found by domain, unique-id and type, and by " +
        "its place where ids are shared or missing.",
    )
    .option("--config <file>", "YAML, as for provision: devices for cards that xl made")
    .option(
      "--default-device <pcm>",
      "an ALSA PCM, or dummy:[FILE], for playback streams that nothing else names a device for",
    )
    .option(
      "--default-capture-device <pcm>",
      "the same for capture streams, which record silence otherwise",
    )
    .option("--realtime", "give the engine real-time scheduling (SCHED_FIFO), if that is permitted")
    .option("--group <name>", "let this group's members use the control socket, as status and volume do")
    .option(
      "--guest-limits <limits>",
      "what each guest may have: streams=64, engines=8 for streams on PCMs that may wait (total-engines=32 for all guests), " +
        "mapped=64 MiB that are held for it (total-mapped=256), requests=10000 a second, moved=128 MB of sound a second, " +
        "log-lines=20 a minute and stream, ten times that for all its streams; those that are named, with commas",
      guestLimits,
    )
    .option(
      "--metrics <address>",
      "serve metrics for Prometheus at unix:PATH or HOST:PORT, a loopback address; off unless given",
      metricsAddress,
    )
    .action(async (options: ServeOptions & LogChoice) => {
      const linesAMinute = options.guestLimits?.logLines;
      using _log = await startLogging({ ...logOptions(options), linesAMinute });
      silenceAlsa();
      await serve(options);
    });
  return withManual(addLogOptions(command), {
    examples: [
      ["xsnd serve", "serve all cards that `xsnd provision` has made"],
      ["xsnd serve --default-device hw:0,0", "and what xl's cards play, on one device"],
      ["xsnd serve --config /etc/xsnd/xsnd.yaml --group audio", "which SIGHUP reads again"],
      ["xsnd serve --log-format json 2>>/var/log/xsnd.json", "for programs that read logs"],
    ],
    exits: {
      done: "ended by SIGTERM or SIGINT; by force, with a second one, 143 or 130",
      failed: "a daemon is already running, or an engine was lost",
      permission: "Xen's devices or the control socket's directory are not this user's",
      xenOrLibraryMissing: "no Xen here, not yet, or a library is missing",
      badConfiguration: "the file given by --config is not right",
    },
  });
}

function guestLimits(text: string): GuestLimits {
  try {
    return parseGuestLimits(text);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function metricsAddress(text: string): MetricsAddress {
  try {
    return parseMetricsAddress(text);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
