// SPDX-License-Identifier: MIT
/**
 * Finds the code blocks of a page, and reads from each block's info string where the block belongs:
 *
 *     sh dom0                     commands for dom0; `guest` and `build` are the guest and the machine that makes the package
 *     cfg dom0 /etc/xen/domU.cfg  the content of a file in dom0; `>>/etc/xen/domU.cfg` appends to the file
 *     sh dom0 no-lab              commands, or a file, that the lab cannot take as they are
 *
 * The first word is the language, as for any Markdown.
 */

export interface PageBlock {
  /** The info string, for messages. */
  readonly info: string;
  readonly language: string;
  /** dom0, guest or build; undefined if the block says none. */
  readonly place: string | undefined;
  /** The file that the block is the content of; undefined for commands. */
  readonly file: { readonly path: string; readonly append: boolean } | undefined;
  /** Whether the lab runs the block. */
  readonly inLab: boolean;
  /** The block's lines, each with its line end. */
  readonly text: string;
}

/** The fenced code blocks of a Markdown page, in order. Throws Error on an info string with a word of no meaning. */
export function pageBlocks(page: string): PageBlock[] {
  return [...page.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(([, info = "", text = ""]) => {
    const [language = "", place, ...rest] = info.split(" ");
    const inLab = rest.at(-1) !== "no-lab";
    const [file, ...unknown] = inLab ? rest : rest.slice(0, -1);
    const name = /^(>>)?(\/.+)$/.exec(file ?? "");
    if (unknown.length > 0 || (file !== undefined && name === null)) {
      throw new Error(`"${info}" is none of: LANGUAGE, LANGUAGE PLACE [FILE|>>FILE] [no-lab]`);
    }
    return {
      info,
      language,
      place,
      file: name === null ? undefined : { path: name[2]!, append: name[1] !== undefined },
      inLab,
      text,
    };
  });
}
