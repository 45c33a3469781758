// SPDX-License-Identifier: MIT
/** The tree of the virtual machine's files: directories, regular files, sockets and FIFOs below one root directory. */
import { mayAccess, type User } from "./credentials.ts";
import { type ErrorCode, systemError } from "./system_error.ts";

export type FileKind = "file" | "directory" | "socket" | "fifo";

/** An inode. */
export class FileNode {
  uid = 0;
  gid = 0;
  /** A regular file's content. */
  octets: Uint8Array<ArrayBuffer> = new Uint8Array();
  /** A directory's entries. */
  readonly entries = new Map<string, FileNode>();
  /** Every use of the file fails with this error; undefined: none does. */
  problem: ErrorCode | undefined;
  /** µs that each use of the file blocks its thread. */
  slowness = 0;

  /** @param mode the permission bits */
  constructor(readonly kind: FileKind, public mode: number) {}
}

/** Where a path leads. */
export interface Place {
  readonly directory: FileNode;
  readonly name: string;
  /** Undefined: the directory has no entry of that name. */
  readonly node: FileNode | undefined;
}

export class FileTree {
  readonly root = new FileNode("directory", 0o755);

  /** @param prefix the root directory's path, without a slash at its end */
  constructor(readonly prefix: string) {}

  /** Whether `path` names the root directory, or leads below it. */
  has(path: string): boolean {
    return path === this.prefix || path.startsWith(`${this.prefix}/`);
  }

  /**
   * Resolves `path` as `user`. Throws what the system call `attempt` would: ENOENT or ENOTDIR if the path leads through something
   * that is no directory, EACCES if the user may not search a directory.
   */
  find(path: string, user: User, attempt?: string): Place {
    const names = path.slice(this.prefix.length).split("/").filter((name) => name !== "" && name !== ".");
    if (names.includes("..")) throw new Error(`the virtual machine resolves no "..": ${path}`);
    let place: Place = { directory: this.root, name: "", node: this.root };
    for (const name of names) {
      const directory = place.node;
      if (directory === undefined) throw systemError("ENOENT", attempt);
      if (directory.kind !== "directory") throw systemError("ENOTDIR", attempt);
      if (!mayAccess(user, directory, 1)) throw systemError("EACCES", attempt);
      place = { directory, name, node: directory.entries.get(name) };
    }
    return place;
  }

  /** Makes an entry for `node` at `place`. Throws EACCES if `user` may not write the directory. */
  link({ directory, name }: Place, node: FileNode, user: User, attempt?: string): void {
    if (!mayAccess(user, directory, 2)) throw systemError("EACCES", attempt);
    node.uid = user.uid;
    node.gid = user.gid;
    directory.entries.set(name, node);
  }
}
