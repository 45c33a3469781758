// SPDX-License-Identifier: MIT
/** libasound's own diagnosis. A call returns no more than an error number; the reason goes to standard error. */
import { silenceAlsa } from "../../../ffi/alsa/alsa_error.ts";
import { libasound } from "../../../ffi/alsa/libasound.ts";
import { StderrCapture } from "../../../ffi/libc/stderr.ts";

/** One call's messages beyond this number repeat the first ones from further up the call stack. */
const MOST_MESSAGES = 5;
/** `snd_lib_error_default` of error.c, and since alsa-lib 1.2.15 `snd_lib_vlog_default`. */
const MESSAGE = /^ALSA lib [^ ]*:\d+:\([^)]*\) (?:\[[\w.]*\] )?(.*)$/;
/** conf.c: a syntax error in a file that another one did not include has the place, and not the name, of the file. */
const TOP_LEVEL = /^_toplevel_:(.*)$/;
/** conf.c: the name of the file, which follows. */
const CORRUPTED = /^(.*) may be old or corrupted/;
/** A position that conf.c gives, `FILE:LINE:COLUMN:`, and the text, without a space between them. */
const PLACE = /^(.*?:\d+:\d+):\s*(.*)$/;
/** conf.c and confmisc.c on the way back from an error that they have reported. */
const AFTERMATH =
  /^(function \w+ returned error: |error evaluating |Evaluate error: |hooks failed, removing configuration)/;

/** Listens to libasound, and keeps the terminal clean of what plugins say, until its disposal. One at a time. */
export class AlsaMessages implements Disposable {
  readonly #stderr = new StderrCapture();

  constructor() {
    using stack = new DisposableStack();
    stack.use(this.#stderr);
    silenceAlsa(false);
    stack.move();
  }

  /** What libasound said so far, the cause first. */
  list(): string[] {
    return parseAlsaMessages(this.#stderr.text());
  }

  [Symbol.dispose](): void {
    silenceAlsa();
    this.#stderr[Symbol.dispose]();
  }
}

/**
 * libasound's messages among the lines of `stderr`, each once: `/etc/asound.conf:3:8: Unexpected char`. Lines of other libraries, and
 * messages that add nothing to those before, are left out.
 */
export function parseAlsaMessages(stderr: string): string[] {
  const messages: string[] = [];
  /** Of a file whose name is still to come. */
  let places: string[] = [];
  for (const line of stderr.split("\n")) {
    const message = MESSAGE.exec(line)?.[1];
    if (message === undefined) continue;
    const place = TOP_LEVEL.exec(message)?.[1];
    const file = CORRUPTED.exec(message)?.[1];
    if (place !== undefined) places.push(place);
    else if (file === undefined || places.length === 0) messages.push(message);
    else {
      messages.push(...places.map((place) => `${file}:${place}`));
      places = [];
    }
  }
  messages.push(...places.map((place) => `its configuration:${place}`));
  const causes = messages.filter((message) => !AFTERMATH.test(message));
  const chosen = (causes.length > 0 ? causes : messages).map((message) => message.replace(PLACE, "$1: $2"));
  return [...new Set(chosen)].slice(0, MOST_MESSAGES);
}

/** `text`, and after it what libasound says. */
export function withAlsaMessages(text: string, messages: readonly string[]): string {
  return messages.length === 0 ? text : `${text}; ALSA says: ${messages.join("; ")}`;
}

/** Reads ALSA's configuration anew. */
export function readAlsaConfiguration(): { readonly read: boolean; readonly messages: readonly string[] } {
  libasound().snd_config_update_free_global();
  using alsa = new AlsaMessages();
  const read = libasound().snd_config_update() >= 0;
  return { read, messages: alsa.list() };
}
