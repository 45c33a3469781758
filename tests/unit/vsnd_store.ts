// SPDX-License-Identifier: MIT
/**
 * An in-process Store for the tests of lib/vsnd and lib/xenbus, which write to it from domain 0 and from guests. The
 * embedded Xen's database is behind the Store, with its permissions, quotas and conflict detection.
 */
import { Database } from "../../lib/xen/embedded/server/database.ts";
import { makeInitialNodes } from "../../lib/xen/embedded/server/initial_nodes.ts";
import { isWithin } from "../../lib/xen/embedded/server/store_paths.ts";
import type { Subject } from "../../lib/xen/embedded/server/permissions.ts";
import type { Node } from "../../lib/xen/embedded/server/tree.ts";
import type { Change, View } from "../../lib/xen/embedded/server/view.ts";
import { XsError } from "../../lib/xen/embedded/server/wire.ts";
import {
  type Permission,
  type Store,
  StoreError,
  type StoreView,
  type StoreWatch,
} from "../../lib/xen/ports.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The XenStore of one machine; {@link TestXen.store} opens a connection. */
export class TestXen {
  readonly database = new Database();
  readonly watches = new Set<TestWatch>();
  /** Called before each commit, to let another writer interfere. */
  beforeCommit: () => void = () => {};

  /** @param guests names of the domains 1, 2, ... */
  constructor(guests: readonly string[]) {
    makeInitialNodes(this.database, guests);
  }

  store(domid = 0): Store {
    return new TestStore(this, { domid });
  }

  /** All nodes at and below `paths`, one a line: `PATH = "VALUE" (PERMISSIONS)`. */
  dump(...paths: string[]): string {
    const lines: string[] = [];
    const walk = (path: string, node: Node) => {
      const permissions = node.permissions.map(({ domid, access }) => `${access[0]}${domid}`).join(",");
      lines.push(`${path} = ${JSON.stringify(decoder.decode(node.value))} (${permissions})`);
      for (const [name, child] of node.children) walk(`${path === "/" ? "" : path}/${name}`, child);
    };
    for (const path of paths) {
      const { result } = this.database.run((view) => {
        try {
          return view.read({ domid: 0 }, path);
        } catch (error) {
          if (error instanceof XsError && error.code === "ENOENT") return undefined;
          throw error;
        }
      });
      if (result !== undefined) walk(path, result);
    }
    return lines.join("\n") + "\n";
  }

  fire(changes: readonly Change[]): void {
    for (const { path } of changes) {
      for (const watch of this.watches) {
        if (isWithin(path, watch.path) || isWithin(watch.path, path)) watch.push(path);
      }
    }
  }
}

class TestView implements StoreView {
  constructor(private readonly run: <T>(body: (view: View) => T) => T, private readonly subject: Subject) {}

  read(path: string): string | undefined {
    return this.#call("read", path, (view) => decoder.decode(view.read(this.subject, path).value));
  }
  write(path: string, value: string): void {
    this.#call("write", path, (view) => view.write(this.subject, path, encoder.encode(value)));
  }
  mkdir(path: string): void {
    this.#call("mkdir", path, (view) => view.mkdir(this.subject, path));
  }
  remove(path: string): void {
    this.#call("remove", path, (view) => view.remove(this.subject, path));
  }
  list(path: string): string[] | undefined {
    return this.#call("list", path, (view) => [...view.read(this.subject, path).children.keys()]);
  }
  getPermissions(path: string): Permission[] | undefined {
    return this.#call("get permissions of", path, (view) => [...view.read(this.subject, path).permissions]);
  }
  setPermissions(path: string, permissions: readonly Permission[]): void {
    this.#call("set permissions of", path, (view) => view.setPermissions(this.subject, path, permissions));
  }

  #call<T>(call: string, path: string, body: (view: View) => T): T | undefined {
    try {
      return this.run(body);
    } catch (error) {
      if (!(error instanceof XsError)) throw error;
      if (error.code === "ENOENT") return undefined;
      throw new StoreError(call, path, error.code);
    }
  }
}

class TestStore extends TestView implements Store {
  readonly #xen: TestXen;
  readonly #subject: Subject;

  constructor(xen: TestXen, subject: Subject) {
    super((body) => {
      const { result, changes } = xen.database.run(body);
      xen.fire(changes);
      return result;
    }, subject);
    this.#xen = xen;
    this.#subject = subject;
  }

  transaction<T>(body: (view: StoreView) => T): T {
    while (true) {
      const transaction = this.#xen.database.begin(this.#subject);
      const result = body(new TestView((operation) => transaction.run(operation), this.#subject));
      this.#xen.beforeCommit();
      try {
        this.#xen.fire(transaction.commit());
        return result;
      } catch (error) {
        if (!(error instanceof XsError && error.code === "EAGAIN")) throw error;
      }
    }
  }

  watch(path: string): StoreWatch {
    const watch = new TestWatch(path, () => this.#xen.watches.delete(watch));
    this.#xen.watches.add(watch);
    return watch;
  }

  async settled(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  domainPath(domid: number): string {
    return `/local/domain/${domid}`;
  }
  isIntroduced(domid: number): boolean {
    return this.read(this.domainPath(domid)) !== undefined;
  }
  [Symbol.dispose](): void {}
}

class TestWatch implements StoreWatch {
  readonly #queue: string[];
  #news = Promise.withResolvers<void>();
  constructor(readonly path: string, private readonly remove: () => void) {
    this.#queue = [path];
  }

  push(path: string): void {
    this.#queue.push(path);
    this.#news.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    while (true) {
      for (let path; (path = this.#queue.shift()) !== undefined;) yield path;
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}
