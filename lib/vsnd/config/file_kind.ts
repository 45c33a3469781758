// SPDX-License-Identifier: MIT
/**
 * Recognising files that are no configuration, or one in another syntax, by their first octets, so that the message can name the
 * command for such a file.
 */
import type { Finding } from "../model/finding.ts";
import { looksLikeXl, withoutMark } from "../xl/syntax.ts";

/** The syntax that a command reads. */
export type Syntax = "YAML" | "xl";

/** The characters that are looked at. The bound keeps patterns that look far ahead fast. */
const BEGINNING = 16_384;

/** The indentation must not match line ends: a text of line ends alone would take time by the square of its length. */
const COMMENT_LINES = /^[^\S\n\r\u2028\u2029]*#.*$/gm;

const NOTHING: Readonly<Record<Syntax, string>> = {
  YAML: "write a map with the key domains, or let `xsnd probe --yaml` print one for this host's devices",
  xl: "write vsnd = [[...]], or let `xsnd export` print it",
};

/** The finding about octets that are no text; undefined for octets that may be text. */
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

/** The finding about a text that is not in the `wanted` syntax; undefined if the text may be. */
export function foreignText(source: string, file: string, wanted: Syntax): Finding | undefined {
  if (source.replace(COMMENT_LINES, "").trim() === "") {
    const what = source.trim() === "" ? "the file is empty" : "the file holds nothing but comments";
    return { path: [], what, instead: NOTHING[wanted] };
  }
  const text = withoutMark(source).slice(0, BEGINNING);
  if (isOfSndBe(text)) {
    return foreign(
      "a configuration of the backend snd_be",
      "write its devices into the YAML that `xsnd import` makes of the guest's xl.cfg",
    );
  }
  if (/^\s*</.test(text)) {
    return foreign("XML", "`virsh domxml-to-native xen-xl` converts libvirt's XML to an xl configuration");
  }
  if (wanted === "YAML" && looksLikeXl(text)) {
    return foreign("an xl configuration and not YAML", `\`xsnd import ${file}\` converts it to YAML`);
  }
  if (wanted === "xl" && looksLikeYaml(text)) {
    const instead =
      `\`xsnd provision -f ${file}\` takes it as it is, and \`xsnd export ${file}\` converts it to an xl ` +
      "configuration";
    return foreign("YAML and not an xl configuration", instead);
  }
}

function foreign(what: string, instead: string): Finding {
  return { path: [], what: `the file is ${what}`, instead };
}

/** Whether the text configures snd_be of xen-troops: libconfig with `soundSystem`, or groups of streams with an id and a device. */
function isOfSndBe(text: string): boolean {
  const said = text.replace(/\/\*[^]*?\*\/|^[^\S\n\r\u2028\u2029]*(?:\/\/|#).*$/gm, "");
  return /^[^\S\n\r\u2028\u2029]*(?:soundSystem\s*[=:]|(?:playback|capture)Streams\s*[=:]?\s*\{)/m.test(said);
}

/** Whether the first line besides comments begins a YAML document or a JSON object, or is a key with a colon. */
function looksLikeYaml(text: string): boolean {
  return /^(?:\s|#.*\n)*(?:---(?:\s|$)|%YAML|\{|["']?[\w-]+["']?\s*:(?:\s|$))/.test(text);
}
