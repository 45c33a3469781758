// SPDX-License-Identifier: MIT
/** PipeWire under a daemon: what every sound server has to pass. */
import { PipeWireServer } from "./pipewire_server.ts";
import { testSoundServer } from "./sound_server_cases.ts";

testSoundServer(PipeWireServer);
