// SPDX-License-Identifier: MIT
/** Captures libasound's messages. A failed call returns an error number alone; libasound prints the reason on standard error. */
import { silenceAlsa } from "../../../ffi/alsa/alsa_error.ts";
import { libasound } from "../../../ffi/alsa/libasound.ts";
import { StderrCapture } from "../../../ffi/libc/stderr.ts";

/** Further messages of one call repeat the first ones, from further up the call stack. */
const MOST_MESSAGES = 5;
/** A message of error.c's `snd_lib_error_default`, or since alsa-lib 1.2.15 `snd_lib_vlog_default`. */
const MESSAGE = /^ALSA lib [^ ]*:\d+:\([^)]*\) (?:\[[\w.]*\] )?(.*)$/;
/** conf.c: a syntax error in a top-level file, with the place and without the file's name. */
const TOP_LEVEL = /^_toplevel_:(.*)$/;
/** conf.c: the following message, which names the file. */
const CORRUPTED = /^(.*) may be old or corrupted/;
/** conf.c: a position, `FILE:LINE:COLUMN:`, directly before the text. */
const PLACE = /^(.*?:\d+:\d+):\s*(.*)$/;
/** conf.c and confmisc.c: messages that follow a reported error, and add nothing. */
const AFTERMATH =
  /^(function \w+ returned error: |error evaluating |Evaluate error: |hooks failed, removing configuration)/;

/** Captures libasound's messages, and keeps plugins' output off the terminal, until the disposal. One at a time. */
export class AlsaMessages implements Disposable {
  readonly #stderr = new StderrCapture();

  constructor() {
    using stack = new DisposableStack();
    stack.use(this.#stderr);
    silenceAlsa(false);
    stack.move();
  }

  /** libasound's messages so far, the cause first. */
  list(): string[] {
    return parseAlsaMessages(this.#stderr.text());
  }

  [Symbol.dispose](): void {
    silenceAlsa();
    this.#stderr[Symbol.dispose]();
  }
}

/**
 * libasound's messages among the lines of `stderr`, each once: `/etc/asound.conf:3:8: Unexpected char`. Leaves out lines of other
 * libraries, and messages that add nothing to earlier ones.
 */
export function parseAlsaMessages(stderr: string): string[] {
  const messages: string[] = [];
  /** The places in a file whose name follows. */
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

/** `text`, followed by libasound's messages. */
export function withAlsaMessages(text: string, messages: readonly string[]): string {
  return messages.length === 0 ? text : `${text}; ALSA says: ${messages.join("; ")}`;
}

/** Reads ALSA's configuration anew; tells whether that succeeded, and libasound's messages. */
export function readAlsaConfiguration(): { readonly read: boolean; readonly messages: readonly string[] } {
  libasound().snd_config_update_free_global();
  using alsa = new AlsaMessages();
  const read = libasound().snd_config_update() >= 0;
  return { read, messages: alsa.list() };
}
