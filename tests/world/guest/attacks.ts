// SPDX-License-Identifier: MIT
/** What a hostile guest does, by name: one attack each. An attack that goes on does so by the guest's timers. */
import {
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  XENSND_OP_CLOSE,
  XENSND_OP_GET_VOLUME,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_MUTE,
  XENSND_OP_READ,
  XENSND_OP_SET_VOLUME,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_UNMUTE,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import type { Random } from "../machine/random.ts";
import type { HostileGuest } from "./hostile.ts";
import { RawStream } from "./raw_stream.ts";

/** The most octets that a buffer of the guest's has, and the most calls of one storm. */
const MOST_BUFFER = 65_536;
const MOST_STORM = 120;

/** Numbers at which something may break. */
const EDGES = [
  0,
  1,
  2,
  3,
  31,
  32,
  33,
  63,
  64,
  65,
  1023,
  1024,
  4095,
  4096,
  4097,
  0x7fffffff,
  0x80000000,
  0xfffffffe,
  0xffffffff,
];

/** Values of nodes that no driver writes. */
const TEXTS = [
  "",
  "-1",
  "0",
  "007",
  "1e9",
  "4294967296",
  "99999999999999999999",
  "NaN",
  "4\n",
  " 4",
  "../../0",
  "\u0000",
  "ä".repeat(40),
];

export const TRANSPORT = ["ring-ref", "event-channel", "evt-ring-ref", "evt-event-channel"] as const;
const PARAMETERS = [
  "sample-rates",
  "sample-formats",
  "channels-min",
  "channels-max",
  "buffer-size",
  "name",
  "type",
  "unique-id",
];

/** `stream`: one of the guest's, if there is any. */
export type Attack = (guest: HostileGuest, stream: RawStream | undefined, random: Random) => void;

const edge = (random: Random) => random.oneIn(3) ? random.word() : random.pick(EDGES);

/** Random words in a part of a page. */
function scribble(words: Int32Array, random: Random, most: number): void {
  if (words.length === 0) return;
  const from = random.below(words.length);
  for (let i = 0; i < random.between(1, most); i++) {
    words[(from + i) % words.length] = random.oneIn(4) ? edge(random) : random.word();
  }
}

function openRequest(random: Random, bytes: number, gref: number) {
  const frames = random.pick([1, 2, 4, 8]);
  return {
    pcmRate: random.oneIn(4) ? edge(random) : random.pick([8000, 44_100, 48_000]),
    pcmFormat: random.oneIn(4) ? random.below(256) : 2,
    pcmChannels: random.oneIn(4) ? random.below(256) : frames >> 1 || 1,
    bufferSz: random.oneIn(3) ? edge(random) : bytes,
    grefDirectory: gref,
    periodSz: random.oneIn(3) ? edge(random) : bytes >> 2,
  };
}

const NAMED = {
  /** Random words on the ring. */
  ringNoise: (guest, stream, random) => {
    if (stream === undefined) return;
    scribble(RawStream.words(stream.ring), random, 200);
    guest.domain.notify(stream.ports[0]);
  },
  /** Random words on the event page. */
  pageNoise: (guest, stream, random) => {
    if (stream === undefined) return;
    scribble(RawStream.words(stream.events), random, 200);
    guest.domain.notify(stream.ports[1]);
  },
  /** A producer index that cannot be. */
  reqProd: (guest, stream, random) => {
    if (stream === undefined) return;
    const words = RawStream.words(stream.ring);
    if (words.length > 0) words[0] = words[0]! + edge(random);
    guest.domain.notify(stream.ports[0]);
  },
  /** An event of the ring that asks for notifications never, or always. */
  ringEvents: (_guest, stream, random) => {
    const words = RawStream.words(stream?.ring);
    if (words.length > 0) words[random.pick([1, 2, 3])] = edge(random);
  },
  /** A consumer index that cannot be, or a producer index that is the backend's. */
  eventIndices: (_guest, stream, random) => {
    const words = RawStream.words(stream?.events);
    if (words.length > 0) words[random.below(2)] = words[0]! + edge(random);
  },
  /** Requests of any kind, in a row. */
  requests: (_guest, stream, random) => {
    for (let i = random.between(1, 40); i > 0; i--) {
      stream?.put((view, at, id) => {
        const operation = random.oneIn(8) ? random.below(256) : random.below(10);
        encodeRwRequest(view, at, id, operation, edge(random), edge(random));
        for (let word = 4; word < 16; word++) {
          if (random.oneIn(4)) view.setUint32(at + 4 * word, edge(random), true);
        }
      });
    }
  },
  /** A wrong OPEN: sizes, formats, directories of all kinds. */
  open: (guest, stream, random) => {
    if (stream === undefined) return;
    const bytes = random.between(1, MOST_BUFFER >> random.below(8));
    guest.try(() => stream.share(bytes, guest.backendDomid));
    const words = RawStream.words(stream.directory);
    const own = stream.directory?.grefs[0] ?? 0;
    switch (random.below(8)) {
      case 0: // a loop
        if (words.length > 0) words[0] = own;
        break;
      case 1: // another guest's page
        if (words.length > 1) words[1 + random.below(8)] = guest.foreignGref(random);
        break;
      case 2: // the same page twice
        if (words.length > 2) words[2] = words[1]!;
        break;
      case 3:
        scribble(words, random, 1024);
        break;
      case 4:
        stream.buffer?.revoke();
        break;
      case 5: // the ring as the buffer
        if (words.length > 1 && !stream.ring.buffer.detached) words[1] = stream.ring.grefs[0]!;
        break;
    }
    const gref = random.oneIn(4) ? random.pick([0, guest.foreignGref(random), edge(random)]) : own;
    stream.put((view, at, id) => encodeOpenRequest(view, at, id, openRequest(random, bytes, gref)));
  },
  /** A right OPEN, samples and a START: something is to break in mid-stream. */
  play: (guest, stream, random) => {
    if (stream === undefined) return;
    const bytes = 4096 * random.between(1, 8);
    if (guest.try(() => (stream.share(bytes, guest.backendDomid), true)) !== true) return;
    const grefDirectory = stream.directory!.grefs[0]!;
    const open = {
      pcmRate: 48_000,
      pcmFormat: 2,
      pcmChannels: 2,
      bufferSz: bytes,
      grefDirectory,
      periodSz: bytes >> 2,
    };
    stream.put((view, at, id) => encodeOpenRequest(view, at, id, open));
    stream.put((view, at, id) => encodeRwRequest(view, at, id, XENSND_OP_WRITE, 0, bytes));
    stream.put((view, at, id) => encodeTriggerRequest(view, at, id, XENSND_OP_TRIGGER_START));
  },
  /** Reads, writes and volumes at any offset of an open stream. */
  transfers: (guest, stream, random) => {
    const operations = [
      XENSND_OP_READ,
      XENSND_OP_WRITE,
      XENSND_OP_SET_VOLUME,
      XENSND_OP_GET_VOLUME,
      XENSND_OP_MUTE,
      XENSND_OP_UNMUTE,
    ];
    guest.storm(random.between(1, 60), random.between(20, 2000), () =>
      stream?.put((view, at, id) => {
        const aligned = random.oneIn(2);
        const [offset, length] = aligned
          ? [4 * random.below(2048), 4 * random.below(2048)]
          : [edge(random), edge(random)];
        encodeRwRequest(view, at, id, random.pick(operations), offset, length);
      }));
  },
  /** Triggers of all kinds, in any order. */
  triggers: (guest, stream, random) => {
    guest.storm(
      random.between(1, 40),
      random.between(10, 1000),
      () =>
        stream?.put((view, at, id) =>
          encodeTriggerRequest(view, at, id, random.oneIn(6) ? random.below(256) : random.below(4))
        ),
    );
  },
  /** HW_PARAM_QUERY and CLOSE without end. */
  questions: (guest, stream, random) => {
    guest.storm(random.between(1, MOST_STORM), random.between(5, 200), () =>
      stream?.put((view, at, id) => {
        const operation = random.oneIn(8) ? XENSND_OP_CLOSE : XENSND_OP_HW_PARAM_QUERY;
        encodeRwRequest(view, at, id, operation, edge(random), edge(random));
      }));
  },
  /** Pages change while the backend reads. */
  mutate: (guest, stream, random) => {
    guest.storm(random.between(1, MOST_STORM), random.between(3, 300), () => {
      const ram = random.pick([stream?.ring, stream?.buffer, stream?.directory, stream?.events]);
      scribble(RawStream.words(ram), random, 16);
      if (stream !== undefined && random.oneIn(4)) guest.domain.notify(stream.ports[0]);
    });
  },
  /** Events without end. */
  notifyStorm: (guest, stream, random) => {
    guest.storm(random.between(10, MOST_STORM), random.between(1, 100), () => {
      if (stream !== undefined) guest.domain.notify(random.pick(stream.ports));
    });
  },
  /** A state of XenBus, or any text in its place. */
  state: (guest, _stream, random) => {
    guest.write("state", random.oneIn(3) ? random.pick(TEXTS) : String(random.below(10)));
  },
  /** States in quick succession. */
  stateStorm: (guest, _stream, random) => {
    guest.storm(
      random.between(2, 30),
      random.between(10, 5000),
      () => guest.write("state", String(random.between(1, 6))),
    );
  },
  /** Transport nodes that name nothing, or something else. */
  transport: (guest, stream, random) => {
    const place = stream?.place ?? "0/0";
    const others = guest.streams.flatMap((
      { ring, events, ports },
    ) => [...ring.grefs, ...events.grefs, ...ports]);
    const values = [
      random.pick(TEXTS),
      String(edge(random)),
      String(guest.foreignGref(random)),
      ...others.map(String),
    ];
    for (let i = random.between(1, 4); i > 0; i--) {
      guest.write(`${place}/${random.pick(TRANSPORT)}`, random.pick(values));
    }
  },
  /** The right transport nodes, again and again. */
  republish: (guest, stream, random) => {
    guest.storm(random.between(1, 20), random.between(10, 2000), () => {
      if (stream !== undefined) guest.publish(stream);
    });
  },
  /** Other pages and ports in the place of those in use. */
  renew: (guest, _stream, random) => {
    if (random.oneIn(2)) guest.connect();
    else guest.end();
  },
  /** Configuration nodes of all kinds, and a backend that is not the guest's. */
  parameters: (guest, stream, random) => {
    const values = [
      ...TEXTS,
      "8000,48000",
      "s16_le,float_le",
      "p",
      "c",
      "4294967295",
      "9".repeat(2000),
      "1,".repeat(1500),
    ];
    const place = random.pick(["", `${stream?.place ?? "0/0"}/`, "0/", "7/7/"]);
    guest.write(`${place}${random.pick(PARAMETERS)}`, random.pick(values));
    if (random.oneIn(8)) {
      guest.write("backend", random.pick([...TEXTS, "/local/domain/0/backend/vsnd/999/0", "/"]));
      guest.write("backend-id", String(edge(random)));
    }
  },
  /** Nodes that vanish. */
  remove: (guest, stream, random) => {
    const path = random.pick(["", "/state", "/0", `/${stream?.place ?? "0/0"}`, "/backend"]);
    guest.try(() => guest.domain.store.remove(`${guest.nodename}${random.oneIn(4) ? path : "/state"}`));
  },
  /** Nodes that the backend may not read. */
  permissions: (guest, stream, random) => {
    const path = `${guest.nodename}${random.pick(["", "/state", `/${stream?.place ?? "0/0"}/ring-ref`])}`;
    const access = random.pick(["none", "read", "both"] as const);
    const { domain } = guest;
    guest.try(() =>
      domain.store.setPermissions(path, [{ domid: domain.domid, access: "none" }, { domid: 0, access }])
    );
  },
  /** XenStore without end: nodes below the card, and watches. */
  storeStorm: (guest, _stream, random) => {
    const { domain } = guest;
    guest.storm(random.between(5, MOST_STORM), random.between(5, 500), () => {
      const name = random.oneIn(3) ? random.below(1000) : random.below(8);
      guest.write(
        random.oneIn(2) ? `0/0/${name}` : `noise/${name}`,
        "x".repeat(random.below(random.oneIn(8) ? 4000 : 20)),
      );
      if (random.oneIn(16)) guest.try(() => domain.store.watch("data", () => {})());
    });
  },
  /** Ports that are closed in mid-stream. */
  closePort: (guest, stream, random) => {
    if (stream !== undefined) guest.domain.closePort(random.pick(stream.ports));
  },
  /** Grants that end in mid-stream. */
  revoke: (_guest, stream, random) => {
    if (stream === undefined) return;
    const ram = random.pick([stream.buffer, stream.directory, stream.buffer, stream.ring, stream.events]);
    ram?.revoke();
  },
  /** The guest takes no more part in the hand-shake, or does again. */
  follow: (guest) => {
    guest.isFollowing = !guest.isFollowing;
    if (guest.isFollowing) guest.connect();
  },
} satisfies Record<string, Attack>;

export type AttackName = keyof typeof NAMED;

/** All attacks, by name. */
export const ATTACKS: readonly (readonly [AttackName, Attack])[] = Object.entries(NAMED) as [
  AttackName,
  Attack,
][];
