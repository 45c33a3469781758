// SPDX-License-Identifier: MIT
/** The Xen of the virtual machine: the hypervisor, xenstored, and the guests' kernels. */
import type { Clock } from "../machine/clock.ts";
import { mix, Random } from "../machine/random.ts";
import type { Domain } from "./domain.ts";
import { GuestKernel } from "./guest_kernel.ts";
import { Hypervisor } from "./hypervisor.ts";
import { Xenstored } from "./xenstored.ts";

export class XenMachine {
  readonly hypervisor: Hypervisor;
  readonly xenstored: Xenstored;

  /**
   * Makes domain 0.
   * @param report is told of each misuse of mapped memory, or of a library: a defect of production code
   */
  constructor(readonly clock: Clock, seed: number, readonly report: (what: string) => void) {
    this.hypervisor = new Hypervisor(clock, mix(seed, 1), report);
    this.hypervisor.create({ domid: 0 });
    this.xenstored = new Xenstored(this.hypervisor, new Random(mix(seed, 2)));
  }

  /** The kernel of a guest. To be called once a domain. */
  kernel(domain: Domain): GuestKernel {
    return new GuestKernel(domain, this.xenstored);
  }

  /** Gives everything back. */
  end(): void {
    this.hypervisor.end();
  }
}

let current: XenMachine | undefined;

/** The Xen that the libraries speak to: that of the world that runs now. */
export function currentXen(): XenMachine {
  if (current === undefined) throw new Error("no world has a Xen");
  return current;
}

export function enterXen(xen: XenMachine): void {
  current = xen;
}
