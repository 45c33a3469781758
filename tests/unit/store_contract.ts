// SPDX-License-Identifier: MIT
/**
 * The contract of the Store port over libxenstore: test cases for any harness to run. The unit tests run them over the real library
 * and the embedded Xen's server, the world's tests over the world's own.
 */
import assert from "node:assert/strict";
import { type Store, StoreError, type StoreWatch } from "../../lib/xen/ports.ts";

/** Opens the store of a server with domains 0 and 1, as domain `domid` (default 0). */
export type OpenStore = (domid?: number) => Store;

export interface StoreCase {
  readonly name: string;
  run(open: OpenStore): void | Promise<void>;
}

/** Waits for the watch to yield `wanted`. Returns all paths up to and including `wanted`. */
export async function until(watch: StoreWatch, wanted: string): Promise<string[]> {
  const seen: string[] = [];
  for await (const path of watch) {
    seen.push(path);
    if (path === wanted) break;
  }
  return seen;
}

export function isStoreError(code: string, path: string) {
  return (error: unknown) => {
    assert(error instanceof StoreError, String(error));
    assert.deepEqual([error.code, error.path], [code, path]);
    return true;
  };
}

export const storeContract: readonly StoreCase[] = [
  {
    name: "Store reads what it wrote, octet for octet",
    run: (open) => {
      using store = open();
      for (const value of ["plain", "", "naïve ♫", "a\0b", "\ufeffmarked", "x".repeat(2000)]) {
        store.write("/test/value", value);
        assert.equal(store.read("/test/value"), value);
      }
    },
  },

  {
    name: "Store gives undefined for nodes that there are not",
    run: (open) => {
      using store = open();
      assert.equal(store.read("/nothing/here"), undefined);
      assert.equal(store.list("/nothing/here"), undefined);
      assert.equal(store.getPermissions("/nothing/here"), undefined);
      store.remove("/nothing/here");
    },
  },

  {
    name: "Store makes, lists and removes",
    run: (open) => {
      using store = open();
      store.mkdir("/tree/a/b");
      store.mkdir("/tree/a/b");
      store.write("/tree/c", "1");
      assert.deepEqual(store.list("/tree")!.sort(), ["a", "c"]);
      assert.deepEqual(store.list("/tree/a/b"), []);
      assert.equal(store.read("/tree/a/b"), "");
      store.remove("/tree");
      assert.equal(store.list("/tree"), undefined);
    },
  },

  {
    name: "Store lists more children than one message holds",
    run: (open) => {
      using store = open();
      const names = Array.from({ length: 300 }, (_, i) => `a-child-with-a-long-name-${i}`);
      for (const name of names) store.mkdir(`/many/${name}`);
      assert.deepEqual(store.list("/many")!.sort(), names.sort());
      store.remove("/many");
    },
  },

  {
    name: "Store throws StoreError with errno's name",
    run: (open) => {
      using store = open();
      assert.throws(() => store.write("/bad path", "x"), isStoreError("EINVAL", "/bad path"));
      assert.throws(() => store.write("/test/long", "x".repeat(5000)), isStoreError("E2BIG", "/test/long"));
      assert.throws(() => store.read("/nul\0path"), TypeError);
    },
  },

  {
    name: "Store enforces permissions by domain",
    run: (open) => {
      using store = open();
      using guest = open(1);
      store.write("/vault/secret", "42");
      const permissions = [{ domid: 0, access: "none" }, { domid: 1, access: "read" }] as const;
      store.setPermissions("/vault/secret", permissions);
      assert.deepEqual(store.getPermissions("/vault/secret"), permissions);
      assert.equal(guest.read("/vault/secret"), "42");
      assert.throws(() => guest.write("/vault/secret", "43"), isStoreError("EACCES", "/vault/secret"));
      store.setPermissions("/vault/secret", [{ domid: 0, access: "none" }, { domid: 1, access: "both" }]);
      guest.write("/vault/secret", "43");
      store.setPermissions("/vault/secret", [{ domid: 0, access: "none" }]);
      assert.throws(() => guest.read("/vault/secret"), isStoreError("EACCES", "/vault/secret"));
    },
  },

  {
    name: "Store knows domains",
    run: (open) => {
      using store = open();
      assert.equal(store.domainPath(7), "/local/domain/7");
      assert.equal(store.isIntroduced(0), true);
      assert.equal(store.isIntroduced(1), true);
      assert.equal(store.isIntroduced(7), false);
    },
  },

  {
    name: "Store.transaction() commits everything or nothing",
    run: (open) => {
      using store = open();
      using other = open();
      const result = store.transaction((view) => {
        view.write("/tx/a", "1");
        assert.equal(view.read("/tx/a"), "1");
        assert.equal(other.read("/tx/a"), undefined);
        return "done";
      });
      assert.equal(result, "done");
      assert.equal(other.read("/tx/a"), "1");
      const failure = new RangeError("no more");
      assert.throws(() =>
        store.transaction((view) => {
          view.write("/tx/a", "2");
          view.remove("/tx");
          throw failure;
        }), failure);
      assert.equal(other.read("/tx/a"), "1");
    },
  },

  {
    name: "Store.transaction() starts again when another writer got in between",
    run: (open) => {
      using store = open();
      using other = open();
      store.write("/race/count", "0");
      let attempts = 0;
      store.transaction((view) => {
        const count = Number(view.read("/race/count"));
        if (attempts++ < 3) other.write("/race/count", String(count + 10));
        view.write("/race/count", String(count + 1));
      });
      assert.equal(attempts, 4);
      assert.equal(store.read("/race/count"), "31");
    },
  },

  {
    name: "Store.transaction() gives up with EAGAIN in the end",
    run: (open) => {
      using store = open();
      using other = open();
      let attempts = 0;
      const hopeless = () =>
        store.transaction((view) => {
          view.write("/race/count", "1");
          other.write("/race/count", String(attempts++));
        });
      assert.throws(hopeless, isStoreError("EAGAIN", "/"));
      assert(attempts >= 100, `${attempts}`);
    },
  },

  {
    name: "a transaction's view is of no use afterwards",
    run: (open) => {
      using store = open();
      const view = store.transaction((view) => view);
      assert.throws(() => view.read("/test"), /its transaction is over/);
    },
  },

  {
    name: "a closed Store throws instead of crashing",
    run: (open) => {
      const store = open();
      store[Symbol.dispose]();
      store[Symbol.dispose]();
      assert.throws(() => store.read("/test"), /the connection is closed/);
      assert.throws(() => store.domainPath(1), TypeError);
      assert.throws(() => store.watch("/test"), TypeError);
      assert.throws(() => store.transaction(() => {}), TypeError);
    },
  },

  {
    name: "Store.watch() begins with one event, and tells of changes below",
    run: async (open) => {
      using store = open();
      using guest = open();
      using watch = store.watch("/watched");
      assert.deepEqual(await until(watch, "/watched"), ["/watched"]);
      guest.write("/elsewhere", "1");
      guest.write("/watched/a/b", "1");
      assert.deepEqual((await until(watch, "/watched/a/b")).at(-1), "/watched/a/b");
      guest.remove("/watched");
      assert.deepEqual(await until(watch, "/watched"), ["/watched"]);
    },
  },

  {
    name: "Store.settled() resolves when what was changed before it has been told",
    run: async (open) => {
      using store = open();
      using other = open();
      using watch = store.watch("/settled");
      const told: string[] = [];
      const reading = (async () => {
        for await (const path of watch) told.push(path);
      })();
      for (let round = 0; round < 100; round++) {
        const paths = Array.from({ length: 5 }, (_, i) => `/settled/${round}/${i}`);
        other.transaction((view) => paths.forEach((path) => view.write(path, "")));
        await store.settled();
        assert.deepEqual(told.slice(-paths.length), paths);
      }
      watch[Symbol.dispose]();
      await reading;
    },
  },

  {
    name: "watches of one Store are told apart, equal paths too",
    run: async (open) => {
      using store = open();
      using here = store.watch("/apart/here");
      using there = store.watch("/apart/there");
      using again = store.watch("/apart/here");
      for (
        const [watch, path] of [[here, "/apart/here"], [there, "/apart/there"], [
          again,
          "/apart/here",
        ]] as const
      ) {
        assert.deepEqual(await until(watch, path), [path]);
      }
      store.write("/apart/here/x", "1");
      store.write("/apart/there/y", "1");
      assert.deepEqual(await until(here, "/apart/here/x"), ["/apart/here/x"]);
      assert.deepEqual(await until(there, "/apart/there/y"), ["/apart/there/y"]);
      here[Symbol.dispose]();
      store.write("/apart/here/z", "1");
      assert.deepEqual(await until(again, "/apart/here/z"), ["/apart/here/x", "/apart/here/z"]);
    },
  },

  {
    name: "a watch tells of many changes of one path once",
    run: async (open) => {
      using store = open();
      using watch = store.watch("/busy");
      await until(watch, "/busy");
      for (let i = 0; i < 100; i++) store.write("/busy/node", `${i}`);
      store.write("/busy/end", "1");
      // once the marker arrives, all events are queued: unmerged events appear more than once
      using marker = store.watch("/busy/end");
      await until(marker, "/busy/end");
      const seen = await until(watch, "/busy/end");
      assert.deepEqual(seen, ["/busy/node", "/busy/end"]);
    },
  },

  {
    name: "a watch that nobody reads collapses into its own path",
    run: async (open) => {
      using store = open();
      using watch = store.watch("/flood");
      using marker = store.watch("/flood-end");
      await until(marker, "/flood-end");
      for (let i = 0; i < 1030; i++) store.mkdir(`/flood/${i}`);
      store.write("/flood-end", "1");
      await until(marker, "/flood-end");
      const seen: string[] = [];
      for await (const path of watch) {
        seen.push(path);
        if (path === "/flood/1029") break;
      }
      assert.equal(seen[0], "/flood");
      assert(seen.length < 20, `${seen.length}`);
      store.remove("/flood");
    },
  },

  {
    name: "disposing a watch ends its iterator and no other",
    run: async (open) => {
      using store = open();
      const watch = store.watch("/ending");
      using other = store.watch("/ending");
      await until(watch, "/ending");
      const ended = until(watch, "never");
      watch[Symbol.dispose]();
      watch[Symbol.dispose]();
      assert.deepEqual(await ended, []);
      await until(other, "/ending");
      store.write("/ending/more", "1");
      assert.deepEqual(await until(other, "/ending/more"), ["/ending/more"]);
    },
  },

  {
    name: "disposing a Store ends its watches' iterators",
    run: async (open) => {
      const store = open();
      const watches = [store.watch("/closing"), store.watch("/closing/2")];
      const ended = Promise.all(watches.map((watch) => until(watch, "never")));
      await until(store.watch("/closing/3"), "/closing/3");
      store[Symbol.dispose]();
      assert.deepEqual((await ended).map((seen) => seen.length), [1, 1]);
      for (const watch of watches) watch[Symbol.dispose]();
    },
  },
];
