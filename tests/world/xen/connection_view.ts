// SPDX-License-Identifier: MIT
/** XenStore's operations over a connection to the world's xenstored: of a guest's kernel, or of a program of dom0's. */
import { XsError, type XsErrorCode } from "../../../lib/xen/embedded/server/wire.ts";
import type { Permission, StoreView } from "../../../lib/xen/ports.ts";
import type { StoreConnection } from "./store_connection.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Makes the error of a call that XenStore refuses. */
export type Refusal = (code: XsErrorCode, verb: string, path: string) => Error;

/** Operations inside of a transaction, or outside of any. */
export abstract class ConnectionView implements StoreView {
  /** @param t the transaction's number; 0: none */
  constructor(private readonly t: number, private readonly refusal: Refusal) {}

  /** The connection. Throws an error of the caller's own kind if there is none. */
  abstract connection(): StoreConnection;

  read(path: string): string | undefined {
    return this.#call("read", path, (connection) => decoder.decode(connection.read(this.t, path)));
  }

  write(path: string, value: string): void {
    this.#call("write", path, (connection) => connection.write(this.t, path, encoder.encode(value)), false);
  }

  mkdir(path: string): void {
    this.#call("mkdir", path, (connection) => connection.mkdir(this.t, path), false);
  }

  remove(path: string): void {
    this.#call("remove", path, (connection) => connection.remove(this.t, path));
  }

  list(path: string): string[] | undefined {
    return this.#call("list", path, (connection) => connection.list(this.t, path));
  }

  getPermissions(path: string): Permission[] | undefined {
    const get = (connection: StoreConnection) => [...connection.getPermissions(this.t, path)];
    return this.#call("get permissions of", path, get);
  }

  setPermissions(path: string, permissions: readonly Permission[]): void {
    const set = (connection: StoreConnection) => connection.setPermissions(this.t, path, permissions);
    this.#call("set permissions of", path, set, false);
  }

  #call<T>(
    verb: string,
    path: string,
    body: (connection: StoreConnection) => T,
    mayBeAbsent = true,
  ): T | undefined {
    const connection = this.connection();
    try {
      return body(connection);
    } catch (error) {
      if (!(error instanceof XsError)) throw error;
      if (mayBeAbsent && error.code === "ENOENT") return undefined;
      throw this.refusal(error.code, verb, path);
    }
  }
}
