// SPDX-License-Identifier: MIT
/** The seed that each commit has anew. */
import { mix } from "./machine/random.ts";

/**
 * A seed from what HEAD contains: another one for each commit that changes a file, and the same wherever that commit is. 1 without a
 * repository.
 */
export async function seedOfCommit(): Promise<number> {
  const git = new Deno.Command("git", {
    args: ["rev-parse", "HEAD^{tree}"],
    stdout: "piped",
    stderr: "null",
  });
  const { code, stdout } = await git.output();
  const hash = new TextDecoder().decode(stdout).trim();
  if (code !== 0 || !/^[0-9a-f]{8}/.test(hash)) return 1;
  return mix(Number.parseInt(hash.slice(0, 8), 16)) >>> 8;
}
