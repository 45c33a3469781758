// SPDX-License-Identifier: MIT
/** A private embedded Xen: starts its server process in a new directory, and removes both at the stop. */
import { Exit, XsndError } from "../../base/error.ts";
import { SANDBOX_VARIABLE } from "../../base/environment.ts";
import { controlPath, socketPath } from "./layout.ts";
import { CONTROL_VARIABLE } from "../../base/environment.ts";

/** What a sandbox begins with. */
export interface SandboxOptions {
  /** Names of the guests that exist from the start. Their domain ids count from 1. */
  readonly domains: readonly string[];
}

/** After this time at the stop the server is killed. */
const STOP_MS = 5000;
/** sun_path of a UNIX socket's address, less its NUL. */
const SOCKET_PATH_MAX = 107;

/**
 * An embedded Xen: XenStore, grants and event channels between processes of this machine. It needs no hypervisor.
 *
 * @example
 * ```ts
 * import { openXen, Sandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await using sandbox = await Sandbox.start({ domains: ["domU"] });
 * using guest = await openXen({ sandbox: sandbox.directory, domid: 1 });
 * assert.equal(guest.store.read("/local/domain/1/name"), "domU");
 * ```
 */
export class Sandbox implements AsyncDisposable {
  private constructor(
    /** The sandbox's own directory, which `XSND_SANDBOX` names. */ readonly directory: string,
    private readonly server: Deno.ChildProcess,
  ) {}

  /** Starts an embedded Xen, and resolves when it is ready. Throws {@link XsndError}. */
  static async start({ domains }: SandboxOptions): Promise<Sandbox> {
    checkNames(domains);
    const directory = makeDirectory();
    const sandbox = new Sandbox(directory, spawnServer(directory, domains));
    if (await firstLine(sandbox.server.stdout) === "ready") return sandbox;
    const { code } = await sandbox.server.status;
    removeDirectory(directory);
    throw new XsndError(`cannot start the embedded Xen in ${directory}: its server ended with code ${code}`);
  }

  /** The environment variables for processes in the sandbox. */
  get environment(): Record<string, string> {
    return {
      [SANDBOX_VARIABLE]: this.directory,
      XENSTORED_PATH: socketPath(this.directory, 0),
      // A value from outside would name another Xen's daemon.
      [CONTROL_VARIABLE]: this.controlSocket,
    };
  }

  /** Where a daemon in the sandbox listens for control clients. */
  get controlSocket(): string {
    return controlPath(this.directory);
  }

  /** Ends the server, which removes the directory. */
  async stop(): Promise<void> {
    const { server, directory } = this;
    const impatience = setTimeout(() => server.kill("SIGKILL"), STOP_MS);
    await server.stdin.close().catch(() => {}); // fails if the server has died; then there is nothing to end
    await server.status;
    clearTimeout(impatience);
    removeDirectory(directory);
  }

  /** As {@link Sandbox.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Runs `body` with a sandbox, which ends with `body`.
 *
 * @example
 * ```ts
 * import { withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const name = await withSandbox({ domains: ["domU"] }, async ({ environment }) => {
 *   const reading = new Deno.Command("xenstore-read", { args: ["/local/domain/1/name"], env: environment });
 *   return new TextDecoder().decode((await reading.output()).stdout);
 * });
 * assert.equal(name, "domU\n");
 * ```
 */
export async function withSandbox<T>(
  options: SandboxOptions,
  body: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  await using sandbox = await Sandbox.start(options);
  return await body(sandbox);
}

/** Throws {@link XsndError} unless xl would take each name, and none reads as a number, a path or another domain. */
function checkNames(names: readonly string[]): void {
  names.forEach((name, index) => {
    const why = name === "Domain-0" || names.indexOf(name) !== index
      ? "there is one already"
      : /^\d*$/.test(name)
      ? "a name is not empty and not a number"
      // deno-lint-ignore no-control-regex
      : /[\x00-\x20\x7f-\uffff/]/.test(name)
      ? "a name has only visible ASCII characters, and no slash"
      : undefined;
    if (why) throw new XsndError(`cannot make a domain ${JSON.stringify(name)}: ${why}`, Exit.usage);
  });
}

/**
 * Makes a directory for this user alone, in memory (`XDG_RUNTIME_DIR`) if possible, so that the guests' shared pages never reach
 * a disk. Not in /dev/shm: Deno demands all permissions there.
 */
function makeDirectory(): string {
  const failures: string[] = [];
  for (const parent of [Deno.env.get("XDG_RUNTIME_DIR"), "/tmp"]) {
    if (!parent) continue;
    try {
      const directory = Deno.makeTempDirSync({ dir: parent, prefix: "xsnd-" });
      if (socketPath(directory, 0xffff).length <= SOCKET_PATH_MAX) return directory;
      removeDirectory(directory);
      failures.push(`${parent}: the path is too long for sockets`);
    } catch (error) {
      failures.push(`${parent}: ${(error as Error).message}`);
    }
  }
  throw new XsndError(`cannot make a directory for an embedded Xen: ${failures.join("; ")}`);
}

function spawnServer(directory: string, domains: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-config",
      "--no-lock",
      "--no-remote",
      "--no-npm",
      `--allow-read=${directory}`,
      `--allow-write=${directory}`,
      // For UNIX sockets alone, but Deno has no pattern for these, and dom0 may introduce any domain.
      "--allow-net",
      new URL("./server/xenstored.ts", import.meta.url).href,
      "--private",
      `--directory=${directory}`,
      ...domains.map((name) => `--domain=${name}`),
    ],
    stdin: "piped", // the server ends when its stdin closes, so also when this process dies
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** The stream's text up to its first line feed, or its end. */
async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}

function removeDirectory(directory: string): void {
  try {
    Deno.removeSync(directory, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
