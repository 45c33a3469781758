// SPDX-License-Identifier: MIT
/**
 * Files of the virtual machine, in memory, for paths below `/world/`. The world writes and spoils them with the methods of
 * {@link VirtualFiles}; processes use them by the functions of `Deno` that {@link installFiles} replaces.
 */
import type { Clock } from "./clock.ts";
import { mayAccess, ROOT, umaskOf, userOf } from "./credentials.ts";
import { FileNode, FileTree, type Place } from "./file_tree.ts";
import { replace } from "./platform.ts";
import { currentThread, type Process, runningThread } from "./process.ts";
import { RegularFile, VirtualFsFile } from "./regular_file.ts";
import { type ErrorCode, negative, systemError } from "./system_error.ts";

/** The root directory of the virtual machine's files. */
export const WORLD = "/world";

/** Where every process may make files. */
export const TEMPORARY = `${WORLD}/tmp`;

/** Every file's `st_blksize`. */
const BLOCK = 4096;

export class VirtualFiles {
  readonly tree = new FileTree(WORLD);

  constructor() {
    this.makeDirectory(TEMPORARY, 0o1777);
  }

  /** Makes the directory `path` and its parents, where they are missing. */
  makeDirectory(path: string, mode = 0o755): void {
    let made: string = WORLD;
    for (const name of path.slice(WORLD.length).split("/").filter((name) => name !== "")) {
      made += `/${name}`;
      const place = this.tree.find(made, ROOT);
      if (place.node === undefined) this.tree.link(place, new FileNode("directory", mode), ROOT);
    }
  }

  /** Writes `content` into the file, as an editor that keeps the inode. The file and its directory need not exist. */
  write(path: string, content: string | Uint8Array, mode = 0o644): void {
    this.makeDirectory(path.slice(0, path.lastIndexOf("/")));
    const place = this.tree.find(path, ROOT);
    let { node } = place;
    if (node?.kind !== "file") this.tree.link(place, node = new FileNode("file", mode), ROOT);
    node.octets = typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
  }

  /**
   * Writes `content` as an editor that is slow: the file is empty now, has the first `first` octets after `micros`, and everything
   * after twice that time. A reader in between sees what is there.
   */
  writeSlowly(path: string, content: string, first: number, micros: number, clock: Clock): void {
    const octets = new TextEncoder().encode(content);
    this.write(path, "");
    clock.after(micros, () => this.write(path, octets.subarray(0, first)));
    clock.after(2 * micros, () => this.write(path, octets));
  }

  /** The content of the file; undefined if there is no such file. */
  read(path: string): string | undefined {
    const node = this.node(path);
    return node?.kind === "file" ? new TextDecoder().decode(node.octets) : undefined;
  }

  /** Whatever is at `path`. */
  node(path: string): FileNode | undefined {
    try {
      return this.tree.find(path, ROOT).node;
    } catch {
      return undefined; // a part of the path is missing
    }
  }

  /** Removes whatever is at `path`, with all below. */
  remove(path: string): void {
    const { directory, name } = this.tree.find(path, ROOT);
    directory.entries.delete(name);
  }

  /** Puts a FIFO in the place of whatever is at `path`. To open a FIFO waits for its writer, and there is none. */
  makeFifo(path: string): void {
    this.tree.link(this.tree.find(path, ROOT), new FileNode("fifo", 0o644), ROOT);
  }

  /** Has every use of the file fail with `problem`, as on a disk or a network that is broken; undefined mends it. */
  spoil(path: string, problem: ErrorCode | undefined): void {
    this.#existing(path).problem = problem;
  }

  /** Has every use of the file block its thread for `micros`. */
  slow(path: string, micros: number): void {
    this.#existing(path).slowness = micros;
  }

  #existing(path: string): FileNode {
    const node = this.node(path);
    if (node === undefined) throw new Error(`the world has no file ${path}`);
    return node;
  }
}

/** The functions of `Deno` that are replaced: all that production code calls. */
const REPLACED = [
  "chmodSync",
  "chownSync",
  "createSync",
  "lstatSync",
  "mkdirSync",
  "openSync",
  "readDirSync",
  "readTextFileSync",
  "removeSync",
  "renameSync",
  "statSync",
] as const;

type Name = typeof REPLACED[number];

/** The platform's functions, from before any world. */
const real = Object.fromEntries(REPLACED.map((name) => [name, Deno[name]])) as Pick<typeof Deno, Name>;

/**
 * Has processes use `files` from now on. Code that belongs to no process, as the loader of modules, uses the real files. A process
 * that uses a path outside of {@link WORLD} fails.
 */
export function installFiles(files: VirtualFiles): void {
  const calls = virtualCalls(files.tree);
  openAt = (path) => {
    const { process } = currentThread();
    try {
      return calls.openSync(process, path, { read: true, write: true }).fd;
    } catch (error) {
      const { code } = error as { code?: ErrorCode };
      // The process dies in the call.
      if (code === undefined) throw error;
      return negative(code);
    }
  };
  for (const name of REPLACED) {
    const call = calls[name] as (process: Process, path: string, ...rest: unknown[]) => unknown;
    const realCall = real[name] as (...given: unknown[]) => unknown;
    replace(Deno, name, (path: string | URL, ...rest: unknown[]) => {
      const thread = runningThread();
      if (thread === undefined) return realCall(path, ...rest);
      return call(thread.process, virtualPath(path, name), ...rest);
    });
  }
}

/** open(2), to read and write: a descriptor, or -errno. */
export let openAt: (path: string) => number = () => negative("ENOENT");

/** The path that a process gives to `Deno[name]`. Reports a path that the virtual machine does not have as a defect, and throws. */
export function virtualPath(path: string | URL, name: string): string {
  const text = path instanceof URL ? path.pathname : path;
  if (text === WORLD || text.startsWith(`${WORLD}/`)) return text;
  return isMissing(`the virtual machine has no ${text}, for Deno.${name}()`);
}

/** Reports what the virtual machine does not have as a defect of the world, since the code that asks for it may catch the error. */
export function isMissing(what: string): never {
  const error = new Error(what);
  currentThread().process.failed(error);
  throw error;
}

/** The functions of {@link REPLACED} over `tree`, each for a process. */
function virtualCalls(tree: FileTree) {
  /** Begins a system call: what is at `path`, unless the file is spoilt. */
  const find = (process: Process, path: string, attempt?: string): Place => {
    process.call();
    const place = tree.find(path, userOf(process), attempt);
    const { node } = place;
    if (node !== undefined && node.slowness > 0) currentThread().spend(node.slowness);
    if (node?.problem !== undefined) throw systemError(node.problem, attempt);
    return place;
  };
  const existing = (process: Process, path: string, attempt: string): FileNode => {
    const { node } = find(process, path, attempt);
    if (node === undefined) throw systemError("ENOENT", attempt);
    return node;
  };
  /** Refuses to change the mode or the owner of another user's file. */
  const owned = (process: Process, path: string, attempt: string): FileNode => {
    const node = existing(process, path, attempt);
    const { uid } = userOf(process);
    if (uid !== 0 && uid !== node.uid) throw systemError("EACCES", attempt);
    return node;
  };

  const open = (process: Process, path: string, options: Deno.OpenOptions = { read: true }) => {
    const attempt = `open '${path}'`;
    const place = find(process, path, attempt);
    const { read = false, write = false, append = false, truncate = false, create = false } = options;
    const { createNew = false } = options;
    const user = userOf(process);
    const isNew = place.node === undefined;
    if (isNew && !create && !createNew) throw systemError("ENOENT", attempt);
    if (!isNew && createNew) throw systemError("EEXIST", attempt);
    if (isNew && !mayAccess(user, place.directory, 2)) throw systemError("EACCES", attempt);
    const node = place.node ?? new FileNode("file", (options.mode ?? 0o666) & ~umaskOf(process));
    const wanted = (read ? 4 : 0) | (write || append ? 2 : 0);
    if (!isNew && !mayAccess(user, node, wanted)) throw systemError("EACCES", attempt);
    if (node.kind === "directory" && (wanted & 2) !== 0) throw systemError("EISDIR", attempt);
    if (node.kind === "socket") throw systemError("ENXIO", attempt);
    if (node.kind === "fifo") isMissing(`${path} is a FIFO without a writer: the process hangs for good`);
    const file = new RegularFile(node, read, write, append);
    const fd = process.open(file);
    if (fd < 0) throw systemError("EMFILE", attempt);
    if (isNew) tree.link(place, node, user);
    if (truncate) node.octets = new Uint8Array();
    return new VirtualFsFile(process, fd, file);
  };

  // The tree has no symbolic links, so that both calls do the same.
  const stat = (name: "stat" | "lstat") => (process: Process, path: string) =>
    infoOf(existing(process, path, `${name} '${path}'`));

  const mkdir = (process: Process, path: string, options: Deno.MkdirOptions = {}): void => {
    const attempt = `mkdir '${path}'`;
    if (options.recursive) {
      const parent = path.slice(0, path.lastIndexOf("/"));
      if (parent.startsWith(`${WORLD}/`)) mkdir(process, parent, options);
    }
    const place = find(process, path, attempt);
    if (place.node !== undefined) {
      if (options.recursive && place.node.kind === "directory") return;
      throw systemError("EEXIST", attempt);
    }
    const mode = (options.mode ?? 0o777) & ~umaskOf(process);
    tree.link(place, new FileNode("directory", mode), userOf(process), attempt);
  };

  return {
    openSync: open,
    createSync: (process: Process, path: string) =>
      open(process, path, { read: true, write: true, create: true, truncate: true }),
    statSync: stat("stat"),
    lstatSync: stat("lstat"),
    mkdirSync: mkdir,
    removeSync: (process: Process, path: string): void => {
      const attempt = `remove '${path}'`;
      const { directory, name, node } = find(process, path, attempt);
      if (node === undefined) throw systemError("ENOENT", attempt);
      if (!mayAccess(userOf(process), directory, 2)) throw systemError("EACCES", attempt);
      if (node.entries.size > 0) throw systemError("ENOTEMPTY", attempt);
      directory.entries.delete(name);
    },
    renameSync: (process: Process, from: string, to: string): void => {
      const attempt = `rename '${from}' -> '${to}'`;
      const source = find(process, from, attempt);
      const target = find(process, virtualPath(to, "renameSync"), attempt);
      const user = userOf(process);
      if (source.node === undefined) throw systemError("ENOENT", attempt);
      for (const { directory } of [source, target]) {
        if (!mayAccess(user, directory, 2)) throw systemError("EACCES", attempt);
      }
      source.directory.entries.delete(source.name);
      target.directory.entries.set(target.name, source.node);
    },
    chmodSync: (process: Process, path: string, mode: number): void => {
      owned(process, path, `chmod '${path}'`).mode = mode & 0o7777;
    },
    chownSync: (process: Process, path: string, uid: number | null, gid: number | null): void => {
      const node = owned(process, path, `chown '${path}'`);
      node.uid = uid ?? node.uid;
      node.gid = gid ?? node.gid;
    },
    readDirSync: (process: Process, path: string): Pick<Deno.DirEntry, "name">[] => {
      const node = existing(process, path, `readdir '${path}'`);
      if (node.kind !== "directory") throw systemError("ENOTDIR", `readdir '${path}'`);
      return [...node.entries.keys()].map((name) => ({ name }));
    },
    readTextFileSync: (process: Process, path: string): string => {
      using file = open(process, path);
      const chunk = new Uint8Array(1 << 16);
      const decoder = new TextDecoder();
      let text = "";
      for (let count; (count = file.readSync(chunk)) !== null;) {
        text += decoder.decode(chunk.subarray(0, count), { stream: true });
      }
      return text + decoder.decode();
    },
  } satisfies Record<Name, unknown>;
}

/** sys/stat.h: the type in `st_mode`. */
const TYPES = { file: 0o100000, directory: 0o040000, socket: 0o140000, fifo: 0o010000 } as const;

function infoOf(node: FileNode): Deno.FileInfo {
  return {
    isFile: node.kind === "file",
    isDirectory: node.kind === "directory",
    isSymlink: false,
    isSocket: node.kind === "socket",
    isFifo: node.kind === "fifo",
    isBlockDevice: false,
    isCharDevice: false,
    size: node.octets.length,
    mtime: null,
    atime: null,
    birthtime: null,
    ctime: null,
    dev: 0,
    ino: null,
    mode: TYPES[node.kind] | node.mode,
    nlink: 1,
    uid: node.uid,
    gid: node.gid,
    rdev: 0,
    blksize: BLOCK,
    blocks: Math.ceil(node.octets.length / 512),
  };
}
