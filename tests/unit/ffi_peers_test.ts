// SPDX-License-Identifier: MIT
/** Tests who has connected to a UNIX socket: Peers tells clients apart by descriptors that Deno does not expose. */
import assert from "node:assert/strict";
import { Peers } from "../../ffi/libc/peers.ts";

/** Runs `body` with a listener in a directory open to all users, and with the listener's Peers. */
async function withListener(
  body: (listener: Deno.UnixListener, path: string, peers: Peers) => Promise<void>,
) {
  const directory = Deno.makeTempDirSync();
  try {
    const path = `${directory}/socket`;
    using listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(directory, 0o755);
    Deno.chmodSync(path, 0o666);
    await body(listener, path, new Peers(path));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Connects as the user nobody, until stdin ends. */
function connectAsNobody(path: string): Deno.ChildProcess {
  const connect = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(shift) or die; <STDIN>";
  const nobody = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];
  return new Deno.Command("setpriv", {
    args: [...nobody, "perl", "-e", connect, path],
    cwd: "/",
    stdin: "piped",
  }).spawn();
}

Deno.test("Peers.newest() is the user of who was accepted last, and nobody while there is no new one", () =>
  withListener(async (listener, path, peers) => {
    assert.equal(peers.newest(), undefined, "the listener is no client");
    for (let i = 0; i < 3; i++) {
      using _client = await Deno.connect({ transport: "unix", path });
      using _accepted = await listener.accept();
      assert.equal(peers.newest(), Deno.uid());
      assert.equal(peers.newest(), undefined, "it has been told");
    }
  }));

Deno.test({
  name: "Peers.newest() tells users apart, also where one has the descriptor that another had (needs root)",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withListener(async (listener, path, peers) => {
      const nobody = new TextDecoder().decode(
        new Deno.Command("id", { args: ["-u", "nobody"] }).outputSync().stdout,
      );
      for (let i = 0; i < 3; i++) {
        const stranger = connectAsNobody(path);
        {
          using _accepted = await listener.accept();
          assert.equal(peers.newest(), Number(nobody));
          using _client = await Deno.connect({ transport: "unix", path });
          using _second = await listener.accept();
          assert.equal(peers.newest(), 0);
        }
        await stranger.stdin.close();
        await stranger.status;
        // This client gets the stranger's descriptor, if that is already closed.
        using _client = await Deno.connect({ transport: "unix", path });
        using _accepted = await listener.accept();
        assert.equal(peers.newest(), 0);
      }
    }),
});
