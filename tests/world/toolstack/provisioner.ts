// SPDX-License-Identifier: MIT
/**
 * `xsnd provision` and `xsnd deprovision` by their real code, composed as in cmd/, each command in a process of its own. A command may
 * be killed at each of its system calls.
 */
import { Exit, throwAll, XsndError } from "../../../lib/base/error.ts";
import { withStore } from "../../../cmd/shared/store.ts";
import { checkDevices } from "../../../lib/probe/check_devices.ts";
import type { CardConfig, Config } from "../../../lib/vsnd/model/card.ts";
import { awaitCards, type CardGoal } from "../../../lib/vsnd/provision/await_cards.ts";
import { cardsOfFile, defaultCardFor } from "../../../lib/vsnd/provision/cards_to_provision.ts";
import { changedStreams } from "../../../lib/vsnd/provision/changed_streams.ts";
import { deprovisionCards } from "../../../lib/vsnd/provision/deprovision_cards.ts";
import {
  type Choice,
  type PlannedCard,
  provision,
  type WantedCard,
} from "../../../lib/vsnd/provision/plan.ts";
import { provisionReplacing } from "../../../lib/vsnd/provision/replace.ts";
import { loadConfig } from "../../../lib/vsnd/config/yaml_file.ts";
import { cardRecords } from "../../../lib/vsnd/nodes/inventory.ts";
import { cardPaths, resolveDomain } from "../../../lib/xenbus/mod.ts";
import { type Store, StoreError } from "../../../lib/xen/ports.ts";
import "../../../lib/xen/native/xen.ts"; // A module that is loaded later would load in real time.
import type { Process } from "../machine/process.ts";
import type { Account, Command } from "./account.ts";
import { ABSENT, type CardTarget } from "./card_target.ts";
import { exitText, type ProcessExit, runMain } from "./run_process.ts";

export interface ProvisionerServices {
  /** Makes the process of a command. */
  readonly newProcess: (name: string) => Process;
  readonly log: (line: string) => void;
  /** Opens XenStore for a command; by default the command's own way, over libxenstore. */
  readonly withStore?: <T>(body: (store: Store, domid: number) => T | Promise<T>) => Promise<T>;
  /** Reads a configuration; by default the file of that name. */
  readonly load?: (file: string) => Config;
}

export interface ProvisionRequest {
  /** Name or number; with `file`: only this guest. */
  readonly domain?: string;
  readonly file?: string;
  /** The device of the default card, without `file`. */
  readonly device?: string;
  /** `--replace`. */
  readonly isReplacing?: boolean;
  /** `--strict`. */
  readonly isStrict?: boolean;
  /** `--wait`. */
  readonly wait?: CardGoal;
  /** `--timeout`, s. */
  readonly timeout?: number;
  /** Whether the command opens the devices of changed streams, as the real one does. */
  readonly examines?: boolean;
}

export interface DeprovisionRequest {
  readonly domain: string;
  readonly card?: number;
  /** `--timeout`, s. */
  readonly timeout?: number;
  readonly force?: boolean;
}

/** A command that runs. */
export interface RunningCommand {
  readonly name: string;
  readonly process: Process;
  /** Undefined while the command runs. */
  exit: ProcessExit | undefined;
}

const isDone = (exit: ProcessExit) => exit.kind === "exited" && exit.code === Exit.done;

/** Whether a transaction may have been committed before the end: the last answer of XenStore may be lost, and --wait comes later. */
function mayHaveCommitted(exit: ProcessExit): boolean {
  if (exit.kind === "killed" || exit.code === Exit.timedOut) return true;
  return exit.error instanceof Error && exit.error.cause instanceof StoreError;
}

/** The default of --timeout, s. */
const TIMEOUT = 10;

export class Provisioner {
  readonly #withStore;
  readonly #load;

  constructor(private readonly services: ProvisionerServices, private readonly account: Account) {
    this.#withStore = services.withStore ?? withStore;
    this.#load = services.load ?? loadConfig;
  }

  provision(request: ProvisionRequest, ended: (exit: ProcessExit) => void = () => {}): RunningCommand {
    const words = Object.entries(request).map(([name, value]) => `${name}=${value}`);
    const command = this.account.command();
    const { isReplacing = false } = request;
    return this.#run(`xsnd provision ${words.join(" ")}`, () => this.#provision(request, command), (exit) => {
      if (isDone(exit)) command.done();
      else if (isReplacing || mayHaveCommitted(exit)) command.unknown(!isReplacing);
      else command.refused();
      ended(exit);
    });
  }

  deprovision(request: DeprovisionRequest, ended: (exit: ProcessExit) => void = () => {}): RunningCommand {
    const words = Object.entries(request).map(([name, value]) => `${name}=${value}`);
    const command = this.account.command();
    return this.#run(
      `xsnd deprovision ${words.join(" ")}`,
      () => this.#deprovision(request, command),
      (exit) => {
        if (exit.kind === "exited" && exit.code === Exit.done) command.done();
        else command.unknown(false);
        ended(exit);
      },
    );
  }

  #run(name: string, main: () => Promise<void>, ended: (exit: ProcessExit) => void): RunningCommand {
    const { log, newProcess } = this.services;
    const command: RunningCommand = { name, process: newProcess(name), exit: undefined };
    log(name);
    runMain(command.process, main, (exit) => {
      command.exit = exit;
      log(`${name}: ${exitText(exit)}`);
      ended(exit);
    });
    return command;
  }

  async #provision(request: ProvisionRequest, command: Command): Promise<void> {
    const choose = this.#choice(request);
    const { isReplacing = false, isStrict = false, wait, timeout = TIMEOUT, examines = false } = request;
    const targets = new Map<CardConfig, CardTarget>();
    // What the command may commit becomes known in its transaction, where it looks up the domains.
    const noted: Choice = (view) => {
      const wanted = choose(view);
      command.again(isReplacing);
      for (const { address, card } of wanted) {
        const target = targets.get(card) ?? { maker: "xsnd", card };
        targets.set(card, target);
        if (isReplacing) command.mayClose(address);
        command.mayWrite(address, ...(isReplacing ? [ABSENT, target] : [target]));
      }
      return wanted;
    };
    await this.#withStore(async (store, domid) => {
      if (examines) {
        const served = choose(store).filter(({ address }) => address.backendDomid === domid);
        await this.#examine(store, served, isStrict);
      }
      const cards = await this.#write(store, noted, isReplacing, timeout * 1000);
      // Whatever is waited for now, the cards are written.
      command.done();
      if (wait === undefined) return;
      const awaited = cards.map((card) => ({ ...card, paths: cardPaths(card.address) }));
      await awaitCards(store, awaited, wait, timeout * 1000);
    });
  }

  async #write(
    store: Store,
    choose: Choice,
    isReplacing: boolean,
    timeoutMs: number,
  ): Promise<readonly PlannedCard[]> {
    if (!isReplacing) return provision(store, choose);
    const { cards, failures } = await provisionReplacing(store, choose, timeoutMs);
    throwAll(failures);
    return cards;
  }

  #choice({ domain, file, device = "default" }: ProvisionRequest): Choice {
    if (file !== undefined) {
      const config = this.#load(file);
      return (view) => cardsOfFile(view, config, file, domain);
    }
    if (domain === undefined) throw new XsndError("provision what?", Exit.usage);
    return (view) => defaultCardFor(view, domain, device);
  }

  async #examine(store: Store, cards: readonly WantedCard[], isStrict: boolean): Promise<void> {
    const streams = changedStreams(store, cards);
    if (streams.length === 0) return;
    const { impossible, unusable } = await checkDevices(streams);
    const refusals = isStrict ? [...impossible, ...unusable] : impossible;
    if (refusals.length > 0) throw new XsndError(refusals.join("\n"), Exit.badConfiguration);
    for (const line of unusable) this.services.log(`xsnd: ${line}`);
  }

  #deprovision(
    { domain: name, card, timeout = TIMEOUT, force = false }: DeprovisionRequest,
    command: Command,
  ): Promise<void> {
    return this.#withStore(async (store) => {
      const domain = resolveDomain(store, name);
      for (const { address } of cardRecords(store, domain.domid)) {
        if (card !== undefined && card !== address.card) continue;
        command.mayClose(address);
        command.mayWrite(address, ABSENT);
      }
      const { failures } = await deprovisionCards(store, domain, card, { timeoutMs: timeout * 1000, force });
      throwAll(failures);
    });
  }
}
