// SPDX-License-Identifier: MIT
/** The answers to all requests of the wire protocol (docs/misc/xenstore.txt, the `do_...` functions of xenstored). */
import type { Connection } from "./connection.ts";
import type { Transaction } from "./database.ts";
import { parseDomid } from "./domain_table.ts";
import { absolutePath, domainPath, isSpecial } from "./store_paths.ts";
import { formatPermission, isUnprivileged, parsePermission, Right, rightsOf } from "./permissions.ts";
import type { View } from "./view.ts";
import {
  nulTerminated,
  onlyString,
  splitStrings,
  toOctets,
  XENSTORE_PAYLOAD_MAX,
  Xs,
  XsError,
} from "./wire.ts";

/** A request, with its connection and transaction. */
interface Request {
  readonly client: Connection;
  readonly payload: Uint8Array;
  readonly transaction?: Transaction;
  readonly txId: number;
}

interface Handler {
  /** Only dom0 may send this request. */
  readonly privileged?: boolean;
  /** The transaction id of the header has no meaning. */
  readonly ignoresTransaction?: boolean;
  /** Returns the reply's payload, or throws {@link XsError}. */
  answer(request: Request): Uint8Array;
}

const OK = nulTerminated(["OK"]);

/** The handler of each `Xs.*` request. */
export const handlers: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [Xs.READ, { answer: (request) => readNode(request, onlyString(request.payload)).value }],
  [Xs.DIRECTORY, { answer: directory }],
  [Xs.DIRECTORY_PART, { answer: directoryPart }],
  [Xs.WRITE, { answer: write }],
  [Xs.MKDIR, {
    answer: (request) => change(request, (view, path) => view.mkdir(request.client.subject, path)),
  }],
  [Xs.RM, {
    answer: (request) => change(request, (view, path) => view.remove(request.client.subject, path)),
  }],
  [Xs.GET_PERMS, { answer: getPermissions }],
  [Xs.SET_PERMS, { answer: setPermissions }],
  [Xs.WATCH, { answer: watch, ignoresTransaction: true }],
  [Xs.UNWATCH, { answer: unwatch, ignoresTransaction: true }],
  [Xs.RESET_WATCHES, { answer: ({ client }) => (client.reset(), OK) }],
  [Xs.TRANSACTION_START, { answer: transactionStart }],
  [Xs.TRANSACTION_END, { answer: transactionEnd }],
  [Xs.INTRODUCE, { answer: introduce, privileged: true }],
  [Xs.RELEASE, { answer: release, privileged: true }],
  [Xs.RESUME, { answer: resume, privileged: true }],
  [Xs.SET_TARGET, { answer: setTarget, privileged: true }],
  [Xs.GET_DOMAIN_PATH, {
    answer: ({ payload }) => nulTerminated([domainPath(parseDomid(onlyString(payload)))]),
  }],
  [Xs.IS_DOMAIN_INTRODUCED, { answer: isDomainIntroduced, privileged: true }],
  [Xs.CONTROL, { answer: control, privileged: true }],
]);

function readNode({ client, transaction }: Request, path: string) {
  const absolute = absolutePath(path, client.subject.domid);
  return client.run(transaction, (view) => view.read(client.subject, absolute));
}

function change(
  { client, transaction, payload }: Request,
  body: (view: View, path: string) => void,
): Uint8Array {
  const path = absolutePath(onlyString(payload), client.subject.domid);
  client.run(transaction, (view) => body(view, path));
  return OK;
}

function directory(request: Request): Uint8Array {
  return nulTerminated(readNode(request, onlyString(request.payload)).children.keys());
}

/** `<generation>|`, then as many whole names from the offset on as fit. An empty name marks the end of the list. */
function directoryPart(request: Request): Uint8Array {
  const [path, offset, ...more] = splitStrings(request.payload);
  if (path === undefined || offset === undefined || more.length > 0 || !/^\d{1,9}$/.test(offset)) {
    throw new XsError("EINVAL");
  }
  const { children, generation } = readNode(request, path);
  let reply = `${generation}\0`;
  let at = 0;
  for (const name of children.keys()) {
    // leaves one octet for the end mark
    if (at >= Number(offset)) {
      if (reply.length + name.length + 1 >= XENSTORE_PAYLOAD_MAX) return toOctets(reply);
      reply += `${name}\0`;
    }
    at += name.length + 1;
  }
  return toOctets(`${reply}\0`);
}

function write({ client, transaction, payload }: Request): Uint8Array {
  const end = payload.indexOf(0);
  if (end === -1) throw new XsError("EINVAL");
  const path = absolutePath(onlyString(payload.subarray(0, end + 1)), client.subject.domid);
  const value = payload.subarray(end + 1);
  client.run(transaction, (view) => view.write(client.subject, path, value));
  return OK;
}

function getPermissions(request: Request): Uint8Array {
  const path = onlyString(request.payload);
  const permissions = isSpecial(path)
    ? specialPermissions(request, path)
    : readNode(request, path).permissions;
  return nulTerminated(permissions.map(formatPermission));
}

function specialPermissions({ client: { xenstore, subject } }: Request, path: string) {
  const permissions = xenstore.specials.get(path);
  if (!permissions) throw new XsError("EINVAL");
  if (!(rightsOf(subject, permissions) & Right.READ)) throw new XsError("EACCES");
  return permissions;
}

function setPermissions({ client, transaction, payload }: Request): Uint8Array {
  const [path, ...entries] = splitStrings(payload);
  if (path === undefined || entries.length === 0) throw new XsError("EINVAL");
  const permissions = entries.map(parsePermission);
  if (isSpecial(path)) {
    if (isUnprivileged(client.subject)) throw new XsError("EACCES");
    if (!client.xenstore.specials.has(path)) throw new XsError("EINVAL");
    client.xenstore.specials.set(path, permissions);
    return OK;
  }
  const absolute = absolutePath(path, client.subject.domid);
  client.run(transaction, (view) => view.setPermissions(client.subject, absolute, permissions));
  return OK;
}

function watch({ client, payload }: Request): Uint8Array {
  const [path, token] = pathAndToken(payload);
  client.afterReply(client.xenstore.watches.add(client, path, token));
  return OK;
}

function unwatch({ client, payload }: Request): Uint8Array {
  const [path, token] = pathAndToken(payload);
  client.xenstore.watches.remove(client, path, token);
  return OK;
}

function pathAndToken(payload: Uint8Array): [string, string] {
  const [path, token, ...more] = splitStrings(payload);
  if (path === undefined || token === undefined || more.length > 0) throw new XsError("EINVAL");
  return [path, token];
}

function transactionStart({ client, transaction }: Request): Uint8Array {
  if (transaction) throw new XsError("EBUSY"); // transactions do not nest
  return nulTerminated([String(client.beginTransaction())]);
}

function transactionEnd({ client, transaction, txId, payload }: Request): Uint8Array {
  const verdict = onlyString(payload);
  if (verdict !== "T" && verdict !== "F") throw new XsError("EINVAL");
  if (!transaction) throw new XsError("ENOENT");
  client.transactions.delete(txId);
  if (verdict === "T") client.xenstore.fire(transaction.commit());
  return OK;
}

/** `<domid>|<mfn>|<evtchn>|`. Here is no ring to map, so the values of the last two have no meaning. */
function introduce({ client, payload }: Request): Uint8Array {
  const [domid, mfn, evtchn] = splitStrings(payload);
  if (Number(domid) === 0 || mfn === undefined || evtchn === undefined) throw new XsError("EINVAL");
  client.xenstore.introduce(parseDomid(domid));
  return OK;
}

function release({ client, payload }: Request): Uint8Array {
  client.xenstore.release(parseDomid(onlyString(payload)));
  return OK;
}

/** Checks the domain, and does nothing: here a domain never shuts down without a release. */
function resume({ client, payload }: Request): Uint8Array {
  client.xenstore.domains.get(parseDomid(onlyString(payload)));
  return OK;
}

function setTarget({ client: { xenstore }, payload }: Request): Uint8Array {
  const [domid, target, ...more] = splitStrings(payload);
  if (more.length > 0) throw new XsError("EINVAL");
  const domain = xenstore.domains.get(parseDomid(domid));
  domain.target = xenstore.domains.get(parseDomid(target)).domid;
  return OK;
}

function isDomainIntroduced({ client, payload }: Request): Uint8Array {
  return nulTerminated([client.xenstore.domains.has(parseDomid(onlyString(payload))) ? "T" : "F"]);
}

/** Those of xenstored's commands that make sense here. */
function control({ payload }: Request): Uint8Array {
  switch (splitStrings(payload)[0]) {
    case "check":
      return OK; // an immutable tree cannot become inconsistent
    case "help":
      return nulTerminated(["check\nhelp"]);
    default:
      throw new XsError("EINVAL");
  }
}
