// SPDX-License-Identifier: MIT
/** A finding of the doctor, and the checks that produce findings. */
import { XsndError } from "../base/error.ts";

/** `ok`: fine. `warn`: of interest. `fail`: guests cannot be served like this. `skip`: not checked. */
export type Level = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  readonly level: Level;
  /** The thing that was checked, in a word or two. This text and the others may come from a guest: escape before printing. */
  readonly subject: string;
  /** The state of the subject. */
  readonly detail: string;
  /** What to do, in words. */
  readonly mend?: string;
  /** What to do, as a command line. */
  readonly command?: string;
}

export interface Check {
  /** The subject of the finding if the check does not answer in time. */
  readonly subject: string;
  /** Returns the findings. An error that is thrown becomes a finding by {@link fromError}. May block its thread. */
  run(): Finding | Finding[] | Promise<Finding | Finding[]>;
}

export function ok(subject: string, detail: string): Finding {
  return { level: "ok", subject, detail };
}

export function skip(subject: string, detail: string): Finding {
  return { level: "skip", subject, detail };
}

type Cure = Pick<Finding, "mend" | "command">;

export function warn(subject: string, detail: string, cure: Cure = {}): Finding {
  return { level: "warn", subject, detail, ...cure };
}

export function fail(subject: string, detail: string, cure: Cure = {}): Finding {
  return { level: "fail", subject, detail, ...cure };
}

/**
 * The finding for an error. The message of an {@link XsndError} has the state before its first semicolon and the advice after it.
 * Any other error is a defect of xsnd.
 */
export function fromError(subject: string, error: unknown, level: Level = "fail"): Finding {
  if (!(error instanceof Error)) return { level, subject, detail: String(error) };
  if (!(error instanceof XsndError)) return { level, subject, detail: `${error.name}: ${error.message}` };
  const [detail = "", ...mend] = error.message.split("; ");
  return { level, subject, detail, ...(mend.length > 0 && { mend: mend.join("; ") }) };
}
