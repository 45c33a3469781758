// SPDX-License-Identifier: MIT
/**
 * What a file is that a command for configurations was given in place of one: told by how it begins, so that the message
 * names the command that takes it.
 */
import type { Finding } from "../model/finding.ts";
import { looksLikeXl, withoutMark } from "../xl/syntax.ts";

/** The syntax that a command reads. */
export type Syntax = "YAML" | "xl";

/** Characters that tell one kind of text from another: a bound for patterns that look far ahead. */
const BEGINNING = 16_384;

/** The indentation holds nothing that ends a line: else a text of such characters alone takes time by the square of its length. */
const COMMENT_LINES = /^[^\S\n\r\u2028\u2029]*#.*$/gm;

const NOTHING: Readonly<Record<Syntax, string>> = {
  YAML: "write a map with the key domains, or let `xsnd probe --yaml` print one for this host's cards",
  xl: "write vsnd = [[...]], or let `xsnd export` print it",
};

/** The finding about a file that holds no text; undefined for one that may. */
export function foreignOctets(octets: Uint8Array, file: string): Finding | undefined {
  const text = String.fromCharCode(...octets.subarray(0, 16));
  if (/^(?:RIFF|RIFX|RF64|BW64)[^]{4}WAVE/.test(text)) {
    return foreign("a WAV file", `\`xsnd play ${file} DOMAIN\` plays it`);
  }
  if (text.startsWith("\x89XSNDTR\n")) {
    return foreign("a trace of xsnd", `\`xsnd trace show ${file}\` shows it`);
  }
  const isUtf16 = /^(?:\xff\xfe|\xfe\xff)/.test(text);
  if (!isUtf16 && octets.includes(0)) {
    return foreign("binary data", "name a configuration: a text in YAML, or an xl.cfg");
  }
}

/** The finding about a text in another syntax than is read; undefined if it may be in that one. */
export function foreignText(source: string, file: string, wanted: Syntax): Finding | undefined {
  if (source.replace(COMMENT_LINES, "").trim() === "") {
    const what = source.trim() === "" ? "the file is empty" : "the file holds nothing but comments";
    return { path: [], what, instead: NOTHING[wanted] };
  }
  const text = withoutMark(source).slice(0, BEGINNING);
  if (isOfSndBe(text)) {
    return foreign(
      "a configuration of the backend snd_be",
      "xsnd takes none: write its devices into the YAML that `xsnd import` makes of the guest's xl.cfg",
    );
  }
  if (/^\s*</.test(text)) {
    return foreign("XML", "`virsh domxml-to-native xen-xl` makes an xl configuration of libvirt's");
  }
  if (wanted === "YAML" && looksLikeXl(text)) {
    return foreign("an xl configuration and not YAML", `\`xsnd import ${file}\` makes YAML of it`);
  }
  if (wanted === "xl" && looksLikeYaml(text)) {
    const instead =
      `\`xsnd provision -f ${file}\` takes it as it is, and \`xsnd export ${file}\` makes an xl configuration ` +
      "of it";
    return foreign("YAML and not an xl configuration", instead);
  }
}

function foreign(what: string, instead: string): Finding {
  return { path: [], what: `the file is ${what}`, instead };
}

/** snd_be of xen-troops reads libconfig: `soundSystem`, and groups of streams with an id and a device each. */
function isOfSndBe(text: string): boolean {
  const said = text.replace(/\/\*[^]*?\*\/|^[^\S\n\r\u2028\u2029]*(?:\/\/|#).*$/gm, "");
  return /^[^\S\n\r\u2028\u2029]*(?:soundSystem\s*[=:]|(?:playback|capture)Streams\s*[=:]?\s*\{)/m.test(said);
}

/** Whether the first line that says something begins a YAML document or a JSON object, or is a key with a colon. */
function looksLikeYaml(text: string): boolean {
  return /^(?:\s|#.*\n)*(?:---(?:\s|$)|%YAML|\{|["']?[\w-]+["']?\s*:(?:\s|$))/.test(text);
}
