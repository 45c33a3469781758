// SPDX-License-Identifier: MIT
/**
 * The texts that an administrator puts into the file of `--config`, and provisions. They name the streams of `XL_CARDS`, and two
 * guests, domU and domV, on the devices of the world's host.
 */
import type { Random } from "../machine/random.ts";

/** The guests that the files name. */
export const GUEST_NAMES = ["domU", "domV"] as const;

export interface Configuration {
  /** For logs. */
  readonly name: string;
  readonly text: string;
  readonly isValid: boolean;
}

/** The file with the same cards for both guests. */
function bothGuests(...cards: readonly string[]): string {
  return file(...GUEST_NAMES.map((name) => guest(name, ...cards)));
}

const file = (...guests: readonly string[]) => `domains:\n${guests.join("")}`;

const guest = (name: string, ...cards: readonly string[]) => `  ${name}:\n    cards:\n${cards.join("")}`;

/** A card of one PCM with `streams`. */
function card(params: string, ...streams: readonly string[]): string {
  const lines = streams.map((stream) => `              - { ${stream} }\n`);
  return `      - short-name: Card\n${params}        pcms:\n          - streams:\n${lines.join("")}`;
}

const DENIED = ", denied: true";

/** The streams of the cards that people give their guests, each with `rest`. */
function named(device: string, rest = ""): string[] {
  return [
    `type: playback, unique-id: pulse, device: "${device}"${rest}`,
    `type: capture, unique-id: pulse, device: "${device}"${rest}`,
    `type: playback, unique-id: speakers, device: "${device}"${rest}`,
    `type: playback, unique-id: front, device: "${device}"${rest}`,
    `type: capture, unique-id: mic, device: "${device}"${rest}`,
  ];
}

const valid = (name: string, text: string): Configuration => ({ name, text, isValid: true });
const invalid = (name: string, text: string): Configuration => ({ name, text, isValid: false });

export const CONFIGURATIONS: readonly Configuration[] = [
  valid("hw:0", bothGuests(card("", ...named("hw:0")))),
  valid("hw:1", bothGuests(card("", ...named("hw:1")))),
  valid("plughw:0", bothGuests(card("", ...named("plughw:0")))),
  valid("pulse", bothGuests(card("        buffer-size: 4194304\n", ...named("pulse")))),
  valid("dummy:", bothGuests(card("        buffer-size: 4194304\n", ...named("dummy:")))),
  valid("all denied", bothGuests(card("", ...named("hw:0", DENIED)))),
  valid(
    "capture denied",
    bothGuests(card(
      "",
      'type: playback, unique-id: pulse, device: "hw:0"',
      'type: capture, unique-id: pulse, device: "hw:0", denied: true',
      'type: playback, unique-id: speakers, device: "hw:0"',
      'type: capture, unique-id: mic, device: "hw:0", denied: true',
    )),
  ),
  valid(
    "narrow",
    bothGuests(card(
      "        sample-rates: [48000]\n        sample-formats: [s16_le]\n        channels-max: 2\n        buffer-size: 32768\n",
      ...named("hw:0"),
    )),
  ),
  valid(
    "wide",
    bothGuests(card(
      "        sample-rates: [44100, 48000, 96000]\n        sample-formats: [s16_le, s32_le]\n        channels-max: 8\n" +
        "        buffer-size: 4194304\n",
      ...named("dummy:"),
      'type: playback, unique-id: wide, device: "dummy:"',
    )),
  ),
  // Without unique-ids, a stream is found by its place.
  valid(
    "by place",
    bothGuests(
      card("", 'type: playback, device: "hw:0"', 'type: capture, device: "hw:0"'),
      card("", 'type: playback, device: "hw:1"', 'type: capture, device: "dummy:"'),
    ),
  ),
  valid(
    "by place, denied",
    bothGuests(
      card("", 'type: playback, device: "hw:0", denied: true', 'type: capture, device: "hw:0", denied: true'),
      card("", 'type: playback, device: "hw:1"', 'type: capture, device: "dummy:", denied: true'),
    ),
  ),
  valid(
    "each its own device",
    file(guest("domU", card("", ...named("hw:0"))), guest("domV", card("", ...named("hw:1")))),
  ),
  valid(
    "domU denied",
    file(guest("domU", card("", ...named("hw:1", DENIED))), guest("domV", card("", ...named("hw:1")))),
  ),
  valid("domV alone", file(guest("domV", card("", ...named("hw:1"))))),
  // The first guest by its number, as long as that is 1.
  valid("domain 1", file(guest('"1"', card("", ...named("pulse"))))),
  invalid("an unknown key", bothGuests(card("        colour: blue\n", ...named("hw:0")))),
  invalid("half a file", bothGuests(card("", ...named("hw:0"))).slice(0, 200)),
  invalid("no YAML", "domains: [}\n"),
  invalid("nothing", ""),
];

export const VALID_CONFIGURATIONS: readonly Configuration[] = CONFIGURATIONS.filter(({ isValid }) => isValid);

/** The text with every stream denied, or with none if some are. */
export function withDenialTurned(text: string): string {
  return text.includes(DENIED)
    ? text.replaceAll(DENIED, "")
    : text.replaceAll(/("|dummy:)( \})/g, `$1${DENIED}$2`);
}

/** Mostly a valid one. */
export function anyConfiguration(random: Random): Configuration {
  return random.oneIn(6) ? random.pick(CONFIGURATIONS) : random.pick(VALID_CONFIGURATIONS);
}
