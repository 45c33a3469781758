// SPDX-License-Identifier: MIT
/** Commands that read configurations refuse files of other kinds. */
import assert from "node:assert/strict";
import { ConfigError } from "../../lib/vsnd/config/config_error.ts";
import { loadConfig } from "../../lib/vsnd/config/yaml_file.ts";
import { foreignOctets, foreignText } from "../../lib/vsnd/config/file_kind.ts";
import { formatFinding } from "../../lib/vsnd/model/finding.ts";
import { checkFile, readXl } from "../../lib/vsnd/config/config_file.ts";

/** A configuration of snd_be, laid out as in its sources. */
const SND_BE = `// which sound system
soundSystem = "PULSE";

playbackStreams:
{
    defaultDevice = "default";
    streams = ( { id = "media"; device = "hw:0,0" } );
};
captureStreams: { defaultDevice = ""; streams = (); };
`;
const YAML = "domains:\n  a: { cards: [ { pcms: [ { streams: [ { type: p, device: d } ] } ] } ] }\n";
const XL = "# a guest\nname = 'a'\nvsnd = [['STREAM, type=p']]\n";

const sndBe = /the file is a configuration of the backend snd_be; write its devices into the YAML that/;
const isXl = /^F:1:1: the file is an xl configuration and not YAML; `xsnd import F` converts it to YAML$/;
const isYaml =
  /^F:1:1: the file is YAML and not an xl configuration; `xsnd provision -f F` takes it .* and `xsnd export F` converts/;
const empty = /^F:1:1: the file is empty; write /;
const comments = /^F:1:1: the file holds nothing but comments; write /;
const xml = /the file is XML; `virsh domxml-to-native xen-xl` converts .* to an xl configuration/;

type Case = readonly [name: string, text: string, yaml: RegExp | undefined, xl: RegExp | undefined];
const cases: readonly Case[] = [
  ["YAML", YAML, undefined, isYaml],
  ["YAML with a mark", `\ufeff${YAML}`, undefined, isYaml],
  ["YAML after comments", `# c\n\n---\n${YAML}`, undefined, isYaml],
  ["JSON", '{ "domains": {} }', undefined, isYaml],
  ["an xl.cfg", XL, isXl, undefined],
  ["an xl.cfg with a mark", `\ufeff${XL}`, isXl, undefined],
  ["an xl.cfg with CRLF", XL.replaceAll("\n", "\r\n"), isXl, undefined],
  ["an snd_be.cfg", SND_BE, sndBe, sndBe],
  ["an snd_be.cfg without comments", SND_BE.replace(/^\/\/.*\n/, ""), sndBe, sndBe],
  ["an snd_be.cfg of groups only", "/* c */\ncaptureStreams = {\n};\n", sndBe, sndBe],
  ["XML", "<?xml version='1.0'?>\n<domain type='xen'/>", xml, xml],
  ["nothing", "", empty, empty],
  ["a mark", "\ufeff \n\n", empty, empty],
  ["comments", "# one\n\n # two\n", comments, comments],
  ["broken xl", "[= 1\n", undefined, undefined],
];
for (const [name, text, yaml, xl] of cases) {
  Deno.test(`foreignText() tells ${name}`, () => {
    for (const [wanted, expected] of [["YAML", yaml], ["xl", xl]] as const) {
      const finding = foreignText(text, "F", wanted);
      const said = finding === undefined ? "" : formatFinding("F", { ...finding, line: 1, column: 1 });
      if (expected === undefined) assert.equal(said, "", wanted);
      else assert.match(said, expected, wanted);
    }
  });
}

Deno.test("foreignText() takes no time by the square of a text's length, whatever ends its lines", () => {
  const begin = performance.now();
  for (const end of ["\r", "\u2028", "\u2029", "\n", " "]) foreignText(`${end.repeat(60_000)}x`, "F", "YAML");
  assert(performance.now() - begin < 5000, `${performance.now() - begin} ms`);
});

Deno.test("foreignOctets() tells files that hold no text, and leaves texts alone", () => {
  const encoder = new TextEncoder();
  const head = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const kinds: readonly (readonly [Uint8Array, RegExp | undefined])[] = [
    [head("RIFF\xff\xff\xff\xffWAVEfmt "), /a WAV file; .*`xsnd play F DOMAIN` plays it/],
    [head("RF64\xff\xff\xff\xffWAVEds64"), /a WAV file/],
    [head("\x89XSNDTR\n\x01\0"), /a trace of xsnd; .*`xsnd trace show F` shows it/],
    [head("\x7fELF\x02\0\0"), /binary data/],
    [head("\xff\xfed\0o\0"), undefined],
    [encoder.encode(YAML), undefined],
    [encoder.encode("RIFF: é"), undefined],
    [new Uint8Array(), undefined],
  ];
  for (const [octets, expected] of kinds) {
    const finding = foreignOctets(octets, "F");
    if (expected === undefined) assert.equal(finding, undefined);
    else assert.match(`${finding?.what}; ${finding?.instead}`, expected);
  }
});

Deno.test("a file is told what it is by whatever reads it, once, with the place", () => {
  const path = Deno.makeTempFileSync();
  try {
    for (
      const [text, expected] of [[XL, /^[^\n]*:1:1: the file is an xl config[^\n]*$/], [
        "",
        /^[^\n]* is empty; [^\n]*$/,
      ]] as const
    ) {
      Deno.writeTextFileSync(path, text);
      assert.throws(
        () => loadConfig(path),
        (error) => error instanceof ConfigError && expected.test(error.message),
      );
    }
    Deno.writeTextFileSync(path, SND_BE);
    assert.throws(() => checkFile(path), sndBe);
    Deno.writeFileSync(path, Uint8Array.from("RIFF\x24\xa0\xff\0WAVEfmt ", (c) => c.charCodeAt(0)));
    for (const read of [loadConfig, checkFile]) assert.throws(() => read(path), /the file is a WAV file/);
    const domain = { domain: "a", device: "d" };
    assert.throws(() => readXl(YAML, path, domain), /the file is YAML and not an xl/);
    Deno.writeTextFileSync(path, `\ufeff${YAML}`);
    assert.equal(loadConfig(path).size, 1);
  } finally {
    Deno.removeSync(path);
  }
});
