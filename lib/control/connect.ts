// SPDX-License-Identifier: MIT
/** Connecting to a UNIX socket whose listener may be gone, or go at that moment. */

/** Time until the next try, while a listener closes. */
const RETRY_MS = 2;

/** Connects to the socket at `path`; undefined if nobody listens there. Throws Deno's error if this user may not, or it is no socket. */
export async function connectUnlessGone(path: string): Promise<Deno.UnixConn | undefined> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      const isGone = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused;
      if (isGone) return undefined;
      // The listener was closed before it accepted the connection. The next try tells whether it has gone.
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
