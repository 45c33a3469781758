// SPDX-License-Identifier: MIT
/** Checking guests' cards in XenStore: remains of cards, incomplete cards, and wrong permissions. */
import { type CardRecord, cardRecords, readCards, recordedDomids } from "../vsnd/nodes/inventory.ts";
import { POLICY_DIRECTORY } from "../vsnd/nodes/card_tree.ts";
import { backendsPath, type CardAddress, cardPaths, domainName, frontendPath } from "../xenbus/mod.ts";
import type { Permission, StoreView } from "../xen/ports.ts";
import { type Check, fail, type Finding, ok, warn } from "./doctor_finding.ts";
import { withCards } from "./xenstore.ts";

const SUBJECT = "cards";

export const cardChecks: readonly Check[] = [{ subject: SUBJECT, run: () => withCards(SUBJECT, examine) }];

function examine(view: StoreView): Finding[] {
  const records = recordedDomids(view).flatMap((domid) => cardRecords(view, domid));
  const known = new Set(records.flatMap(({ paths }) => Object.values(paths)));
  const unrecorded = [...backends(view), ...frontends(view)];
  const findings = [
    ...records.flatMap((record) => ofRecord(view, record)),
    ...unrecorded.filter(({ path }) => !known.has(path)).map((directory) => ofUnrecorded(view, directory)),
  ];
  if (findings.length > 0) return findings;
  return [
    ok(SUBJECT, records.length === 0 ? "no card, and no remains of any" : `${records.length}, all complete`),
  ];
}

function ofRecord(view: StoreView, record: CardRecord): Finding[] {
  const { address: { domid, card }, paths } = record;
  const domain = { domid, name: domainName(view, domid) };
  const subject = `${domain.name}/${card}`;
  if (isGone(view, domid)) {
    const what = `domain ${domid} is gone, and the record of its card is left over`;
    return [warn(subject, what, remove(paths.libxl, paths.backend))];
  }
  const missing = missingPart(view, record);
  if (missing !== undefined) {
    return [fail(subject, missing, { command: `xsnd deprovision ${domid} ${card} --force` })];
  }
  const { problems = [] } = readCards(view, domain).find(({ address }) => address.card === card) ?? {};
  return [
    ...problems.map((problem) => fail(subject, problem, { command: `xsnd show ${domid}` })),
    ...wrongPermissions(view, record).map(({ path, what, wanted }) =>
      fail(subject, what, { command: `xenstore-chmod ${path} ${wanted}` })
    ),
  ];
}

/** The first node that the card lacks, in words; undefined for a complete card. A card written in one transaction is complete. */
function missingPart(view: StoreView, { address, paths }: CardRecord): string | undefined {
  for (const end of ["frontend", "backend"] as const) {
    if (view.read(paths[end]) === undefined) return `the card has no ${end} directory ${paths[end]}`;
    if (view.read(`${paths[end]}/state`) === undefined) {
      return `the card is incomplete: ${paths[end]} has no state`;
    }
  }
  const expected = { frontend: paths.frontend, "frontend-id": String(address.domid) };
  for (const [node, value] of Object.entries(expected)) {
    const found = view.read(`${paths.backend}/${node}`);
    if (found !== value) {
      return `the card is incomplete: ${paths.backend}/${node} is ${JSON.stringify(found ?? null)}`;
    }
  }
}

/** The directory of one end of a card. */
interface Directory {
  readonly end: "frontend" | "backend";
  readonly address: CardAddress;
  readonly path: string;
}

/** The finding about a directory without a record, which `xl` and `xsnd list` do not see. */
function ofUnrecorded(view: StoreView, { end, address, path }: Directory): Finding {
  const { domid, card } = address;
  const subject = `${domainName(view, domid)}/${card}`;
  if (isGone(view, domid)) {
    return warn(subject, `domain ${domid} is gone, and its ${end} is left over`, remove(path));
  }
  const other = end === "frontend" ? "backend" : "frontend";
  const what = view.read(cardPaths(address)[other]) === undefined
    ? `a ${end} without ${other}, and without a record in /libxl`
    : `a ${end} without a record in /libxl: xl cannot detach it`;
  return fail(subject, what, remove(path));
}

function backends(view: StoreView): Directory[] {
  return numbers(view, "/local/domain").flatMap((backendDomid) =>
    numbers(view, backendsPath(backendDomid)).flatMap((domid) =>
      numbers(view, `${backendsPath(backendDomid)}/${domid}`).map((card) => {
        const address = { domid, card, backendDomid };
        return { end: "backend", address, path: cardPaths(address).backend } as const;
      })
    )
  );
}

function frontends(view: StoreView): Directory[] {
  return numbers(view, "/local/domain").flatMap((domid) => {
    const sample = frontendPath(domid, 0);
    return numbers(view, sample.slice(0, sample.lastIndexOf("/"))).map((card) => {
      const path = frontendPath(domid, card);
      const backendDomid = Number(/^\d{1,5}$/.exec(view.read(`${path}/backend-id`) ?? "")?.[0] ?? 0);
      return { end: "frontend", address: { domid, card, backendDomid }, path } as const;
    });
  });
}

function numbers(view: StoreView, path: string): number[] {
  return (view.list(path) ?? []).filter((name) => /^\d{1,5}$/.test(name)).map(Number).sort((a, b) => a - b);
}

function isGone(view: StoreView, domid: number): boolean {
  return view.list(`/local/domain/${domid}`) === undefined;
}

/**
 * The command that removes `paths`. `-t` removes empty parents too, as libxl does. The paths consist of numbers and fixed names,
 * so a shell takes each for one word.
 */
function remove(...paths: string[]): { command: string } {
  return { command: `xenstore-rm -t ${paths.join(" ")}` };
}

interface WrongPermissions {
  readonly path: string;
  readonly what: string;
  /** The right permissions, as xenstore-chmod takes them. */
  readonly wanted: string;
}

/**
 * The nodes with other permissions than libxl and `provision` give them (card_tree.ts). A guest that can read the policy, or write
 * in the backend's directory, can get round the host's decisions.
 */
function wrongPermissions(view: StoreView, { address, paths }: CardRecord): WrongPermissions[] {
  const { domid, backendDomid } = address;
  const policy = `${paths.backend}/${POLICY_DIRECTORY}`;
  const wanted: readonly [path: string, permissions: string][] = [
    [paths.libxl, "n0"],
    [paths.frontend, `n${domid} r${backendDomid}`],
    [paths.backend, `n${backendDomid} r${domid}`],
    [`${paths.backend}/state`, `n${backendDomid} r${domid}`],
    [`${paths.backend}/online`, `n${backendDomid} r${domid}`],
    ...below(view, policy).map((path): [string, string] => [path, `n${backendDomid}`]),
  ];
  return wanted.flatMap(([path, wanted]) => {
    const permissions = view.getPermissions(path);
    const found = permissions?.map(letters).join(" ");
    if (found === undefined || found === wanted) return [];
    return [{ path, wanted, what: `${path} has the permissions ${found}, and should have ${wanted}` }];
  });
}

function letters({ domid, access }: Permission): string {
  return `${access[0]}${domid}`;
}

function below(view: StoreView, path: string): string[] {
  const names = view.list(path);
  return names === undefined ? [] : [path, ...names.flatMap((name) => below(view, `${path}/${name}`))];
}
