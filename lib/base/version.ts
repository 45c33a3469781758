// SPDX-License-Identifier: MIT
/** Which xsnd this is. The version is written in deno.json and nowhere else. */
import project from "../../deno.json" with { type: "json" };

export const VERSION: string = project.version;
