// SPDX-License-Identifier: MIT
/** What the doctor finds, and what a check is. */
import { XsndError } from "../base/error.ts";

/** How bad it is: fine, of interest, in the way of serving guests; or not looked at. */
export type Level = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  readonly level: Level;
  /** What was looked at, in a word or two. Not to be believed: it may be a guest's text, and so may the rest. */
  readonly subject: string;
  /** How it is. */
  readonly detail: string;
  /** What to do about it, in words. */
  readonly mend?: string;
  /** What to do about it, as a command line. */
  readonly command?: string;
}

export interface Check {
  /** What it looks at, for when it gives no answer. */
  readonly subject: string;
  /** Returns what it found; what it throws is found by {@link fromError}. May block its thread. */
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

/** Our errors say what went wrong, and after a semicolon what mends it. Anything else is a defect, of the doctor or below. */
export function fromError(subject: string, error: unknown, level: Level = "fail"): Finding {
  if (!(error instanceof Error)) return { level, subject, detail: String(error) };
  if (!(error instanceof XsndError)) return { level, subject, detail: `${error.name}: ${error.message}` };
  const [detail, ...mend] = error.message.split("; ");
  return { level, subject, detail, ...(mend.length > 0 && { mend: mend.join("; ") }) };
}
