// SPDX-License-Identifier: MIT
/** Makes and removes the files of a domain by which processes share pages and event channels; see `layout.ts`. */
import { EVTCHN_FILE_BYTES, evtchnPath, GONE, GRANTS_FILE_BYTES, grantsPath } from "../layout.ts";

/** Makes the domain's tables, empty. The pages take no memory before their use. */
export function createDomainFiles(directory: string, domid: number): void {
  const files = [[grantsPath(directory, domid), GRANTS_FILE_BYTES], [
    evtchnPath(directory, domid),
    EVTCHN_FILE_BYTES,
  ]] as const;
  for (const [path, bytes] of files) {
    using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    file.truncateSync(bytes);
  }
}

/** Marks the domain's tables as {@link GONE}, for processes that have mapped them, and unlinks all files of the domain. */
export function retireDomainFiles(directory: string, domid: number): void {
  for (const path of [grantsPath(directory, domid), evtchnPath(directory, domid)]) {
    using file = Deno.openSync(path, { write: true });
    file.writeSync(Uint8Array.of(GONE, 0, 0, 0));
    Deno.removeSync(path);
  }
  const fifos = evtchnPath("", domid).slice(1) + ".";
  for (const { name } of Deno.readDirSync(directory)) {
    if (name.startsWith(fifos)) Deno.removeSync(`${directory}/${name}`);
  }
}
