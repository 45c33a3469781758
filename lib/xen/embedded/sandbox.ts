// SPDX-License-Identifier: MIT
/** A private embedded Xen: its directory and its server process, gone without a trace when it is stopped. */
import { Exit, XsndError } from "../../base/error.ts";
import { SANDBOX_VARIABLE } from "../../base/environment.ts";
import { controlPath, socketPath } from "./layout.ts";
import { CONTROL_VARIABLE } from "../../base/environment.ts";

export interface SandboxOptions {
  /** Names of the guests there are from the start; their domain ids count from 1. */
  readonly domains: readonly string[];
}

/** How long the server may take to end by itself. */
const STOP_MS = 5000;
/** sun_path of a UNIX socket's address, less its NUL. */
const SOCKET_PATH_MAX = 107;

export class Sandbox implements AsyncDisposable {
  private constructor(readonly directory: string, private readonly server: Deno.ChildProcess) {}

  /** Starts an embedded Xen; it is ready when this resolves. Throws {@link XsndError}. */
  static async start({ domains }: SandboxOptions): Promise<Sandbox> {
    checkNames(domains);
    const directory = makeDirectory();
    const sandbox = new Sandbox(directory, spawnServer(directory, domains));
    if (await firstLine(sandbox.server.stdout) === "ready") return sandbox;
    const { code } = await sandbox.server.status;
    removeDirectory(directory);
    throw new XsndError(`cannot start the embedded Xen in ${directory}: its server ended with code ${code}`);
  }

  /** What processes that shall live in the sandbox need in their environment. */
  get environment(): Record<string, string> {
    return {
      [SANDBOX_VARIABLE]: this.directory,
      XENSTORED_PATH: socketPath(this.directory, 0),
      // One that is set outside names another Xen's daemon.
      [CONTROL_VARIABLE]: controlPath(this.directory),
    };
  }

  /** Ends the server, which takes the directory with it. */
  async stop(): Promise<void> {
    const { server, directory } = this;
    const impatience = setTimeout(() => server.kill("SIGKILL"), STOP_MS);
    await server.stdin.close().catch(() => {}); // it fails if the server died before; then there is nothing to end
    await server.status;
    clearTimeout(impatience);
    removeDirectory(directory);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Runs `body` with a sandbox that lives exactly as long. */
export async function withSandbox<T>(
  options: SandboxOptions,
  body: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  await using sandbox = await Sandbox.start(options);
  return await body(sandbox);
}

/** A name that xl would take, and that cannot be confused with a domain's number, path or another domain. */
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
 * A new directory for this user alone; in memory (`XDG_RUNTIME_DIR`) if possible, so that pages which guests share
 * are never written to a disk. Not in /dev/shm: Deno lets nobody there who may not do everything.
 */
function makeDirectory(): string {
  const failures: string[] = [];
  for (const parent of [Deno.env.get("XDG_RUNTIME_DIR"), "/tmp"]) {
    if (!parent) continue;
    try {
      const directory = Deno.makeTempDirSync({ dir: parent, prefix: "xsnd-" });
      if (socketPath(directory, 0xffff).length <= SOCKET_PATH_MAX) return directory;
      removeDirectory(directory);
      failures.push(`${parent}: too long a path for sockets`);
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
      // For sockets only, but Deno has no pattern for those, and dom0 may introduce any domain.
      "--allow-net",
      new URL("./server/xenstored.ts", import.meta.url).href,
      "--private",
      `--directory=${directory}`,
      ...domains.map((name) => `--domain=${name}`),
    ],
    stdin: "piped", // the server ends when it closes: when we do, of whatever
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** What the stream says before its first line feed, or its end. */
async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0];
}

function removeDirectory(directory: string): void {
  try {
    Deno.removeSync(directory, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
