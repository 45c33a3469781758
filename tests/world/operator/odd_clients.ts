// SPDX-License-Identifier: MIT
/** Programs at the control socket that are not xsnd: those that know the protocol badly, or not at all, or do not read. */
import { Exit, XsndError } from "../../../lib/base/error.ts";
import { lines, received } from "../../../lib/control/lines.ts";
import { type ControlRequest, controlSocketPath } from "../../../lib/control/protocol.ts";
import { parseResponse } from "../../../lib/control/response_schema.ts";
import { isOfDeath, type Process } from "../machine/process.ts";
import { Random } from "../machine/random.ts";
import type { CommandPlan, OddClient, OddPlan } from "./plan.ts";
import type { Asked, Recorder } from "./record.ts";
import { requestOf } from "./verbs.ts";

export interface OddCommand {
  readonly process: Process;
  readonly plan: OddPlan;
  readonly recorder: Recorder;
}

/** More than the longest line that the daemon takes. */
const ENDLESS = (1 << 20) + (1 << 16);

/** Runs the program, until it has what it wants, or the daemon hangs up, or its time is over. */
export async function runOddClient({ process, plan, recorder }: OddCommand): Promise<void> {
  using client = await RawClient.connect(process, recorder);
  const work = CLIENTS[plan.odd](client, plan);
  const over = new Promise<void>((resolve) => void process.main.post(plan.holdMs * 1000, resolve));
  await Promise.race([work, over]);
  recorder.cut("hang up");
}

class RawClient implements Disposable {
  readonly #answers: AsyncGenerator<string>;
  /** What was asked and is not yet answered. */
  readonly #unanswered: Asked[] = [];

  private constructor(
    private readonly process: Process,
    private readonly recorder: Recorder,
    private readonly connection: Deno.UnixConn,
  ) {
    this.#answers = lines(received(connection));
  }

  static async connect(process: Process, recorder: Recorder): Promise<RawClient> {
    try {
      const path = controlSocketPath();
      return new RawClient(process, recorder, await Deno.connect({ transport: "unix", path }));
    } catch (error) {
      if (isOfDeath(error)) throw error;
      throw new XsndError(`no daemon: ${(error as Error).message}`, Exit.noDaemon, { cause: error });
    }
  }

  /** Sends octets, as far as the daemon reads them. */
  async send(octets: Uint8Array): Promise<void> {
    for (let done = 0; done < octets.length;) done += await this.connection.write(octets.subarray(done));
  }

  sendText(text: string): Promise<void> {
    return this.send(new TextEncoder().encode(text));
  }

  /** Notes a request whose sending begins now. */
  ask(request: ControlRequest | string, isRead = true): Asked {
    const asked = this.recorder.ask(request, isRead);
    this.#unanswered.push(asked);
    return asked;
  }

  /** Reads answers until the daemon hangs up, or until everything is answered if `isEnough`. */
  async readAnswers(isEnough: boolean): Promise<void> {
    while (!isEnough || this.#unanswered.length > 0) {
      const answer = await unlessGone(this.#answers.next());
      if (answer === undefined || answer.done) break;
      this.#take(answer.value);
    }
    for (const asked of this.#unanswered) asked.settle({ kind: "broken" });
  }

  #take(line: string): void {
    const asked = this.#unanswered.shift();
    const { request = "" } = asked ?? {};
    try {
      const command = typeof request === "string" ? "status" : request.command;
      const result = parseResponse(line, command);
      if (asked === undefined || typeof request === "string") {
        this.#defect(`the daemon answers ${line}`, request);
      } else this.recorder.answered(asked, result);
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      if (asked !== undefined) this.recorder.failed(asked, error);
      // Without a place, too late, or at the end: then the daemon says so unasked.
      const isLetGo = /clients already|no request came|daemon is ending/.test(error.message);
      if (isLetGo) return;
      if (asked === undefined) this.#defect(`the daemon says ${line}, and nobody has asked`, "");
      else if (typeof request === "string" && error.exitCode !== Exit.usage) {
        this.#defect(`the daemon refuses with another error: ${line}`, request);
      }
    }
  }

  #defect(what: string, request: unknown): void {
    this.process.failed(new Error(`${what}; the line was ${JSON.stringify(request)}`));
  }

  async shutDown(): Promise<void> {
    await this.connection.closeWrite();
  }

  [Symbol.dispose](): void {
    this.connection[Symbol.dispose]();
  }
}

const CLIENTS: Readonly<Record<OddClient, (client: RawClient, plan: OddPlan) => Promise<void>>> = {
  silent: (client) => client.readAnswers(false),

  async deaf(client, { requests }) {
    for (const request of requests.map(requestOf)) {
      client.ask(request, false);
      if (!await isSent(client.sendText(`${JSON.stringify(request)}\n`))) return;
    }
    await new Promise(() => {}); // until its time is over
  },

  async garbage(client, { seed }) {
    const random = new Random(seed);
    for (let left = random.between(1, 8); left > 0; left--) {
      const line = garbageLine(random);
      client.ask(describe(line));
      if (!await isSent(client.send(Uint8Array.of(...line, NEWLINE)))) break;
      await client.readAnswers(true);
    }
    await client.readAnswers(true);
  },

  async half(client, { requests, seed }) {
    const [request] = requests.map(requestOf);
    const line = JSON.stringify(request);
    const part = line.slice(0, new Random(seed).between(1, line.length - 1));
    client.ask(part).settle({ kind: "unsent" });
    await isSent(client.sendText(part));
    await new Promise(() => {});
  },

  async lines(client, { requests, seed }) {
    const random = new Random(seed);
    const sent = oneAnswerEach(requests).map((request) => {
      client.ask(request);
      return JSON.stringify(request) + "\n".repeat(random.oneIn(5) ? random.between(2, 70) : 1);
    });
    const sending = isSent(client.sendText(sent.join("")));
    await client.readAnswers(true);
    await sending;
  },

  async shut(client, { requests }) {
    for (const request of oneAnswerEach(requests)) {
      client.ask(request);
      if (!await isSent(client.sendText(`${JSON.stringify(request)}\n`))) break;
    }
    await client.shutDown();
    await client.readAnswers(false);
  },

  async endless(client) {
    const part = new Uint8Array(1 << 14).fill(0x78);
    for (let sent = 0; sent < ENDLESS && await isSent(client.send(part));) sent += part.length;
    await client.readAnswers(false);
  },
};

/** The requests that have one answer each; `watch` and `trace` have many. */
function oneAnswerEach(plans: readonly CommandPlan[]): ControlRequest[] {
  return plans.map(requestOf).map((request) =>
    request.command === "watch" || request.command === "trace" ? { command: "status" } : request
  );
}

/** Whether the octets were sent; false if the daemon has hung up. */
async function isSent(sending: Promise<void>): Promise<boolean> {
  return await unlessGone(sending.then(() => true)) ?? false;
}

/** The result of `work`; undefined if the connection has ended. */
async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const { BrokenPipe, ConnectionReset, Interrupted } = Deno.errors;
    if ([BrokenPipe, ConnectionReset, Interrupted].some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

const NEWLINE = 0x0a;

/** Lines that are almost requests. */
const NEAR_MISSES = [
  "{]",
  "[".repeat(5000),
  "null",
  "7",
  '"status"',
  "{}",
  '{"command":null}',
  '{"command":"__proto__"}',
  '{"command":"status","stream":"domU"}',
  '{"command":"volume","stream":"domU/0/0/0","volume":1e999,"waitMs":0}',
  '{"command":"volume","stream":"domU/0/0/0","volume":12.1,"waitMs":0}',
  '{"command":"volume","stream":"domU/0/0/0","mute":true,"waitMs":0}',
  '{"command":"volume","stream":"domU/0/0/0","muted":true}',
  '{"command":"trigger","stream":{},"trigger":"pause","waitMs":0}',
  '{"command":"trigger","stream":"domU/0/0/0","trigger":"toString","waitMs":0}',
  '{"command":"trigger","stream":"domU/0/0/0","trigger":"pause","waitMs":-1}',
  '{"command":"wait","stream":"domU/0/0/0","goal":"connected","waitMs":0}',
  '{"command":"wait","stream":"domU/0/0/0","goal":"open","waitMs":1e15}',
  '{"command":"trigger","stream":"domU/0/0/0","trigger":"pause","waitMs":0}}',
  '{"command":"trigger","stream":"domU/0/0/0","trigger":"pause","waitMs":0',
  "GET / HTTP/1.1\r",
];

/** A line that is no request, without its line feed. */
function garbageLine(random: Random): Uint8Array {
  if (random.oneIn(2)) return new TextEncoder().encode(random.pick(NEAR_MISSES));
  const octets = Uint8Array.from({ length: random.between(1, 600) }, () => random.below(256));
  // No JSON begins so, and no line ends here.
  octets[0] = 0x78;
  return octets.map((octet) => octet === NEWLINE ? 0xff : octet);
}

/** The line for the log, shortened. */
function describe(line: Uint8Array): string {
  return new TextDecoder().decode(line.subarray(0, 60));
}
