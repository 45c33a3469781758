// SPDX-License-Identifier: MIT
/** The contract of the Pcm port over the virtual host's devices: the real AlsaPcm passes there what it passes on real ones. */
import assert from "node:assert/strict";
import { pcmContract, runContractCase } from "../../unit/pcm_contract.ts";
import { ORDINARY, PULSE } from "./host_cards.ts";
import { SoundMachine } from "./sound_machine.ts";

function machine(): SoundMachine {
  const made = new SoundMachine();
  const both = (capabilities = ORDINARY) => ({ playback: capabilities, capture: capabilities, seed: 1 });
  const hardware = made.host.add({ ...both(), name: "hw:0", type: "HW", driftPpm: 80, jitterMicros: 300 });
  const still = { ...ORDINARY, canPause: false, wholePeriods: false, stepFrames: 64 };
  made.host.add({ ...both(still), name: "hw:1", type: "HW", driftPpm: -120, granularityFrames: 48 });
  made.host.addPlug("plughw:0", hardware);
  made.host.add({ ...both(), name: "dmix:0", type: "DMIX", granularityFrames: 240 });
  made.host.add({ ...both(PULSE), name: "pulse", type: "IOPLUG" });
  return made;
}

for (const device of ["hw:0", "hw:1", "plughw:0", "dmix:0", "pulse", "null"]) {
  // A null PCM accepts frames without limit, so its buffer is never full.
  const cases = device !== "null"
    ? pcmContract
    : pcmContract.filter(({ name }) => !name.startsWith("playback: takes what it is given up to its buffer"));
  for (const one of cases) {
    Deno.test(`Pcm contract on the virtual ${device}: ${one.name}`, async () => {
      const made = machine();
      await made.run(() => runContractCase(device, one));
      assert.deepEqual(made.recorder.violations, []);
      assert.deepEqual(made.host.open, [], "a handle stays open");
      assert.equal(made.process.files.size, 0, "a descriptor stays open");
    });
  }
}
