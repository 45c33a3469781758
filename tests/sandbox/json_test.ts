// SPDX-License-Identifier: MIT
/** The JSON output of commands has the documented shapes, both once and with --watch. */
import assert from "node:assert/strict";
import { z } from "zod";
import { Exit } from "../../lib/base/error.ts";
import * as shapes from "../json_shapes.ts";
import { CONTROL_VERSION } from "../../lib/control/protocol.ts";
import { controlDocs, FAILURE_EXAMPLE, REQUEST_EXAMPLES } from "../tools/control_docs.ts";
import { jsonDocs } from "../tools/json_docs.ts";
import { assertFails, type Box, inBox, makeWav, Process, root, until } from "./harness.ts";

const STREAM = "domU/0/0/0";
const streams = [
  { type: "playback", device: "dummy:" },
  { type: "capture", device: "dummy:" },
] as const;

function parse<T>(shape: z.ZodType<T>, text: string): T {
  const { success, data, error } = shape.safeParse(JSON.parse(text));
  assert(success, `${error}\n${text}`);
  return data;
}

/** The lines that a watching command has printed so far. */
const linesOf = ({ stdout }: Process) => stdout.split("\n").slice(0, -1);

interface Line {
  readonly event: string;
  readonly stream?: z.infer<typeof shapes.stream>;
}

/** Waits for a line after the first that satisfies `condition`. The first line must have the shape `state`, others `change`. */
async function untilLine(
  watching: Process,
  [state, change]: readonly [z.ZodType, z.ZodType],
  condition: (line: Line) => boolean,
): Promise<void> {
  await until(`a line of ${condition} (${watching.stderr})`, () => {
    const [first, ...rest] = linesOf(watching);
    if (first === undefined) return false;
    parse(state, first);
    return rest.map((line) => parse(change, line) as Line).some(condition);
  });
}

for (const [page, text] of [["docs/json.md", jsonDocs], ["docs/control-protocol.md", controlDocs]] as const) {
  Deno.test(`${page} is what the shapes make it`, async () => {
    const file = await Deno.makeTempFile({ suffix: ".md" });
    try {
      Deno.writeTextFileSync(file, text());
      const { code } = await new Process(Deno.execPath(), [
        ...["fmt", "--quiet", "--config", `${root}deno.json`, file],
      ]).result;
      assert.equal(code, 0);
      assert.equal(
        Deno.readTextFileSync(`${root}${page}`),
        Deno.readTextFileSync(file),
        "run: deno task docs",
      );
    } finally {
      await Deno.remove(file);
    }
  });
}

/** Sends a line to the daemon's control socket, and returns the first line of the answer. */
async function exchange(box: Box, request: unknown): Promise<Record<string, unknown>> {
  using connection = await Deno.connect({ transport: "unix", path: `${box.xen}/control.sock` });
  await connection.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
  let text = "";
  for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) break;
  }
  return JSON.parse(text.split("\n")[0]!);
}

Deno.test("a daemon answers the requests of docs/control-protocol.md as the page says", () =>
  inBox(async (box) => {
    await box.provision("domU", [streams[0]]);
    await box.serve();
    const input = makeWav(box.path("in.wav"), {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 960_000,
    });
    const playing = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    const traceHead = z.object({
      stream: z.literal(STREAM),
      parameters: z.object({ format: z.literal("s16_le") }),
    });
    const results: Record<keyof typeof REQUEST_EXAMPLES, z.ZodType> = {
      status: shapes.status,
      watch: shapes.status,
      trigger: shapes.stream,
      volume: shapes.stream,
      wait: shapes.stream,
      trace: traceHead,
      logs: z.object({ lines: z.array(shapes.logLine).min(1), more: z.literal(false) }),
    };
    for (const [command, shape] of Object.entries(results)) {
      const { version, ok, result } = await exchange(
        box,
        REQUEST_EXAMPLES[command as keyof typeof REQUEST_EXAMPLES],
      );
      assert.deepEqual([version, ok], [CONTROL_VERSION, true], command);
      parse(shape, JSON.stringify(result));
    }
    const refusal = await exchange(box, { command: "wait", stream: "domV", goal: "open", waitMs: 0 });
    assert.deepEqual({ ...refusal }, FAILURE_EXAMPLE);
    await playing.end("SIGKILL");
  }));

Deno.test("list, show, status, top, trigger and volume print the documented shapes", () =>
  inBox(async (box) => {
    assert.deepEqual(parse(shapes.list, await box.ok("list", "--json")), []);
    assert.equal(parse(shapes.show, await box.ok("show", "domU", "--json")).cards.length, 0);
    await box.provision("domU", [...streams]);
    await box.serve();
    const input = makeWav(box.path("in.wav"), {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 960_000,
    });
    const playing = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state, positionFrames }) => state === "running" && positionFrames > 0);
    assert.equal(parse(shapes.list, await box.ok("list", "--json"))[0]!.streams[0]!.stream, STREAM);
    const { cards } = parse(shapes.show, await box.ok("show", "domU", "--json"));
    assert.equal(cards[0]!.pcms[0]!.streams.length, 2);
    const report = parse(shapes.status, await box.ok("status", "--json"));
    assert(report.streams[0]!.positionFrames! > 0);
    assert.equal(report.streams[0]!.engine, "shared");
    assert.deepEqual(report.streams.map(({ format }) => format), ["s16_le", undefined], "by name, once open");
    parse(shapes.status, await box.ok("top", "-n", "1", "--json"));
    for (const args of [["trigger", "pause", STREAM], ["volume", STREAM, "-6"], ["mute", STREAM]]) {
      parse(shapes.stream, await box.ok(...args, "--json"));
    }
    await playing.end("SIGKILL");
  }));

Deno.test("--watch tells all that there is, and then each change", () =>
  inBox(async (box) => {
    await box.serve();
    const list = box.spawn("list", "--watch");
    const show = box.spawn("show", "domU", "--watch");
    const status = box.spawn("status", "--watch");
    for (const watching of [list, show, status]) await until("its first line", () => linesOf(watching)[0]);
    const [listed, shown, told] = [
      [shapes.listState, shapes.listChange],
      [shapes.showState, shapes.showChange],
      [shapes.statusState, shapes.statusChange],
    ] as const;
    const is = (event: string) => (line: Line) => line.event === event;

    await box.provision("domU", [...streams]);
    await untilLine(list, listed, is("added"));
    await untilLine(show, shown, is("added"));
    await untilLine(status, told, is("added"));
    await box.ok("mute", STREAM);
    await untilLine(
      status,
      told,
      ({ event, stream }) => event === "changed" && stream?.stream === STREAM && stream.muted,
    );
    await box.ok("deprovision", "domU");
    await untilLine(list, listed, is("removed"));
    await untilLine(show, shown, is("removed"));
    await untilLine(status, told, is("removed"));
    const removed = linesOf(list).filter((line) => JSON.parse(line).event === "removed");
    assert.equal(
      JSON.parse(removed[0]!).card.provisionedBy,
      "xsnd",
      "it is told as it was last, in one piece",
    );

    for (const watching of [list, show, status]) {
      const { code, stderr } = await watching.end("SIGINT");
      assert.deepEqual([code, stderr], [Exit.interrupted, "xsnd: interrupted\n"]);
    }
  }));

Deno.test("status --watch ends with exit 3 when the daemon does, and each --watch when nobody reads on", () =>
  inBox(async (box) => {
    const daemon = await box.serve();
    const watching = box.spawn("status", "--watch");
    await until("its first line", () => linesOf(watching)[0]);
    const readers = ["list", "show domU", "status"].map((command) => head(box, command));
    await until("each reader has its line, and is gone", () => readers.every(({ stdout }) => stdout !== ""));
    await box.provision("domU", [...streams]);
    for (const { result } of readers) assert.match((await result).stdout, /^\{.*\}\ncode 0\n$/);
    await daemon.end("SIGTERM");
    const { code, stderr } = await watching.result;
    assert.deepEqual([code, stderr], [
      Exit.noDaemon,
      "xsnd: the daemon has ended; start it with `xsnd serve`\n",
    ]);
    assertFails(await box.run("status", "--watch", "--timeout", "0.1"), Exit.noDaemon, /no daemon answers/);
  }));

/** Runs `xsnd COMMAND --watch | head -1`, and prints xsnd's exit code. */
function head(box: Box, command: string): Process {
  const script = `{ { ./xsnd ${command} --watch 3>&-; echo "code $?" >&3; } | head -n 1; } 3>&1`;
  return new Process("sh", ["-c", script], { env: box.environment });
}
