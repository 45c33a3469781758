// SPDX-License-Identifier: MIT
/** The choice of programs that a guest may run on a stream. */
import { Random } from "../machine/random.ts";
import type { LinuxKernel } from "./linux_kernel.ts";
import { Overreacher, Querier, Reopener } from "./odd_programs.ts";
import { choosePlan, Player, Recorder } from "./player.ts";
import { chooseConfig, type Program } from "./program.ts";
import { chooseServerPlan, SoundServer } from "./sound_server.ts";
import type { XenStream } from "./stream_ops.ts";

export { Mixer, Overreacher, Querier, Reopener } from "./odd_programs.ts";
export { choosePlan, Player, Recorder, type TransferPlan } from "./player.ts";
export { chooseConfig, Program, type StreamPlace } from "./program.ts";
export { chooseServerPlan, type ServerAction, type ServerPlan, SoundServer } from "./sound_server.ts";

/** A program for `stream`, by what `random` says. It is yet to be started. Undefined if the stream has no usual format or rate. */
export function chooseProgram(
  kernel: LinuxKernel,
  nodename: string,
  stream: Pick<XenStream, "place" | "direction" | "params">,
  random: Random,
  isPlain = false,
): Program | undefined {
  const { place, direction, params } = stream;
  const at = { nodename, place };
  const config = chooseConfig(random, params, isPlain);
  if (config === undefined) return undefined;
  const name = (kind: string) => `${kind} ${nodename} ${place}`;
  const kind = random.below(8);
  if (kind === 0) {
    return new Querier(kernel, name("querier"), at, new Random(random.word()), random.between(1, 12));
  }
  if (kind === 1 && !isPlain && random.oneIn(3)) {
    return new Overreacher(kernel, name("overreacher"), at, config, new Random(random.word()));
  }
  if (kind === 1) {
    const configs = [config];
    while (configs.length < 4) configs.push(chooseConfig(random, params, isPlain)!);
    return new Reopener(kernel, name("reopener"), at, configs);
  }
  if (direction === "capture") return new Recorder(kernel, name("recorder"), at, choosePlan(random, config));
  if (kind < 5 || isPlain) return new Player(kernel, name("player"), at, choosePlan(random, config));
  return new SoundServer(kernel, name("server"), at, chooseServerPlan(random, config));
}
