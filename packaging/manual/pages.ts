// SPDX-License-Identifier: MIT
/** All manual pages. */
import { pagesOfCommands } from "./commands.ts";
import { configurationPage } from "./configuration.ts";
import type { Page } from "./page.ts";

/** xsnd(1), a page a command in the order of the overall help, and xsnd.yaml(5). */
export async function manualPages(): Promise<Page[]> {
  return [...await pagesOfCommands(), configurationPage()];
}
