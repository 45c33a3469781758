// SPDX-License-Identifier: MIT
/** ALSA PCMs that do as they are told, each by a file: faulty_plugin.c. */
import assert from "node:assert/strict";
import type { Box } from "./harness.ts";

/** Callback (or `open`), what it returns, which of its calls is the first to fail, and how many do. */
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
  /** What a process needs in its environment to find the PCMs. */
  readonly environment: Record<string, string>;

  /** @param names of the PCMs, well until {@link fail} */
  constructor(private readonly box: Box, names: readonly string[]) {
    const pcms = names.map((name) => `pcm.${name} { type faulty fault "${this.#path(name)}" }\n`);
    const plugin = `pcm_type.faulty { lib "${compile(box)}" }\n`;
    const config = box.path("asound.conf");
    Deno.writeTextFileSync(config, `</usr/share/alsa/alsa.conf>\n${plugin}${pcms.join("")}`);
    this.environment = { ALSA_CONFIG_PATH: config };
  }

  /** What holds of that PCM from the next time that it is opened. */
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
  // libasound is not among the symbols that all libraries of the daemon's process see.
  const args = ["-std=gnu11", "-shared", "-fPIC", "-DPIC", "-o", library, source, "-lasound"];
  const { success, stderr } = new Deno.Command("gcc", { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
  return library;
}
