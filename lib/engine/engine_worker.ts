// SPDX-License-Identifier: MIT
/** The Worker in which an {@link Engine} runs. */
/// <reference lib="deno.worker" />
import { libasound } from "../../ffi/alsa/libasound.ts";
import { LibraryNotFoundError } from "../../ffi/base/library.ts";
import { threadId } from "../../ffi/libc/cpu_clock.ts";
import { Errno } from "../../ffi/libc/failed_call.ts";
import { stackOf } from "../base/error.ts";
import { MailboxWriter } from "../bridge/mailbox.ts";
import type { EngineEvent, EngineStart } from "../bridge/messages.ts";
import { adoptEventChannels } from "../xen/mod.ts";
import { Engine } from "./engine.ts";
import { warmUpJit } from "./jit_warm_up.ts";
import { scheduleRealtime } from "./realtime.ts";

/** Loads libasound before anything plays: that takes a good part of a period. A host without ALSA has the dummy device. */
function loadAlsa(): void {
  try {
    libasound();
  } catch (error) {
    if (!(error instanceof LibraryNotFoundError)) throw error;
  }
}

self.onmessage = async ({ data }: MessageEvent<EngineStart>) => {
  try {
    const engine = new Engine(data, await adoptEventChannels(data.channels));
    loadAlsa();
    warmUpJit();
    const realtimeErrno = data.realtime ? scheduleRealtime() : 0;
    engine.ready({ realtimeErrno, threadId: threadId() });
    engine.run();
  } catch (error) {
    const reason = error instanceof Errno ? error.message : stackOf(error);
    new MailboxWriter<EngineEvent>(data.toMain).post({ op: "failed", reason });
  }
  self.close();
};
