// SPDX-License-Identifier: MIT
/** Operators at dom0's shell: starts their commands, each a process of its own, cuts them short as planned, and keeps the records. */
import { XsndError } from "../../../lib/base/error.ts";
import type { Clock } from "../machine/clock.ts";
import { isOfDeath, type Process } from "../machine/process.ts";
import type { Random } from "../machine/random.ts";
import { TEMPORARY, WORLD } from "../machine/virtual_files.ts";
import { runOddClient } from "./odd_clients.ts";
import { anyPlan, commandPlan, type Cut, describePlan, type Plan, type Target, type Verb } from "./plan.ts";
import { type Asked, type CommandEnd, type CommandRecord, type Observation, Recorder } from "./record.ts";
import { runCommand } from "./verbs.ts";

/** The daemon's control socket: `$XSND_CONTROL` of all processes of the world. */
export const CONTROL_SOCKET = `${WORLD}/run/xsnd/control.sock`;

/** What operators need of the world. */
export interface OperatorWorld {
  readonly clock: Clock;
  /** A new process of dom0. */
  startProcess(name: string): Process;
  log(text: string): void;
}

class RunningCommand implements CommandRecord {
  end: CommandEnd | undefined;
  constructor(
    readonly name: string,
    readonly plan: Plan,
    readonly startedAt: number,
    readonly asked: readonly Asked[],
    readonly process: Process,
  ) {}
}

export class Operators {
  readonly #commands: RunningCommand[] = [];
  readonly #asked: Asked[] = [];
  #last = 0;

  /** @param observe called with each report of all streams that a command gets */
  constructor(
    private readonly world: OperatorWorld,
    private readonly observe: (observation: Observation) => void = () => {},
  ) {}

  /** All commands so far, in the order of their starts. */
  get commands(): readonly CommandRecord[] {
    return this.#commands;
  }

  /** The commands that have not ended. */
  get running(): readonly (CommandRecord & { readonly process: Process })[] {
    return this.#commands.filter(({ end }) => end === undefined);
  }

  /** Every request so far, in the order of their sending. */
  get asked(): readonly Asked[] {
    return this.#asked;
  }

  /** Starts a command of `verb`, or of any kind, with arguments of chance. `targets`: the streams that operators know. */
  operate(verb: Verb | "any", targets: readonly Target[], random: Random): CommandRecord {
    return this.start(verb === "any" ? anyPlan(targets, random) : commandPlan(verb, targets, random));
  }

  /** Starts `count` commands of any kind at once. */
  crowd(count: number, targets: readonly Target[], random: Random): void {
    for (let i = 0; i < count; i++) this.operate("any", targets, random);
  }

  /** Starts the command that `plan` describes. */
  start(plan: Plan): CommandRecord {
    const { clock } = this.world;
    const name = `operator-${++this.#last}`;
    const process = this.world.startProcess(name);
    const recorder = new Recorder(process, {
      asks: (asked) => this.#asked.push(asked),
      sees: this.observe,
    });
    const command = new RunningCommand(name, plan, clock.now, recorder.asked, process);
    this.#commands.push(command);
    this.world.log(`${name}: ${describePlan(plan)}`);
    const forget = process.atEnd(() =>
      this.#ended(command, recorder, { at: clock.now, exitCode: undefined })
    );
    const exit = (exitCode: number, error?: string) => {
      forget();
      recorder.cut("hang up");
      this.#ended(command, recorder, { at: clock.now, exitCode, ...(error !== undefined && { error }) });
      process.kill();
    };
    process.main.post(process.latency(), () => {
      const traceFile = `${TEMPORARY}/${name}.trace`;
      const work = "odd" in plan
        ? runOddClient({ process, plan, recorder })
        : runCommand({ process, plan, recorder, traceFile });
      work.then(() => exit(0), (error) => {
        // The process is about to end.
        if (process.isDead || isOfDeath(error)) return;
        if (error instanceof XsndError) return exit(error.exitCode, error.message);
        process.failed(error);
        exit(1, String(error));
      });
    });
    if (!("odd" in plan) && plan.cut !== undefined) this.#cut(process, plan.cut);
    return command;
  }

  /** Ends the process from outside, if the plan says so. */
  #cut(process: Process, { kind, afterMs, calls }: Cut): void {
    if (kind === "die") return process.killAfter(calls);
    if (kind !== "interrupt" && kind !== "kill") return;
    this.world.clock.after(afterMs * 1000, () => {
      // A command that does not handle the signal ends by it.
      const isHandled = kind === "interrupt" && (process.signals.get("SIGINT")?.size ?? 0) > 0;
      if (isHandled) process.signal("SIGINT");
      else process.kill();
    });
  }

  #ended(command: RunningCommand, recorder: Recorder, end: CommandEnd): void {
    if (command.end !== undefined) return;
    recorder.cut("kill");
    command.end = end;
    const how = end.exitCode === undefined ? "killed" : `exit ${end.exitCode}`;
    this.world.log(`${command.name}: ${how}${end.error === undefined ? "" : `: ${end.error}`}`);
  }

  /** Kills every command that runs. */
  killAll(): void {
    for (const { process } of this.running) process.kill();
  }
}
