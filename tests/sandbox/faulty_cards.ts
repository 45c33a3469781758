// SPDX-License-Identifier: MIT
/** ALSA PCMs whose faults a test chooses, each by a file that faulty_plugin.c reads. */
import assert from "node:assert/strict";
import type { Box } from "./harness.ts";

/** The callback (or `open`), its result, the number of the first call that fails, and how many calls fail. */
export type Fault = readonly [callback: string, result: number, nth: number, times: number];

/** Until the PCM is closed. */
export const EVER = 1_000_000;

export const ERRORS = {
  ENODEV: -19,
  EIO: -5,
  EPIPE: -32,
  ESTRPIPE: -86,
  EAGAIN: -11,
  ENOMEM: -12,
  EBUSY: -16,
  EACCES: -13,
} as const;

export class FaultyCards {
  /** The environment in which a process finds the PCMs. */
  readonly environment: Record<string, string>;

  /** @param names names of the PCMs, which work until {@link fail} */
  constructor(private readonly box: Box, names: readonly string[]) {
    const pcms = names.map((name) => `pcm.${name} { type faulty fault "${this.#path(name)}" }\n`);
    const plugin = `pcm_type.faulty { lib "${compile(box)}" }\n`;
    const config = box.path("asound.conf");
    Deno.writeTextFileSync(config, `</usr/share/alsa/alsa.conf>\n${plugin}${pcms.join("")}`);
    this.environment = { ALSA_CONFIG_PATH: config };
  }

  /** Gives the PCM a fault from its next open on. */
  fail(name: string, fault: Fault): void {
    Deno.writeTextFileSync(this.#path(name), `${fault.join(" ")}\n`);
  }

  mend(name: string): void {
    Deno.removeSync(this.#path(name));
  }

  #path(name: string): string {
    return this.box.path(`${name}.fault`);
  }
}

function compile(box: Box): string {
  const library = box.path("faulty.so");
  const source = new URL("faulty_plugin.c", import.meta.url).pathname;
  // The daemon loads libasound without global symbols, so the plugin links libasound itself.
  const args = ["-std=gnu11", "-shared", "-fPIC", "-DPIC", "-o", library, source, "-lasound"];
  const { success, stderr } = new Deno.Command("gcc", { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
  return library;
}
