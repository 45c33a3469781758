// SPDX-License-Identifier: MIT
/** `xsnd serve`: the backend daemon. */
import { Command, InvalidArgumentError, Option } from "commander";
import { silenceAlsa } from "../ffi/alsa/alsa_error.ts";
import { type GuestLimits, parseGuestLimits } from "../lib/daemon/policy/guest_limits.ts";
import { LOG_FORMATS, type LogFormat, startLogging } from "../lib/log/mod.ts";
import { type MetricsAddress, parseMetricsAddress } from "../lib/metrics/address.ts";
import { serve, type ServeOptions } from "../lib/service/serve.ts";
import { CONTROL_VARIABLES, withManual, XEN_VARIABLES } from "./shared/manual.ts";

interface Options extends ServeOptions {
  readonly logFormat: LogFormat;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

export function serveCommand(): Command {
  const command = new Command("serve")
    .description(
      "Serve the virtual sound cards whose backend is this domain, until SIGTERM or SIGINT. The guests of --config get their " +
        "cards as soon as they are there, and again after each reboot. `xsnd provision` stores the device of each stream in " +
        "XenStore. The streams of cards that xl made get their devices from --config, --default-device or " +
        "--default-capture-device. The file's streams are matched by domain, unique-id and type, or by place " +
        "(CARD/PCM/STREAM) where a unique-id is missing or shared.",
    )
    .option(
      "--config <file>",
      "YAML file, as for provision, with guests and their cards; SIGHUP reads it again",
    )
    .option(
      "--no-provision",
      "make no cards: the file of --config has the devices of cards that xl makes",
    )
    .option(
      "--default-device <pcm>",
      "ALSA PCM, or dummy:[FILE], of playback streams that have no other device",
    )
    .option(
      "--default-capture-device <pcm>",
      "the same for capture streams, which otherwise record silence",
    )
    .addOption(
      new Option(
        "--standby",
        "where another daemon serves: wait, ready to serve, until it has ended, however it ends; then serve",
      ).conflicts("replace"),
    )
    .option(
      "--replace",
      "where another daemon serves: end it and serve in its place, as soon as this one is ready",
    )
    .option("--realtime", "schedule the engine in real time (SCHED_FIFO), if permitted")
    .option("--group <name>", "let the members of this group use the control socket")
    .option(
      "--guest-limits <limits>",
      "limits of each guest, separated by commas; defaults: streams=64; engines=8 for streams on PCMs that may block " +
        "(total-engines=32 for all guests); mapped=64 MiB of mapped memory (total-mapped=256); requests=10000 a second; " +
        "moved=128 MB of sound a second; log-lines=20 a minute and stream, ten times as many for the guest",
      guestLimits,
    )
    .option(
      "--metrics <address>",
      "serve Prometheus metrics at unix:PATH or HOST:PORT, HOST being a loopback address",
      metricsAddress,
    )
    .option(
      "--trace-on-xrun <dir>",
      "write a trace of the last 30 s to a file in this directory when a stream has an xrun; 50 files stay",
    )
    .addOption(
      new Option("--log-format <format>", "text lines, or a JSON object a line").choices([...LOG_FORMATS])
        .default("text"),
    )
    .option("-v, --verbose", "log debug messages too")
    .addOption(new Option("-q, --quiet", "log warnings and errors only").conflicts("verbose"))
    .action(async (options: Options) => {
      const { logFormat: format, verbose, quiet, guestLimits } = options;
      const level = verbose ? "debug" : quiet ? "warning" : "info";
      using log = await startLogging({ format, level, linesAMinute: guestLimits?.logLines });
      silenceAlsa();
      await serve({ ...options, log: log.tail });
    });
  return withManual(command, {
    examples: [
      ["xsnd serve", "serve the cards that `xsnd provision` made"],
      ["xsnd serve --default-device hw:0,0", "also play the streams of xl's cards, on one device"],
      [
        "xsnd serve --config /etc/xsnd/xsnd.yaml --group audio",
        "give guests their cards by a file, and let the group audio control the daemon",
      ],
      ["xsnd serve --replace", "upgrade a daemon that was started by hand, under guests that play"],
      ["xsnd serve --trace-on-xrun /run/xsnd/traces", "keep what shows why a guest stuttered"],
      ["xsnd serve --log-format json 2>>/var/log/xsnd.json", "log for programs"],
    ],
    exits: {
      done: "ended by SIGTERM or SIGINT; a second signal forces the end, with 143 or 130",
      failed: "a daemon is already running, or an engine has failed",
      permission: "this user may not use Xen's devices, or the directory of the control socket",
      xenOrLibraryMissing: "Xen is not running (yet), or a library is missing",
      badConfiguration: "the file of --config is invalid",
    },
    details: [
      "Domain 0 runs this command, or a driver domain that is named as the backend of cards. The command does not fork. The " +
      "service xsnd.service runs it, and xsnd-standby.service a second one that stands by, both with the options in XSND_SERVE " +
      "of /etc/default/xsnd.",
      "A daemon that starts goes on with what guests have open since a former daemon. With --standby or --replace it has " +
      "started before the other one ends, so that guests hear a gap of milliseconds.",
      "The daemon makes the cards of --config by the rules of `xsnd provision`. A card in use changes only as the protocol " +
      "allows; the log says what is refused, and why. The daemon takes no card away. A guest with a card that xl made gets no " +
      "other. A driver domain may not make cards.",
      "SIGHUP makes the daemon read the file of --config again, and with it the policy of each card. If the file is invalid, " +
      "the daemon logs the reason and keeps the former policy. A guest whose stream loses its permission hears silence at once.",
      "The daemon may write in the directory of its control socket, and below the directories of --trace-on-xrun and XSND_FILES.",
      "With a service manager, the daemon sends READY, STATUS, RELOADING, STOPPING and WATCHDOG as sd_notify(3) describes.",
    ],
    environment: [...new Set([...XEN_VARIABLES, ...CONTROL_VARIABLES]), "XSND_FILES", "XSND_LIBASOUND"],
    files: ["/run/xsnd/control.sock", "/etc/default/xsnd"],
    seeAlso: ["xsnd-provision(1)", "xsnd-status(1)", "xsnd-doctor(1)", "xl.cfg(5)", "systemctl(1)"],
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
