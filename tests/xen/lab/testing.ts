// SPDX-License-Identifier: MIT
/** Deno tests that share one boot of the lab, and its guests until a case fails or destroys them. */
import { flakySummary, LAB_FLAKY_BUDGET } from "../../tools/flaky.ts";
import { LabError, say } from "./command.ts";
import type { Guest } from "./guest.ts";
import type { GuestKernel } from "./images.ts";
import { type Arch, Lab, type LabOptions } from "./lab.ts";

/** The architecture that the test run asks for: `deno task test:xen --arch=arm64`. */
export function testedArch(): Arch {
  const arch = Deno.args.find((arg) => arg.startsWith("--arch="))?.slice("--arch=".length) ?? "amd64";
  if (arch !== "amd64" && arch !== "arm64") throw new LabError(`--arch=${arch}: the lab has amd64 and arm64`);
  return arch;
}

export interface BenchOptions extends LabOptions {
  /** Called when a case has failed: returns further details, such as a daemon's log, and restarts the daemon. */
  readonly onFailure?: () => Promise<string>;
}

/** One boot for all the cases of a test file, and of imported files that get this object. */
export class Bench {
  #lab: Lab | undefined;
  #guests = new Map<GuestKernel, Guest>();
  /** Cases that were tried again. */
  readonly #flaky: string[] = [];

  constructor(private readonly options: BenchOptions = {}) {
    Deno.test.beforeAll(async () => {
      this.#lab = await Lab.boot({ arch: testedArch(), ...options });
    });
    Deno.test.afterAll(async () => {
      await this.#lab?.[Symbol.asyncDispose]();
      console.log(flakySummary(this.#flaky, LAB_FLAKY_BUDGET));
      if (this.#flaky.length > LAB_FLAKY_BUDGET) {
        throw new LabError(`${this.#flaky.length} cases were tried once more`);
      }
    });
  }

  /** The booted machine, for setup outside of {@link test}. */
  get lab(): Lab {
    if (this.#lab === undefined) throw new LabError("the lab did not boot");
    return this.#lab;
  }

  /**
   * Declares a case. Emulated sound depends on the load of a shared machine, so a case that fails is tried once more, with new
   * guests. The first failure is printed, and kept in `failures.log` in the run's folder. The run ends with a list of such cases,
   * and fails if they exceed the budget of tools/flaky.ts.
   * The error ends with the console's last lines and names the logs.
   *
   * @param needs sound cards without which the case cannot be: a machine that lacks one is not offered the case
   */
  test(
    name: string,
    body: (lab: Lab) => Promise<void>,
    { needs = [] }: { readonly needs?: LabOptions["cards"] } = {},
  ): void {
    if (needs.some((card) => this.options.cards?.includes(card) !== true)) return;
    Deno.test({
      name,
      // All cases share the connection to dom0 and its pending read.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        if (this.#lab === undefined) throw new LabError("the lab did not boot");
        const failure = await this.#attempt(this.#lab, name, body);
        if (failure === undefined) return;
        say(`"${name}" has failed, and is tried once more: ${failure.message}`);
        this.#flaky.push(`${name}: ${failure.message.split("\n", 1)[0]}`);
        const again = await this.#attempt(this.#lab, name, body);
        if (again !== undefined) throw again;
      },
    });
  }

  /** Runs `body`; returns its failure, or undefined. */
  async #attempt(
    lab: Lab,
    name: string,
    body: (lab: Lab) => Promise<void>,
  ): Promise<LabError | undefined> {
    try {
      await body(lab);
    } catch (error) {
      const failure = lab.explain(error, await this.#cleanUp().catch(String));
      const text = `=== ${new Date().toISOString()} ${name}\n${failure.message}\n`;
      await Deno.writeTextFile(`${lab.directory}/failures.log`, text, { append: true });
      return failure;
    }
  }

  /** After a failed case: ends its players and its guests. Returns the details of {@link BenchOptions.onFailure}. */
  async #cleanUp(): Promise<string> {
    await this.lab.dom0.attempt("pkill -9 -x 'aplay|arecord'; true");
    const more = await this.options.onFailure?.() ?? "";
    for (const guest of this.#guests.values()) await guest[Symbol.asyncDispose]();
    this.#guests.clear();
    return more;
  }

  /** A guest that cases share: made at the first call, and again if a case has destroyed it. */
  async guest(kernel: GuestKernel): Promise<Guest> {
    const lab = this.#lab!;
    const known = this.#guests.get(kernel);
    if (known !== undefined && await known.exists()) return known;
    const guest = await lab.guest(`linux-${kernel}`, { kernel });
    this.#guests.set(kernel, guest);
    return guest;
  }
}
