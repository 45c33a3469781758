// SPDX-License-Identifier: MIT
/** Options of the commands that run the software frontend: `play`, `record`, `trace replay` and `demo`. */
import { type Command, Option } from "commander";
import { XsndError } from "../../lib/base/error.ts";
import { count } from "../../lib/base/text.ts";
import type { SessionFile, SessionReport, SessionStream } from "../../lib/guest/session.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import { type EventIdBehaviour, FORMATS } from "../../lib/sndif/mod.ts";
import type { Manual } from "./manual.ts";
import { positiveCount } from "./options.ts";
import { withStore } from "./store.ts";

/** Options of {@link addFrontendOptions}. */
export interface FrontendOptions {
  readonly behaviour: EventIdBehaviour;
  readonly bufferFrames?: number;
  readonly periodFrames?: number;
  readonly json?: boolean;
}

/** Options of {@link addSessionOptions}. */
export interface SessionCommandOptions extends FrontendOptions {
  readonly failOnXrun?: boolean;
  readonly raw?: boolean;
  readonly format: string;
  readonly rate: number;
  readonly channels: number;
}

/** Formats whose samples have a fixed size in octets, so that a file's samples can be counted. */
const FORMAT_NAMES = FORMATS.filter(({ octets }) => octets !== undefined).map(({ name }) => name);

/** Exit codes of `play` and `record`. */
export const SESSION_EXITS: Manual["exits"] = {
  failed: "the stream or file does not exist, the backend refused a request, or --fail-on-xrun saw an xrun",
  permission: "this user may not use XenStore or Xen's devices",
  xenOrLibraryMissing: "Xen or a library is missing",
  timedOut: "the backend did not answer in time",
  interrupted: "interrupted by SIGINT or SIGTERM; `record` keeps what it has recorded",
};

/** `--behaviour`: the kernel whose snd_xen_front the software frontend imitates. */
export function behaviourOption(): Option {
  return new Option("--behaviour <kernel>", "treat event ids as snd_xen_front of this kernel does")
    .choices(["linux-6.1", "linux-7.2"]).default("linux-6.1");
}

/** Adds the options of {@link FrontendOptions}. */
export function addFrontendOptions(command: Command): Command {
  return command
    .addOption(behaviourOption())
    .option("--buffer-frames <n>", "buffer size to request (default: half a second)", positiveCount)
    .option("--period-frames <n>", "period size to request (default: a quarter of the buffer)", positiveCount)
    .option("--json", "print the measurements as a JSON object");
}

/** Adds the options of {@link SessionCommandOptions}. */
export function addSessionOptions(command: Command): Command {
  return addFrontendOptions(
    command
      .option("--raw", "FILE has samples without a header, described by --format, --rate and --channels")
      .addOption(
        new Option("--format <name>", "sample format, by its name in sndif.h").choices(FORMAT_NAMES)
          .default("s16_le"),
      )
      .option("--rate <hz>", "sample rate", positiveCount, 48000)
      .option("--channels <n>", "number of channels", positiveCount, 2)
      .option("--fail-on-xrun", "fail if the sound had an xrun, for tests"),
  );
}

/** Throws {@link XsndError} (exit 1) if the options want no xrun, and the session had one. */
export function requireNoXrun(
  { xruns }: Pick<SessionReport, "xruns">,
  { failOnXrun }: SessionCommandOptions,
): void {
  if (failOnXrun !== true || xruns === 0) return;
  throw new XsndError(`the sound had ${count(xruns, "xrun")}; the daemon's log says whose doing each was`);
}

/** The file at `path`, as the options describe its content. */
export function sessionFile(
  path: string,
  { raw, format, rate, channels }: SessionCommandOptions,
): SessionFile {
  return raw === true ? { path, raw: { format, rate, channels } } : { path };
}

/** The stream that `wanted` names in XenStore, among those in `direction`. */
export async function findStream(wanted: string, direction: Direction): Promise<SessionStream> {
  const { findStream } = await import("../../lib/guest/find_stream.ts");
  return await withStore((store) => findStream(store, wanted, direction));
}
