// SPDX-License-Identifier: MIT
/** An open regular file or directory of the virtual machine: its descriptor, and the `Deno.FsFile` that a process has. */
import { POLL } from "../../../ffi/libc/libc.ts";
import type { FileNode } from "./file_tree.ts";
import { OpenFile } from "./files.ts";
import { currentThread, type Process } from "./process.ts";
import { codeOf, negative, systemError } from "./system_error.ts";

export class RegularFile extends OpenFile {
  #position = 0;

  constructor(
    readonly node: FileNode,
    private readonly isReadable: boolean,
    private readonly isWritable: boolean,
    private readonly appends: boolean,
  ) {
    super();
  }

  ready(): number {
    return POLL.IN | POLL.OUT;
  }

  override read(into: Uint8Array): number {
    const { node } = this;
    if (!this.isReadable) return negative("EBADF");
    if (node.kind === "directory") return negative("EISDIR");
    if (node.slowness > 0) currentThread().spend(node.slowness);
    if (node.problem !== undefined) return negative(node.problem);
    const part = node.octets.subarray(this.#position, this.#position + into.length);
    into.set(part);
    this.#position += part.length;
    return part.length;
  }

  override write(octets: Uint8Array): number {
    const { node } = this;
    if (!this.isWritable && !this.appends) return negative("EBADF");
    if (node.problem !== undefined) return negative(node.problem);
    if (this.appends) this.#position = node.octets.length;
    const end = this.#position + octets.length;
    if (end > node.octets.length) {
      const longer = new Uint8Array(end);
      longer.set(node.octets);
      node.octets = longer;
    }
    node.octets.set(octets, this.#position);
    this.#position = end;
    return octets.length;
  }
}

/** What `Deno.openSync()` returns, as far as production code uses it. */
export class VirtualFsFile implements Disposable {
  constructor(
    private readonly process: Process,
    readonly fd: number,
    private readonly file: RegularFile,
  ) {}

  /** Begins a system call on the file. */
  #begin(): RegularFile {
    this.process.call();
    if (this.process.files.get(this.fd) !== this.file) {
      throw new Deno.errors.BadResource("Bad resource ID");
    }
    return this.file;
  }

  /** null at the end of the file. */
  readSync(into: Uint8Array): number | null {
    const file = this.#begin();
    if (into.length === 0) return 0;
    const count = file.read(into);
    if (count < 0) throw systemError(codeOf(count));
    return count === 0 ? null : count;
  }

  writeSync(octets: Uint8Array): number {
    const count = this.#begin().write(octets);
    if (count < 0) throw systemError(codeOf(count));
    return count;
  }

  truncateSync(length = 0): void {
    const { node } = this.#begin();
    const octets = new Uint8Array(length);
    octets.set(node.octets.subarray(0, length));
    node.octets = octets;
  }

  close(): void {
    this.#begin();
    this.process.files.delete(this.fd);
    this.file.close();
  }

  [Symbol.dispose](): void {
    // The kernel closes what a dead process leaves.
    if (this.process.files.get(this.fd) === this.file && !this.process.isDead) this.close();
  }
}
