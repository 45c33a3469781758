// SPDX-License-Identifier: MIT
/** lib/sndif against Xen's headers: compares with fixtures/sndif/golden.txt, which a C program prints from the headers. */
import assert from "node:assert/strict";
import * as sndif from "../../lib/sndif/mod.ts";
import * as constants from "../../lib/sndif/constants.ts";
import * as errno from "../../lib/sndif/xen_errno.ts";

const program = new URL("sndif_golden.c", import.meta.url);
const golden = Deno.readTextFileSync(new URL("../../fixtures/sndif/golden.txt", import.meta.url));

/** The lines that begin with `kind`, each split into its other words. */
function lines(kind: string): string[][] {
  const found = golden.split("\n").filter((line) => line.startsWith(`${kind} `));
  assert.notEqual(found.length, 0, `no ${kind} lines in golden.txt`);
  return found.map((line) => line.split(" ").slice(1));
}

function goldenPacket(name: string): Uint8Array {
  const line = lines("packet").find((line) => line[0] === name);
  assert(line, `no packet ${name} in golden.txt`);
  return Uint8Array.fromHex(line[1]!);
}

/** The packet that `encode` writes over a slot of stale data. */
function encoded(encode: (view: DataView, at: number) => void): Uint8Array {
  const page = new Uint8Array(256).fill(0xaa);
  encode(new DataView(page.buffer), 128);
  assert(
    page.subarray(0, 128).every((octet) => octet === 0xaa) && page.subarray(192).every((o) => o === 0xaa),
  );
  return page.slice(128, 192);
}

/** A view of the golden packet `name`. */
function decoded<View extends { copyFrom(words: Int32Array, index: number): void }>(
  view: View,
  name: string,
): View {
  view.copyFrom(new Int32Array(goldenPacket(name).buffer), 0);
  return view;
}

function hwParam(): sndif.HwParam {
  const param = new sndif.HwParam();
  param.formatsLow = 0x80c04c44;
  param.formatsHigh = 0x80000001;
  Object.assign(param.rates, { min: 5512, max: 192000 });
  Object.assign(param.channels, { min: 1, max: 255 });
  Object.assign(param.buffer, { min: 64, max: 0xfffffffe });
  Object.assign(param.period, { min: 32, max: 0x80000001 });
  return param;
}

const open: sndif.OpenRequest = {
  pcmRate: 48000,
  pcmFormat: sndif.XENSND_PCM_FORMAT_S24_LE,
  pcmChannels: 6,
  bufferSz: 0x00f01234,
  grefDirectory: 0x89abcdef,
  periodSz: 0x00051235,
};

Deno.test("golden.txt is what sndif_golden.c prints with the installed headers", async (t) => {
  const directory = await Deno.makeTempDir({ prefix: "xsnd-golden-" });
  try {
    const binary = `${directory}/sndif_golden`;
    const available = await compile(["-o", binary]);
    await t.step({
      name: "its output",
      ignore: available === undefined,
      fn: async () => {
        const { stdout } = await new Deno.Command(binary).output();
        assert.equal(new TextDecoder().decode(stdout), golden);
      },
    });
    await t.step({
      name: "no constant of the header is missing",
      ignore: available === undefined,
      fn: async () => {
        const macros = (await compile(["-E", "-dM"]))!;
        const inHeader = [...macros.matchAll(/^#define (XENSND_\w+) /gm)].map((match) => match[1]);
        assert.deepEqual(
          inHeader.sort(),
          Object.keys(constants).filter((name) => name !== "PACKET_SIZE").sort(),
        );
      },
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** The C compiler's output; undefined if the compiler or the headers are not installed. Throws on any other failure. */
async function compile(flags: string[]): Promise<string | undefined> {
  try {
    await Deno.stat("/usr/include/xen/io/sndif.h");
    const { success, stdout, stderr } = await new Deno.Command("cc", {
      args: ["-std=gnu11", "-Wall", "-Wextra", "-Werror", ...flags, program.pathname],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test("constants have the header's values, and no others exist", () => {
  const expected = Object.fromEntries(lines("constant").map(([name, value]) => [name, JSON.parse(value!)]));
  assert.deepEqual({ ...constants, ...errno }, { ...expected, PACKET_SIZE: 64 });
});

Deno.test("request encoders write the header's layout", () => {
  const expected: [string, (view: DataView, at: number) => void][] = [
    ["request_open", (view, at) => sndif.encodeOpenRequest(view, at, 0xbeef, open)],
    ["request_close", (view, at) => sndif.encodeCloseRequest(view, at, 0xbeef)],
    [
      "request_trigger",
      (view, at) => sndif.encodeTriggerRequest(view, at, 0xbeef, sndif.XENSND_OP_TRIGGER_RESUME),
    ],
    ["request_hw_param_query", (view, at) => sndif.encodeHwParamQuery(view, at, 0xbeef, hwParam())],
    ...(["read", "write", "set_volume", "get_volume", "mute", "unmute"] as const).map((
      name,
    ): [string, (view: DataView, at: number) => void] => {
      const operation = sndif[`XENSND_OP_${name.toUpperCase() as Uppercase<typeof name>}`];
      const encode = (view: DataView, at: number) =>
        sndif.encodeRwRequest(view, at, 0xbeef, operation, 0x80706050, 0x40302010);
      return [`request_${name}`, encode];
    }),
  ];
  assert.deepEqual(
    expected.map(([name]) => name).sort(),
    lines("packet").map(([name]) => name).filter((name) => name!.startsWith("request_")).sort(),
  );
  for (const [name, encode] of expected) assert.deepEqual(encoded(encode), goldenPacket(name), name);
});

Deno.test("RequestView reads the header's layout", () => {
  const view = new sndif.RequestView();
  decoded(view, "request_open");
  assert.equal(view.id, 0xbeef);
  assert.equal(view.operation, sndif.XENSND_OP_OPEN);
  const { pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz } = view;
  assert.deepEqual({ pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz }, open);

  decoded(view, "request_unmute");
  assert.deepEqual([view.operation, view.offset, view.length], [
    sndif.XENSND_OP_UNMUTE,
    0x80706050,
    0x40302010,
  ]);

  decoded(view, "request_trigger");
  assert.deepEqual([view.operation, view.triggerType], [
    sndif.XENSND_OP_TRIGGER,
    sndif.XENSND_OP_TRIGGER_RESUME,
  ]);

  const param = new sndif.HwParam();
  decoded(view, "request_hw_param_query").readHwParam(param);
  assert.deepEqual(param, hwParam());
});

Deno.test("responses are written and read in the header's layout", () => {
  assert.deepEqual(
    encoded((view, at) => sndif.encodeResponse(view, at, 0xfffe, sndif.XENSND_OP_WRITE, -sndif.XEN_EIO)),
    goldenPacket("response_write"),
  );
  assert.deepEqual(
    encoded((view, at) => sndif.encodeHwParamResponse(view, at, 0xfffe, hwParam())),
    goldenPacket("response_hw_param_query"),
  );
  const response = decoded(new sndif.ResponseView(), "response_write");
  assert.deepEqual([response.id, response.operation, response.status], [0xfffe, sndif.XENSND_OP_WRITE, -5]);
  const param = new sndif.HwParam();
  decoded(response, "response_hw_param_query").readHwParam(param);
  assert.deepEqual([response.status, param], [0, hwParam()]);
});

Deno.test("events are written and read in the header's layout", () => {
  const position = 0x001234569abcdef0;
  assert.deepEqual(
    encoded((view, at) =>
      sndif.encodeCurPosEvent(view, at, 0xfedc, sndif.positionLow(position), sndif.positionHigh(position))
    ),
    goldenPacket("event_cur_pos"),
  );
  const event = decoded(new sndif.EventView(), "event_cur_pos");
  assert.deepEqual([event.id, event.type, event.position], [0xfedc, sndif.XENSND_EVT_CUR_POS, position]);
});

Deno.test("initSharedRing() leaves what SHARED_RING_INIT leaves", () => {
  const page = new Uint8Array(8192).fill(0xaa);
  sndif.initSharedRing(page.buffer, 4096);
  assert.deepEqual(page.slice(4096, 4096 + 64), goldenPacket("initial_ring_header"));
  assert(page.subarray(0, 4096).every((octet) => octet === 0xaa));
});

Deno.test("rings and the event page have the header's geometry", () => {
  assert.deepEqual(lines("ring"), [["size", String(sndif.RING_SIZE)]]);
  assert.deepEqual(Object.fromEntries(lines("offset")), {
    "xen_sndif_sring.req_prod": "0",
    "xen_sndif_sring.req_event": "4",
    "xen_sndif_sring.rsp_prod": "8",
    "xen_sndif_sring.rsp_event": "12",
    "xen_sndif_sring.ring": String(sndif.RING_HEADER_SIZE),
    "xensnd_page_directory.gref_dir_next_page": "0",
    "xensnd_page_directory.gref": "4",
    "xensnd_event_page.in_cons": "0",
    "xensnd_event_page.in_prod": "4",
  });
});

Deno.test("eventSlotOffset() is XENSND_IN_RING_REF's, also where the index wraps", () => {
  for (const [index, offset] of lines("event_slot")) {
    assert.equal(sndif.eventSlotOffset(Number(index)), Number(offset), index);
    assert.equal(sndif.eventSlotOffset(Number(index) | 0), Number(offset), `int32 ${index}`);
  }
});

Deno.test("BackRing.pushResponses() asks for notification as RING_PUSH_RESPONSES_AND_CHECK_NOTIFY does", () => {
  for (const [old, count, event, expected] of lines("notify").map((words) => words.map(Number))) {
    const page = new ArrayBuffer(4096);
    const words = new Uint32Array(page);
    words[2] = old!;
    words[0] = old! + count!;
    const ring = sndif.BackRing.attach(page);
    const request = new sndif.RequestView();
    for (let i = 0; i < count!; i++) {
      assert.equal(ring.take(request), sndif.Taken.one);
      assert.notEqual(ring.reserve(), -1);
    }
    words[3] = event!;
    assert.equal(ring.pushResponses(), expected === 1, `old ${old}, ${count} responses, rsp_event ${event}`);
    assert.equal(words[2], (old! + count!) >>> 0);
  }
});
