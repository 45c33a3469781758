// SPDX-License-Identifier: MIT
/** A service manager's end of sd_notify(3), in a separate Perl process; every Debian has Perl. */
import { Process, until } from "./harness.ts";

/** Prints each datagram as a line, with its newlines as spaces. */
const RECEIVER = `
  use Socket;
  $| = 1;
  my $address = shift;
  $address =~ s/^@/\\0/;
  socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  bind($socket, pack_sockaddr_un($address)) or die "bind: $!";
  my $reads = !shift;
  $SIG{USR1} = sub { $reads = 1 };
  print "listening\\n";
  select(undef, undef, undef, 0.05) until $reads;
  while (defined recv($socket, my $message, 4096, 0)) { $message =~ s/\\n/ /g; print "$message\\n" }
`;

export class ServiceManagerSocket implements AsyncDisposable {
  private constructor(readonly address: string, private readonly receiver: Process) {}

  /** Listens at a path, or at an abstract address: `@NAME`. With `hangs`, the socket reads nothing before {@link goOn}. */
  static async listen(address: string, { hangs = false } = {}): Promise<ServiceManagerSocket> {
    const receiver = new Process("perl", ["-e", RECEIVER, address, ...(hangs ? ["hangs"] : [])]);
    await until(`it listens at ${address}`, () => {
      if (receiver.ended) throw new Error(receiver.stderr);
      return receiver.stdout.startsWith("listening\n");
    });
    return new ServiceManagerSocket(address, receiver);
  }

  goOn(): void {
    this.receiver.kill("SIGUSR1");
  }

  /** The messages so far, in order, without the watchdog's signs of life. */
  get messages(): string[] {
    return this.#all.filter((message) => message !== "WATCHDOG=1");
  }

  get signsOfLife(): number {
    return this.#all.length - this.messages.length;
  }

  get #all(): string[] {
    return this.receiver.stdout.split("\n").slice(1, -1);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.receiver[Symbol.asyncDispose]();
  }
}
