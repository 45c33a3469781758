// SPDX-License-Identifier: MIT
/** The manual page xsnd.yaml(5), made from the table of keys and the schema's own list of the keys at each level. */
import { stringify } from "yaml";
import { type ConfigKey, describeKey } from "../../lib/vsnd/config/key_table.ts";
import { KEYS } from "../../lib/vsnd/config/schema.ts";
import { fieldName, PARAM_KEYS } from "../../lib/vsnd/model/param_nodes.ts";
import type { Block, Page, Part, Term } from "./page.ts";

/** The levels of a file, from the outside in: the key above, as in KEYS, and the title. */
const LEVELS: Readonly<Record<string, string>> = {
  "": "The file",
  domains: "A domain",
  cards: "A card",
  pcms: "A PCM",
  streams: "A stream",
};

/** Keys that card, PCM and stream share. */
const PARAMETERS = PARAM_KEYS.map(fieldName);

/** Pages of the commands that read or write configuration files. */
export const CONFIGURATION_COMMANDS: readonly string[] = [
  "provision",
  "diff",
  "check",
  "probe",
  "import",
  "export",
  "serve",
]
  .map((name) => `xsnd-${name}`);

/** A file with the keys that a first one needs. */
const EXAMPLE = `domains:
  domU:
    cards:
      - short-name: VCard
        sample-rates: [44100, 48000]
        pcms:
          - name: Main
            streams:
              - { type: playback, unique-id: speakers, device: "hw:0,0" }
              - { type: capture, unique-id: mic, device: "hw:0,0" }
`;

/** What streams share, said once. */
const SHARED_EXAMPLE = `x-speakers: &speakers
  type: playback
  device: "hw:0,0"
  sample-rates: [48000]
domains:
  domU:
    cards: [{ pcms: [{ streams: [*speakers] }] }]
  domV:
    cards: [{ pcms: [{ streams: [{ <<: *speakers, device: "hw:1,0" }] }] }]
`;

/** Inheritance, several PCMs, and a stream that is denied. */
const LARGER_EXAMPLE = `domains:
  music:
    cards:
      - short-name: Studio
        sample-rates: [44100, 48000, 96000]
        sample-formats: [s16_le, s32_le]
        channels-max: 6
        pcms:
          - name: Surround
            channels-min: 6
            streams:
              - { type: playback, device: "surround51:CARD=0,DEV=0" }
          - name: Stereo
            channels-max: 2
            streams:
              - { type: playback, device: "plughw:0,0", sample-rates: [48000] }
              - { type: capture, device: "hw:0,0", denied: true }
  recorder:
    backend: sound-driver-domain
    cards:
      - pcms:
          - streams:
              - { type: playback, device: "dummy:/var/lib/xsnd/recorder.wav" }
`;

export function configurationPage(): Page {
  return {
    name: "xsnd.yaml",
    section: 5,
    summary: "sound cards of Xen guests, as xsnd configures them",
    parts: [
      {
        title: "Description",
        blocks: [
          "A configuration file lists guests, their sound cards, and the host's device behind each stream. xsnd-provision(1) " +
          "writes the cards into XenStore. xsnd-serve(1) with `--config` takes the devices for cards that xl(1) made. The " +
          "file has no fixed name: each command takes its path. `/etc/xsnd/xsnd.yaml` is customary.",
          "The file is YAML 1.2 in UTF-8, of at most 1 MiB. Keys have the names of xl.cfg(5) and of sndif.h. An unknown key is an " +
          "error, and so is a key that occurs twice. xsnd-check(1) reports every error with its line, the reason, and what " +
          "to write instead.",
          { code: EXAMPLE, language: "yaml" },
          "xsnd-example(1) prints a file with every key. What several streams share can be said once: a key that begins with " +
          "`x-` has no meaning of its own, `&name` names a value, `*name` repeats it, and `<<` merges a map, or those of a " +
          "list, into its own map, whose own keys count more:",
          { code: SHARED_EXAMPLE, language: "yaml" },
          "A domain has cards, a card has PCMs, and a PCM has streams. The guest sees a card as a sound card, a PCM as a device of " +
          "that card, and the streams as the subdevices of the PCM. Cards, PCMs and streams have no numbers in the file: the " +
          "number of each is its place in its list, from 0.",
        ],
      },
      ...Object.entries(LEVELS).map(([level, title]): Part => ({
        title,
        blocks: [
          ...keysOf(level),
          ...(KEYS[level]!.some((key) => PARAMETERS.includes(key))
            ? [`${title} can also have the parameters below.`]
            : []),
        ],
      })),
      {
        title: "Parameters",
        blocks: [
          "Parameters say what a guest can open a stream with. They can stand at a card, at a PCM and at a stream.",
          { terms: PARAMETERS.map((key) => describe(key as ConfigKey)) },
        ],
      },
      {
        title: "Examples",
        blocks: [
          "A guest with a surround and a stereo PCM and a microphone that is denied, and a guest of a driver domain whose sound goes to a file:",
          { code: LARGER_EXAMPLE, language: "yaml" },
        ],
      },
      {
        title: "Files",
        blocks: [{
          terms: [
            { term: "/usr/share/doc/xsnd/examples", blocks: ["Example configuration files."] },
            {
              term: "/usr/share/xsnd/xsnd.schema.json",
              blocks: [
                "JSON Schema of the file. An editor that speaks yaml-language-server completes and checks a file whose first line is",
                {
                  code: "# yaml-language-server: $schema=/usr/share/xsnd/xsnd.schema.json",
                  language: "yaml",
                },
              ],
            },
          ],
        }],
      },
      {
        title: "See also",
        blocks: [{
          references: ["xsnd(1)", ...CONFIGURATION_COMMANDS.map((name) => `${name}(1)`), "xl.cfg(5)"],
        }],
      },
    ],
  };
}

function keysOf(level: string): Block[] {
  const own = KEYS[level]!.filter((key) => !PARAMETERS.includes(key));
  return [{ terms: own.map((key) => describe(key as ConfigKey)) }];
}

function describe(key: ConfigKey): Term {
  const { meaning, values, default: without, example, why } = describeKey(key);
  return {
    term: key,
    blocks: [
      meaning,
      `Value: ${values}.`,
      without === undefined ? "Required." : `Default: ${without}.`,
      ...(why === undefined ? [] : [`Reason: ${why}.`]),
      { code: exampleOf(key, example), language: "yaml" },
    ],
  };
}

/** The key with its example, as a file has it. A list of plain values is in one line. */
function exampleOf(key: string, example: unknown): string {
  const isFlat = Array.isArray(example) && example.every((item) => typeof item !== "object");
  const text = stringify(example, { collectionStyle: isFlat ? "flow" : "any", flowCollectionPadding: false });
  return isFlat || typeof example !== "object" ? `${key}: ${text}` : stringify({ [key]: example });
}
