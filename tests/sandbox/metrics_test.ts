// SPDX-License-Identifier: MIT
/** `xsnd serve --metrics`: the metrics that Prometheus scrapes, and the dashboard that shows them. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { Exit } from "../../lib/base/error.ts";
import {
  assertFails,
  type Box,
  inBox,
  makeWav,
  Process,
  root,
  settledDescriptors,
  until,
} from "./harness.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };

type Connect = () => Promise<Deno.Conn>;

/** Sends a GET of `path` by HTTP/1.0, over any kind of socket. */
async function get(connect: Connect, path: string, method = "GET"): Promise<{ head: string; body: string }> {
  using connection = await connect();
  await connection.write(new TextEncoder().encode(`${method} ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`));
  let text = "";
  for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
  const end = text.indexOf("\r\n\r\n");
  return { head: text.slice(0, end), body: text.slice(end + 4) };
}

/** The endpoint of the metrics, from the daemon's log. */
async function endpoint(daemon: Process): Promise<Connect> {
  const said = () => /metrics: served at 127\.0\.0\.1:(\d+)$/m.exec(daemon.stderr)?.[1];
  const port = Number(await until("the port is said", said));
  return () => Deno.connect({ hostname: "127.0.0.1", port });
}

/** The result of `work`, which must end before the timeout of {@link until}. */
async function within<T>(what: string, work: () => Promise<T>): Promise<T> {
  let isDone = false;
  const result = work().finally(() => isDone = true);
  result.catch(() => {});
  await until(what, () => isDone);
  return await result;
}

/** All samples, by name and labels. */
async function scrape(connect: Connect): Promise<Map<string, number>> {
  const { head, body } = await get(connect, "/metrics");
  assert.match(head, /^HTTP\/1\.[01] 200 /);
  assert.match(head, /^content-type: text\/plain; version=0\.0\.4; charset=utf-8\r?$/im);
  const samples = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(samples.map((line): [string, number] => {
    const [, name, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    assert(name !== undefined, line);
    return [name, Number(value)];
  }));
}

const of = (name: string, more = "") => `${name}{domain="domU",stream="${STREAM}",type="playback"${more}}`;

/** Runs `body` with a daemon whose guest has played. */
function whileServed(body: (box: Box, connect: Connect) => Promise<void>): Promise<void> {
  return inBox(async (box) => {
    await box.provision("domU", [
      { type: "playback", device: "dummy:" },
      { type: "capture", device: "dummy:" },
    ]);
    await body(box, await endpoint(await box.serve("--metrics", "localhost:0")));
  });
}

Deno.test("metrics count what a guest has done, over all its connections, and promtool finds no fault", () =>
  whileServed(async (box, connect) => {
    const input = makeWav(box.path("in.wav"), sound);
    const idle = await scrape(connect);
    assert.equal(idle.get('xsnd_streams{state="detached"}'), 2);
    assert.equal(idle.get(of("xsnd_stream_frames_total")), 0);

    let before = idle;
    for (const times of [1, 2]) {
      await box.ok("play", input, STREAM);
      await box.untilStream(STREAM, ({ state }) => state === "detached");
      const after = await scrape(connect);
      const value = (name: string) => after.get(name)!;
      const grown = (name: string) => value(name) - before.get(name)!;
      assert(grown(of("xsnd_stream_frames_total")) >= sound.frames, "frames");
      assert(grown(of("xsnd_stream_events_total")) > 0, "events");
      assert.equal(value(of("xsnd_stream_reconnects_total")), times - 1);
      assert(grown(of("xsnd_stream_request_duration_seconds_count")) >= 4, "OPEN, WRITE, TRIGGER, CLOSE");
      assert(grown(of("xsnd_stream_request_duration_seconds_sum")) > 0, "seconds");
      for (const [name, count] of before) {
        if (!/_(total|count|bucket|sum)(\{|$)/.test(name)) continue;
        assert(value(name) >= count, `${name} went back`);
      }
      before = after;
    }
    assertHistograms(before);
    assert.equal(before.get('xsnd_build_info{version="0.1.0",deno="' + Deno.version.deno + '"}'), 1);

    const { body } = await get(connect, "/metrics");
    for (const line of body.split("\n")) {
      if (line.startsWith("#")) assert.match(line, /^# (HELP|TYPE) (xsnd|process)_[a-z_]+ \S/);
    }
    await assertPromtool(box, body);
  }));

/** Asserts that bucket counts never decrease, and that the last bucket counts every request. */
function assertHistograms(samples: Map<string, number>): void {
  const prefix = of("xsnd_stream_request_duration_seconds_bucket").slice(0, -1);
  const buckets = [...samples].filter(([name]) => name.startsWith(prefix));
  assert.equal(buckets.length, 9);
  buckets.forEach(([name, count], i) => assert(i === 0 || count >= buckets[i - 1]![1], name));
  assert.equal(buckets.at(-1)![0], `${prefix},le="+Inf"}`);
  assert.equal(buckets.at(-1)![1], samples.get(of("xsnd_stream_request_duration_seconds_count")));
}

/** Prometheus' own check of what it scrapes and of its rules. `setup.sh --tests` unpacks it. */
const PROMTOOL = `${root}.cache/unpacked/promtool`;

async function assertPromtool(box: Box, metrics: string): Promise<void> {
  const file = box.path("metrics.txt");
  Deno.writeTextFileSync(file, metrics);
  const { code, stdout, stderr } = await new Process("sh", [
    "-c",
    '"$1" check metrics <"$2"',
    "sh",
    PROMTOOL,
    file,
  ]).result;
  assert.equal(code, 0, stdout + stderr);
}

Deno.test("the alert rules name metrics that there are, and fire when they should", () =>
  whileServed(async (_box, connect) => {
    const directory = `${root}contrib/prometheus`;
    for (
      const args of [["check", "rules", "--lint-fatal", "xsnd.rules.yml"], ["test", "rules", "xsnd.test.yml"]]
    ) {
      const { code, stdout, stderr } = await new Process(PROMTOOL, args, { cwd: directory }).result;
      assert.equal(code, 0, stdout + stderr);
    }
    const there = new Set([...(await scrape(connect)).keys()].map((name) => name.replace(/\{.*/, "")));
    const { groups } = parse(Deno.readTextFileSync(`${directory}/xsnd.rules.yml`));
    const rules: { alert: string; expr: string }[] = groups.flatMap(({ rules }: { rules: unknown[] }) =>
      rules
    );
    for (const { expr } of rules) {
      for (const [name] of expr.matchAll(/\b(xsnd|process)_[a-z_]+/g)) assert(there.has(name), name);
    }
    // Each alert has a test in which it fires.
    const tests = Deno.readTextFileSync(`${directory}/xsnd.test.yml`);
    for (const { alert } of rules) assert(tests.includes(`alertname: ${alert}\n`), alert);
  }));

Deno.test("metrics say what an operator has set, and in which state each stream is", () =>
  whileServed(async (box, connect) => {
    const set = async () => {
      const samples = await scrape(connect);
      const where = (name: string, label: string) =>
        [...samples].filter(([key, value]) =>
          value === 1 && key.startsWith(of(name, `,${label}=`).slice(0, -1))
        )
          .map(([key]) => /="([a-z]+)"\}$/.exec(key)![1]);
      return {
        state: where("xsnd_stream_state", "state"),
        hold: where("xsnd_stream_hold", "hold"),
        muted: samples.get(of("xsnd_stream_muted")),
        volume: samples.get(of("xsnd_stream_volume_decibels")),
        denied: samples.get(of("xsnd_stream_denied")),
      };
    };
    const untouched = { state: ["detached"], hold: ["none"], muted: 0, volume: 0, denied: 0 };
    assert.deepEqual(await set(), untouched);
    await box.ok("volume", STREAM, "-6.5");
    await box.ok("mute", STREAM);
    assert.deepEqual(await set(), { ...untouched, muted: 1, volume: -6.5 });
    const playing = box.spawn("play", makeWav(box.path("long.wav"), { ...sound, frames: 960_000 }), STREAM);
    await box.ok("wait", STREAM, "--for", "running");
    await box.ok("trigger", "pause", STREAM);
    assert.deepEqual(await set(), {
      ...untouched,
      state: ["running"],
      hold: ["paused"],
      muted: 1,
      volume: -6.5,
    });
    await playing.end("SIGINT");
    await box.ok("volume", STREAM, "0");
    await box.ok("unmute", STREAM);
  }));

Deno.test("each metric that the dashboard names is there, and the other way round", () =>
  whileServed(async (_box, connect) => {
    const dashboard = Deno.readTextFileSync(`${root}contrib/grafana/xsnd.json`);
    const { panels, templating } = JSON.parse(dashboard);
    const expressions: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.map(({ expr }) => expr)
    );
    const queries = templating.list.map(({ query }: { query: string }) => query);
    const named = new Set([...expressions, ...queries].join(" ").match(/\b(xsnd|process)_[a-z_]+/g));
    const there = [...(await scrape(connect)).keys()].map((name) => name.replace(/\{.*/, ""));
    for (const name of named) assert(there.includes(name), `${name} is in the dashboard only`);
    const shown = new Set([...named].map((name) => name.replace(/_bucket$/, "")));
    for (const name of there) {
      assert(shown.has(name.replace(/_(bucket|sum|count)$/, "")), `${name} is not shown`);
    }
  }));

Deno.test("the socket is only the daemon's user's, and other paths and methods are refused", () =>
  inBox(async (box) => {
    const path = box.path("metrics.sock");
    const daemon = await box.serve("--metrics", `unix:${path}`);
    await until("it is said", () => daemon.stderr.includes(`served at unix:${path}`));
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    const connect = () => Deno.connect({ transport: "unix", path });
    assert.equal((await scrape(connect)).get('xsnd_streams{state="running"}'), 0);
    assert.match((await get(connect, "/")).head, / 404 /);
    assert.match((await get(connect, "/metrics", "POST")).head, / 405 /);
    await daemon.end("SIGKILL");
    const second = await box.serve("--metrics", `unix:${path}`);
    await until("the dead one's socket is taken over", () => /served at unix/.test(second.stderr));
    assert.equal((await second.end("SIGTERM")).code, 0);
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  }));

/** Sends `request` verbatim and returns the answer's status; undefined if the connection ends without an answer. */
async function statusOf(connect: Connect, request: string): Promise<number | undefined> {
  using connection = await connect();
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  await within("the connection's end", async () => {
    for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
  });
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]) || undefined;
}

const request = (target: string, host = "127.0.0.1:9465") =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

Deno.test("requests that are none are refused, and fill no log", () =>
  inBox(async (box) => {
    const daemon = await box.serve("-v", "--metrics", "127.0.0.1:0");
    const connect = await endpoint(daemon);
    const before = daemon.stderr;
    assert.equal(await statusOf(connect, request("/metrics")), 200);
    for (const target of ["//[", "//", "http:/metrics", "*", "metrics"]) {
      assert.equal(await statusOf(connect, request(target)), 400, target);
    }
    assert.equal(await statusOf(connect, "\x00\xff\r\n\r\n"), 400);
    assert.equal(await statusOf(connect, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400);
    assert.equal(
      await statusOf(connect, request("/metrics").replace("Host", `X: ${"x".repeat(99_999)}\r\nHost`)),
      400,
    );
    assert.equal(await statusOf(connect, `CONNECT ${request("a:1").slice(4)}`), undefined);
    for (let i = 0; i < 500; i++) {
      assert.equal(await statusOf(connect, "GET //[ HTTP/1.1\r\nConnection: close\r\n\r\n"), 400);
    }
    assert.equal(await statusOf(connect, request("/metrics")), 200);
    assert.equal(daemon.stderr, before);
  }));

Deno.test("a web page whose name leads to the metrics' port gets none of them", () =>
  inBox(async (box) => {
    const connect = await endpoint(await box.serve("--metrics", "127.0.0.1:0"));
    for (const host of ["localhost", "LOCALHOST:1234", "127.0.0.1", "127.1.2.3:9465", "[::1]:9465"]) {
      assert.equal(await statusOf(connect, request("/metrics", host)), 200, host);
    }
    for (const host of ["evil.example", "evil.example:9465", "127.0.0.1.evil.example", "10.0.0.1", ""]) {
      assert.equal(await statusOf(connect, request("/metrics", host)), 403, host);
    }
  }));

Deno.test("clients that are silent or slow keep no scrape waiting, nor many descriptors, and are ended", () =>
  inBox(async (box) => {
    const daemon = await box.serve("--metrics", "127.0.0.1:0");
    const connect = await endpoint(daemon);
    const before = (await settledDescriptors(daemon.pid)).size;
    const silent: Deno.Conn[] = [];
    for (let i = 0; i < 100; i++) silent.push(await connect());
    const slow = await connect();
    await slow.write(new TextEncoder().encode("GET /metrics HTTP/1.1\r\n"));
    // Line after line keeps this connection from being idle; the daemon has to end it.
    const drip = setInterval(
      () => void slow.write(new TextEncoder().encode("x: y\r\n")).catch(() => {}),
      100,
    );
    await scrape(connect);
    assert((await settledDescriptors(daemon.pid)).size <= before + 32);
    const ended = async (connection: Deno.Conn) => {
      assert.equal(await connection.read(new Uint8Array(1)).catch(() => null), null);
      connection.close();
    };
    try {
      await within("the end of each", () => Promise.all([...silent, slow].map(ended)));
    } finally {
      clearInterval(drip);
    }
    await scrape(connect);
  }));

Deno.test("a client that sends thousands of requests at once gets one answer at most, and keeps nobody waiting", () =>
  inBox(async (box) => {
    const connect = await endpoint(await box.serve("--metrics", "127.0.0.1:0"));
    const octets = new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost:[::1]\r\n\r\n".repeat(6000));
    const flood = async () => {
      using connection = await connect();
      try {
        for (let left = octets; left.length > 0;) left = left.subarray(await connection.write(left));
        let text = "";
        for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
        return text.split("HTTP/1.1 200").length - 1;
      } catch {
        return 0; // the daemon has closed the connection
      }
    };
    const flooding = Promise.all(Array.from({ length: 8 }, flood));
    let worst = 0;
    for (let i = 0; i < 30; i++) {
      const asked = performance.now();
      await box.status();
      worst = Math.max(worst, performance.now() - asked);
    }
    assert(worst < 1000, `${worst} ms without an answer`);
    for (const answers of await flooding) assert(answers <= 1, `${answers} answers`);
  }));

Deno.test("clients that reset their connections before their turn keep no scrape waiting", () =>
  inBox(async (box) => {
    const connect = await endpoint(await box.serve("--metrics", "127.0.0.1:0"));
    using probe = await connect();
    // With SO_LINGER of 0 s, close() sends a RST.
    const script = `
      use Socket;
      for (1 .. 100) {
        socket(my $client, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
        connect($client, pack_sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "connect: $!";
        setsockopt($client, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die "setsockopt: $!";
        close $client;
      }
    `;
    const { port } = probe.remoteAddr as Deno.NetAddr;
    const { code, stderr } = await new Process("perl", ["-e", script, String(port)]).result;
    assert.equal(code, 0, stderr);
    // A daemon that stumbles over such clients pauses a second for each.
    await within("the scrape", () => scrape(connect));
  }));

Deno.test("a guest's name is escaped in labels", () =>
  inBox(
    async (box) => {
      await box.provision('do"m', [{ type: "playback", device: "dummy:" }]);
      const connect = await endpoint(await box.serve("--metrics", "127.0.0.1:0"));
      const samples = await scrape(connect);
      const name = 'xsnd_stream_frames_total{domain="do\\"m",stream="do\\"m/0/0/0",type="playback"}';
      assert.equal(samples.get(name), 0);
    },
    'do"m',
  ));

Deno.test("metrics are for this machine only, and off unless asked for", () =>
  inBox(async (box) => {
    for (
      const [address, message] of [
        ["0.0.0.0:9465", /0\.0\.0\.0 is not a loopback address/],
        ["[::]:9465", /\[::\] is not a loopback address/],
        ["example.org:80", /example\.org is not a loopback/],
        ["9465", /it is unix:PATH or HOST:PORT/],
        ["127.0.0.1:70000", /it is unix:PATH or HOST:PORT/],
        ["unix:", /needs a path/],
      ] as const
    ) {
      const { code, stdout, stderr } = await box.run("serve", "--metrics", address);
      assert.deepEqual([code, stdout], [Exit.usage, ""], address);
      assert.match(stderr, message);
    }
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const busy = await box.run("serve", "--metrics", `127.0.0.1:${taken.addr.port}`);
    assertFails(
      busy,
      Exit.failed,
      /cannot serve metrics at 127\.0\.0\.1:\d+: .*choose another address with --metrics/,
    );
    const plain = await box.serve();
    assert(!/metrics/.test(plain.stderr), plain.stderr);
  }));
