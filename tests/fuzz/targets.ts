// SPDX-License-Identifier: MIT
/**
 * The fuzzing targets. Each has a generator of untrusted inputs (valid, mutated and random), and a property that must hold for
 * every input. A violated property throws.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readTransport, TransportError } from "../../lib/daemon/link/published.ts";
import { SoloStream } from "../../lib/engine/solo_stream.ts";
import { lines } from "../../lib/control/lines.ts";
import { XsndError } from "../../lib/base/error.ts";
import {
  bufferPages,
  DIRECTORY_PAGE_WORDS,
  directoryPages,
  Taken,
  walkPageDirectory,
} from "../../lib/sndif/mod.ts";
import { Decoder } from "../../lib/trace/packets.ts";
import { lineOf } from "../../lib/trace/describe_record.ts";
import {
  decodeTrace,
  encodeHead,
  encodeRecords,
  RecordKind,
  TraceFormatError,
  type TraceHead,
} from "../../lib/trace/trace_format.ts";
import { isPrintable } from "../../lib/base/text.ts";
import type { Config } from "../../lib/vsnd/model/card.ts";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";
import { checkXl, readXl } from "../../lib/vsnd/config/config_file.ts";
import { writeXl } from "../../lib/vsnd/xl/write_vsnd.ts";
import { WavReader } from "../../lib/wav/mod.ts";
import { FMT_S16, wave64Of, wavOf } from "../unit/wav_kit.ts";
import type { StoreView } from "../../lib/xen/ports.ts";

export type Property = fc.IProperty<unknown[]>;

const root = new URL("../../", import.meta.url).pathname;
const sample = (path: string) => Deno.readFileSync(root + path);
const text = (path: string) => Deno.readTextFileSync(root + path);

const word = fc.oneof(
  fc.nat(64),
  fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 0xfffff000, 4095, 4096, 4097),
  fc.nat(0xffffffff),
);

/** `original`, with some octets replaced, removed or inserted. */
function mutated(original: Uint8Array): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const change = fc.record({
    at: fc.nat(original.length),
    remove: fc.oneof(fc.nat(8), fc.nat(original.length)),
    insert: fc.uint8Array({ maxLength: 16 }),
  });
  return fc.array(change, { maxLength: 6 }).map((changes) => {
    let octets = original.slice();
    for (const { at, remove, insert } of changes) {
      const [before, after] = [octets.subarray(0, at), octets.subarray(Math.min(at + remove, octets.length))];
      const next = new Uint8Array(before.length + insert.length + after.length);
      next.set(before);
      next.set(insert, before.length);
      next.set(after, before.length + insert.length);
      octets = next;
    }
    return octets;
  });
}

/** `original`, with some characters replaced, removed or inserted, `tokens` of its syntax among them. */
function mutatedText(original: string, tokens: readonly string[]): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(original.length),
    remove: fc.oneof(fc.nat(12), fc.nat(original.length)),
    insert: fc.oneof(fc.constantFrom(...tokens), fc.string({ maxLength: 12, unit: "binary" })),
    times: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(2000) }),
  });
  return fc.array(change, { maxLength: 6 }).map((changes) =>
    changes.reduce(
      (result, { at, remove, insert, times }) =>
        result.slice(0, at) + insert.repeat(times) + result.slice(at + remove),
      original,
    )
  );
}

/** Runs `body`, which may throw only errors of these kinds, with short and printable messages. */
function mayFail(body: () => unknown, ...kinds: (new (...args: never[]) => Error)[]): unknown {
  try {
    return body();
  } catch (error) {
    if (kinds.some((kind) => error instanceof kind)) {
      const { message } = error as Error;
      assert(message.length < 200_000, `a message of ${message.length} characters`);
      assert(
        message.split("\n").every(isPrintable),
        `a message that drives a terminal: ${JSON.stringify(message.slice(0, 300))}`,
      );
      return undefined;
    }
    throw error;
  }
}

/** A stream that serves arbitrary requests from its ring. */
class FuzzedStream extends SoloStream {
  /** Puts raw requests on the ring, serves them, and asserts that each gets one response. */
  serve(requests: readonly Uint8Array[]): void {
    const ids: number[] = [];
    for (const octets of requests) {
      const at = this.ring.reserve();
      new Uint8Array(this.ring.view.buffer, this.ring.view.byteOffset + at, 64).set(octets);
      ids.push(this.ring.view.getUint16(at, true));
    }
    this.ring.pushRequests();
    for (let turn = 0; turn < 200 && ids.length > 0; turn++) {
      this.stream.serveRing();
      // The main thread refuses every question.
      for (const event of this.told.splice(0)) {
        if (["open", "close", "query"].includes(event.op)) this.stream.answer(event.op === "close" ? 0 : -22);
        assert.notEqual(event.op, "broken");
      }
      while (this.ring.take(this.response) === Taken.one) {
        assert.equal(this.response.id, ids.shift());
        assert(this.response.status <= 0);
      }
      this.ring.finalCheckForResponses();
    }
    assert.deepEqual(ids, [], "requests without an answer");
  }
}

const request = fc.tuple(
  fc.nat(0xffff),
  fc.oneof(fc.nat(11), fc.nat(255)),
  fc.array(word, { minLength: 6, maxLength: 14 }),
)
  .map(([id, operation, words]) => {
    const octets = new Uint8Array(64);
    const view = new DataView(octets.buffer);
    view.setUint16(0, id, true);
    view.setUint8(2, operation);
    words.forEach((value, i) => view.setUint32(8 + i * 4, value, true));
    return octets;
  });

const requests = fc.property(
  fc.array(fc.array(request, { minLength: 1, maxLength: 32 }), { maxLength: 12 }),
  (rounds) => {
    using stream = new FuzzedStream();
    for (const round of rounds) stream.serve(round);
  },
);

const directories = fc.property(
  word,
  word,
  word,
  fc.array(fc.array(word, { maxLength: 40 }), { maxLength: 5 }),
  (bufferSz, first, most, pages) => {
    let asked = 0;
    const limit = Math.min(most, 1 << 24);
    const walk = walkPageDirectory(bufferSz, first, (gref, words) => {
      asked++;
      words.fill(0);
      words.set((pages[gref % 7] ?? []).slice(0, DIRECTORY_PAGE_WORDS));
      return gref % 5 !== 4;
    }, limit);
    assert(asked <= directoryPages(bufferPages(limit)), "more steps than an honest directory takes");
    if (!("reason" in walk)) assert.equal(walk.grefs.length, bufferPages(bufferSz));
  },
);

const nodeNames = ["ring-ref", "event-channel", "evt-ring-ref", "evt-event-channel"];
const frontends = fc.property(
  fc.array(fc.option(fc.oneof(fc.nat().map(String), fc.string({ unit: "binary" }), word.map(String))), {
    minLength: 4,
    maxLength: 4,
  }),
  (values) => {
    const read = (path: string) => values[nodeNames.indexOf(path.slice(3))] ?? undefined;
    const transport = mayFail(() => readTransport({ read } as unknown as StoreView, "/f"), TransportError);
    for (const value of Object.values(transport ?? {})) {
      assert(Number.isInteger(value) && value >= 0 && value <= 0xffffffff);
    }
  },
);

const YAML_TOKENS = [
  "- ",
  ": ",
  "[",
  "]",
  "{",
  "}",
  "&a ",
  "*a ",
  "<<: ",
  "|\n",
  "? ",
  "!!str ",
  "\n",
  "  ",
  '"',
  "#",
  "---\n",
  "%",
  "domains:",
];
const yaml = fc.property(mutatedText(text("fixtures/two-guests.yaml"), YAML_TOKENS), (source) => {
  mayFail(() => parseConfig(source, "f.yaml"), XsndError);
});

const XL = `name = "domU"
vsnd = [[ 'card, backend=Domain-0, buffer-size=65536, short-name=Card, sample-rates=8000;48000',
  'pcm, name=dev1', 'stream, unique-id=0, type=P', 'stream, unique-id=1, type=C, channels-max=4' ],
  [ 'card', 'pcm, name=dev2', 'stream, unique-id=2, type=p' ]]
`;
const XL_TOKENS = [
  "[",
  "]",
  "[[",
  "]]",
  "'",
  '"',
  ",",
  ";",
  "=",
  "\\",
  "#",
  "\n",
  "card",
  "pcm",
  "stream",
  "vsnd",
];
const xl = fc.property(mutatedText(XL, XL_TOKENS), (source) => {
  const defaults = { domain: "domU", device: "dummy:" };
  const read = (source: string) => checkXl(readXl(source, "f.cfg", defaults), "f.cfg", "limits").config;
  const config = mayFail(() => read(source), XsndError) as Config | undefined;
  for (const [name, domain] of config ?? []) {
    assert.deepEqual(read(writeXl(name, domain)).get(name), domain, "to xl's syntax and back");
  }
});

const control = fc.asyncProperty(
  fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }),
  async (parts) => {
    const found: string[] = [];
    for await (
      const line of lines(ReadableStream.from(parts) as ReadableStream<Uint8Array<ArrayBuffer>>)
    ) found.push(line);
    const decoder = new TextDecoder();
    const all = parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
    assert.deepEqual(found, all.split("\n").slice(0, -1));
  },
);

const TRACE = (() => {
  const head: TraceHead = {
    stream: "domU/0/0/0",
    domid: 1,
    type: "playback",
    device: "dummy:",
    uniqueId: "0",
    xsnd: "0.1.0",
    startedAt: "2026-01-01T00:00:00.000Z",
    state: "closed",
  };
  const body = new Uint8Array(64);
  // Records of every kind, and of an unknown kind.
  const records = [
    RecordKind.connected,
    RecordKind.request,
    RecordKind.response,
    RecordKind.request,
    RecordKind.event,
    RecordKind.position,
    RecordKind.lost,
    RecordKind.disconnected,
    RecordKind.xrun,
    99,
    RecordKind.end,
  ];
  const encoded = [
    encodeHead(head),
    encodeRecords(records.map((kind, i) => ({ time: i * 1000, kind, body }))),
  ];
  const octets = new Uint8Array(encoded[0]!.length + encoded[1]!.length);
  octets.set(encoded[0]!);
  octets.set(encoded[1]!, encoded[0]!.length);
  return octets;
})();
const traces = fc.property(mutated(TRACE), (octets) => {
  const trace = mayFail(() => decodeTrace(octets), TraceFormatError) as
    | ReturnType<typeof decodeTrace>
    | undefined;
  if (trace === undefined) return;
  const decoder = new Decoder();
  for (const record of trace.records) {
    const line = lineOf(decoder.next(record));
    assert(isPrintable(line), `a line that drives a terminal: ${JSON.stringify(line)}`);
  }
});

const WAVS = [
  sample("fixtures/melody.wav").slice(0, 4000),
  wavOf(
    [["ds64", `${"00".repeat(24)}00000000`], ["fmt ", FMT_S16], ["LIST", "aabbcc"], [
      "data",
      "00".repeat(64),
      0xffffffff,
    ]],
    0xffffffff,
    "RF64",
  ),
  wave64Of([["fact", "00".repeat(8)], ["fmt ", FMT_S16], ["data", "00".repeat(64)], ["list", "00"]]),
  // 24 bits in four octets.
  wavOf([["fmt ", "0100020080bb000000dc050008001800"], ["data", "00".repeat(64), 0]]),
];
const wav = fc.property(fc.oneof(...WAVS.map(mutated)), (octets) => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, octets);
    let warnings = 0;
    mayFail(() => {
      using reader = new WavReader(path, () => warnings++);
      const into = new Uint8Array(64 * reader.frameOctets);
      let frames = 0;
      for (let count; (count = reader.readFrames(into)) > 0;) frames += count;
      assert.equal(frames, reader.frames, "a file has the frames that it was said to have");
      assert(frames * reader.params.channels <= octets.length, "no samples but those of the file");
    }, XsndError);
    assert(warnings <= 5, `${warnings} warnings`);
  } finally {
    Deno.removeSync(path);
  }
});

/** By name. */
export const TARGETS = { requests, directories, frontends, yaml, xl, control, traces, wav } as const;
