// SPDX-License-Identifier: MIT
/** A Linux guest of the lab; scripts reach its agent (guest/agent) over a network link from dom0. */
import { LabError } from "./command.ts";
import { type Dom0, Domain, quote, type RunOptions } from "./domain.ts";
import type { GuestKernel } from "./images.ts";
import { Outcome } from "./machine.ts";

export interface GuestOptions {
  /** The kernel's generation; "6.1" by default. */
  readonly kernel?: GuestKernel;
  /** Further lines of the guest's xl.cfg, such as `vsnd = [[ ... ]]` or `memory = 512`. */
  readonly config?: string;
  /** The longest time until the guest runs scripts, in seconds; 120 by default. */
  readonly timeout?: number;
}

export class Guest extends Domain implements AsyncDisposable {
  /** @param bootedAs the number of the domain that the guest has booted in, from which its address is derived */
  private constructor(
    name: string,
    readonly domid: number,
    private readonly dom0: Dom0,
    private readonly bootedAs = domid,
  ) {
    super(name);
  }

  /** Creates a guest and waits until it runs scripts. */
  static async create(dom0: Dom0, name: string, options: GuestOptions = {}): Promise<Guest> {
    const { kernel = "6.1", config = "", timeout = 120 } = options;
    const domid = await dom0.run(`LAB_GUEST_TIMEOUT=${timeout} guest-create ${quote(name)} ${kernel}`, {
      stdin: config,
      timeout: timeout + 30,
    });
    return new Guest(name, Number(domid), dom0);
  }

  /** Finds a guest that `xl` made from the lab's images and network script; waits until it runs scripts. */
  static async find(dom0: Dom0, name: string, timeout = 300): Promise<Guest> {
    const domid = Number(await dom0.run(`xl domid ${quote(name)}`));
    const ready = `[ "$(xenstore-read /local/domain/${domid}/data/agent 2>/dev/null)" = ready ]`;
    await dom0.run(`until ${ready}; do xl domname ${domid} >/dev/null || exit 1; sleep 0.1; done`, {
      timeout,
    });
    return new Guest(name, domid, dom0);
  }

  /** `xl save` and `xl restore`: returns the guest in its new domain. */
  async restored(): Promise<Guest> {
    const { dom0, bootedAs } = this;
    const [name, file] = [quote(this.name), quote(`/tmp/${this.name}.save`)];
    await dom0.run(`xl save ${name} ${file} && xl restore ${file} && rm ${file}`, { timeout: 180 });
    const domid = Number(await dom0.run(`xl domid ${name}`));
    await dom0.run(`ip address add 10.77.0.1 peer "$(guest-address ${bootedAs})" dev vif${domid}.0`);
    const guest = new Guest(this.name, domid, dom0, bootedAs);
    await guest.#answers();
    return guest;
  }

  /** Resolves when the guest runs scripts. Its network card connects again, which takes a moment. */
  async #answers(): Promise<void> {
    for (let tries = 20;; tries--) {
      try {
        return void await this.run("true", { timeout: 10 });
      } catch (error) {
        if (tries === 0 || !(error instanceof LabError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  override async attempt(script: string, { stdin = "", timeout = 60 }: RunOptions = {}): Promise<Outcome> {
    const encoder = new TextEncoder();
    const text = encoder.encode(script);
    const input = typeof stdin === "string" ? encoder.encode(stdin) : stdin;
    const request = new Blob([`${text.length} ${input.length} ${timeout}\n`, text, new Uint8Array(input)]);
    const answer = await this.dom0.attempt(`exec guest-connect ${this.bootedAs}`, {
      stdin: new Uint8Array(await request.arrayBuffer()),
      timeout: timeout + 20, // the guest's agent enforces the script's own timeout
    });
    const newline = answer.bytes.indexOf(10);
    const [code, stdoutSize] = new TextDecoder().decode(answer.bytes.subarray(0, newline)).split(" ").map(
      Number,
    );
    if (newline < 0) throw new LabError(`${this.name}: no answer (is the guest gone?) ${answer.stderr}`);
    const body = answer.bytes.subarray(newline + 1);
    const outcome = new Outcome(
      code!,
      body.slice(0, stdoutSize),
      new TextDecoder().decode(body.subarray(stdoutSize)),
    );
    if (code === 137) throw this.failure(script, `killed, or timed out after ${timeout} s`, outcome);
    return outcome;
  }

  /** Whether Xen still has the guest. */
  async exists(): Promise<boolean> {
    return (await this.dom0.attempt(`xl domname ${this.domid}`)).code === 0;
  }

  /** Destroys the guest at once, as a crash would. */
  async destroy(): Promise<void> {
    await this.dom0.run(`xl destroy ${this.domid}`);
  }

  /** Destroys the guest if it still exists. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (await this.exists()) await this.destroy();
  }
}
