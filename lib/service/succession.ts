// SPDX-License-Identifier: MIT
/** How one daemon comes after another: it waits until the other one has gone, or has that one end. */
import { Errno, errno } from "../../ffi/libc/failed_call.ts";
import { libc } from "../../ffi/libc/libc.ts";
import { connectUnlessGone } from "../control/connect.ts";
import { ControlClient } from "../control/control_client.ts";

/** signal.h */
const SIGTERM = 15;
/** Time between two looks while the other daemon ends. */
const LOOK_MS = 2;

/** Whether a daemon listens at `path`. */
export async function isServedAt(path: string): Promise<boolean> {
  using other = await connectUnlessGone(path);
  return other !== undefined;
}

/** Resolves when no daemon listens at `path`. A daemon that ends, however that is, hangs up. */
export async function untilNobodyServes(path: string): Promise<void> {
  for (;;) {
    using other = await connectUnlessGone(path);
    if (other === undefined) return;
    await other.read(new Uint8Array(1024)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Has the daemon at `path` end in order. Throws {@link Errno} if this user may not do that. */
export async function endOther(path: string): Promise<void> {
  using daemon = await ControlClient.connect(0, path);
  const { pid } = await daemon.call({ command: "status" });
  if (libc().kill(pid, SIGTERM) !== 0) throw new Errno(`end process ${pid}`, errno());
}
