// SPDX-License-Identifier: MIT
/** The contract of the Pcm port, on the devices that need no hardware: xsnd's dummy, ALSA's null and file. */
import { silenceAlsa } from "../../ffi/alsa/alsa_error.ts";
import { pcmContract, testPcmContract } from "./pcm_contract.ts";

const directory = Deno.makeTempDirSync({ prefix: "xsnd-pcm-" });
const inherited = Deno.env.get("ALSA_CONFIG_PATH");

Deno.test.beforeAll(() => {
  Deno.writeTextFileSync(
    `${directory}/asound.conf`,
    `
    pcm.nowhere { type null }
    pcm.tape { type file slave.pcm nowhere file "/dev/null" infile "/dev/zero" format raw }
    `,
  );
  Deno.env.set("ALSA_CONFIG_PATH", `${directory}/asound.conf`);
  silenceAlsa();
});
Deno.test.afterAll(() => {
  if (inherited === undefined) Deno.env.delete("ALSA_CONFIG_PATH");
  else Deno.env.set("ALSA_CONFIG_PATH", inherited);
  silenceAlsa(false);
  Deno.removeSync(directory, { recursive: true });
});

testPcmContract("dummy:");
// alsa-lib's null accepts and delivers frames without limit, so its buffer is never full.
const endless = pcmContract.filter(({ name }) =>
  !name.startsWith("playback: takes what it is given up to its buffer")
);
testPcmContract("nowhere", { cases: endless });
testPcmContract("tape", { cases: endless });
