// SPDX-License-Identifier: MIT
/** Makes docs/control-protocol.md: what the control socket takes and answers, from the types and schemas that both ends check by. */
import { z } from "zod";
import { Exit } from "../../lib/base/error.ts";
import { MAX_WAIT_MS } from "../../lib/control/max_wait.ts";
import {
  CONTROL_VERSION,
  type ControlRequest,
  type ControlResponse,
  RUN_DIRECTORY,
} from "../../lib/control/protocol.ts";
import { REQUEST_SHAPES } from "../../lib/control/request_schema.ts";
import { type Node, typeOf } from "./json_docs.ts";
import { type FieldDoc, interfaceDocs } from "./type_docs.ts";

const PROTOCOL = interfaceDocs("lib/control/protocol.ts");
const TRACE = interfaceDocs("lib/trace/trace_format.ts");
const LOG = interfaceDocs("lib/log/log_tail.ts");

/** A request of each command, as the page shows it. The tests send them to a daemon. */
export const REQUEST_EXAMPLES: {
  readonly [C in ControlRequest["command"]]: ControlRequest & { command: C };
} = {
  status: { command: "status" },
  watch: { command: "watch" },
  trigger: { command: "trigger", stream: "domU/0/0/0", trigger: "pause", waitMs: 1000 },
  volume: { command: "volume", stream: "domU/0/0/0", volume: -6, waitMs: 1000 },
  wait: { command: "wait", stream: "domU/0/0", goal: "open", waitMs: 60000 },
  trace: { command: "trace", stream: "domU/0/0/0", waitMs: 5000 },
  logs: { command: "logs", follow: false },
};

/** A response that refuses, as the page shows it. */
export const FAILURE_EXAMPLE: ControlResponse = {
  version: CONTROL_VERSION,
  ok: false,
  error: 'the daemon serves no stream "domV" (did you mean domU?); it serves domU/0/0/0',
  exitCode: Exit.failed,
};

const INTERFACES: { readonly [C in ControlRequest["command"]]: string } = {
  status: "StatusRequest",
  watch: "WatchRequest",
  trigger: "TriggerRequest",
  volume: "VolumeRequest",
  wait: "WaitRequest",
  trace: "TraceRequest",
  logs: "LogsRequest",
};

const EXIT_MEANINGS: { readonly [K in Exclude<keyof typeof Exit, "done">]: string } = {
  failed: "The request cannot be done as things are: no such stream, nothing to trace, a device that failed.",
  usage: "The line is no request, or names no single stream.",
  noDaemon: "No daemon answers. A client finds this by itself.",
  permission: "The client may not connect. A client finds this by itself.",
  xenOrLibraryMissing: "Xen, or a library, is missing.",
  badConfiguration: "A configuration is wrong.",
  timedOut: "The time of `waitMs` is over, or the device has not obeyed in time.",
  interrupted: "The client has ended the request.",
};

/** Types that TypeScript has a name for. */
const NAMED_TYPES: Readonly<Record<string, string>> = { T: "by the request's `command`", ExitCode: "number" };

const jsonBlock = (value: unknown) => `\`\`\`jsonl\n${JSON.stringify(value)}\n\`\`\`\n`;

function table(fields: readonly FieldDoc[], typeOfField: (field: FieldDoc) => string): string {
  const rows = fields.map((field) =>
    `| \`${field.name}${field.optional ? "?" : ""}\` | ${typeOfField(field)} | ${field.meaning} |`
  );
  return ["| field | type | meaning |", "| --- | --- | --- |", ...rows, ""].join("\n");
}

function request(command: ControlRequest["command"]): string {
  const { meaning, fields } = PROTOCOL.get(INTERFACES[command])!;
  const { properties = {} } = z.toJSONSchema(REQUEST_SHAPES[command]) as Node;
  const type = ({ name }: FieldDoc) => typeOf(properties[name] ?? {});
  return [`### \`${command}\`\n`, `${meaning}\n`, table(fields, type), jsonBlock(REQUEST_EXAMPLES[command])]
    .join("\n");
}

function typeTable(interfaces: typeof TRACE, name: string): string {
  const { meaning, fields } = interfaces.get(name)!;
  return `${meaning}\n\n${table(fields, ({ type }) => NAMED_TYPES[type] ?? type)}`;
}

/** The text before it is formatted. */
export function controlDocs(): string {
  const commands = Object.keys(REQUEST_EXAMPLES) as ControlRequest["command"][];
  const exits = Object.entries(EXIT_MEANINGS).map(([name, meaning]) =>
    `| ${Exit[name as keyof typeof Exit]} | ${meaning} |`
  );
  return `# The control protocol

How a program talks to \`xsnd serve\`. \`xsnd status\`, \`top\`, \`trigger\`, \`volume\`, \`mute\`, \`unmute\`, \`wait\`,
\`trace record\` and \`logs\` are clients of this protocol. This page describes version ${CONTROL_VERSION}.

\`deno task docs\` makes this page of the types and schemas that both ends check by. Tests hold the page to them and send its
requests to a daemon.

## The connection

The daemon listens at a UNIX stream socket: \`$XSND_CONTROL\`, in a sandbox \`$XSND_SANDBOX/control.sock\`, otherwise
\`${RUN_DIRECTORY}/control.sock\`. Root and the daemon's own user may connect, and with \`xsnd serve --group\` the members
of that group.

Both ends send lines: one JSON object in UTF-8, without a line feed in it, and then a line feed. A line has at most a mebibyte; the
daemon hangs up on a longer line.

A client has one request at a time:

- Each request is one line. Each response is one line. \`watch\`, \`trace\` and \`logs\` have many responses, the others one.
- A further line ends the request before it: \`watch\`, \`trace\` and \`logs\` end, and a request that still waits is given up and never carried
  out. \`trace\` sends its last records first. Requests that need not wait are answered in their order.
- An empty line ends the request and asks for nothing.
- A client that hangs up, or shuts down its sending side, ends its request too. The daemon still sends what it has to say.

The daemon has 64 clients at most, of which 8 places are kept for root and the daemon's own user. A client without a place gets a
refusal, and then the daemon hangs up. So it does on a client whose first request does not come within 10 s.

## Responses

A response has \`"ok": true\` and a \`result\`, or \`"ok": false\` and an error.

### A result

${typeTable(PROTOCOL, "ControlResult")}
### An error

${typeTable(PROTOCOL, "ControlFailure")}
${jsonBlock(FAILURE_EXAMPLE)}
The daemon keeps the connection, and takes the next request.

| \`exitCode\` | meaning |
| --- | --- |
${exits.join("\n")}

## Requests

A request with an unknown field, or without a field that has no \`?\`, is refused and not carried out. \`waitMs\` is at most
${MAX_WAIT_MS}.

${commands.map(request).join("\n")}
## What comes back

A \`StatusReport\` is what \`xsnd status --json\` prints, and a \`StreamReport\` one of its \`streams\`:
[json.md](json.md#status---json-and-each-line-of-top---json) has all fields.

\`watch\` answers with a \`StatusReport\` at once, and then whenever a stream has come or gone or a steady field of a stream has
changed. The daemon looks ten times a second, and does not report what comes and goes between two looks. Fields that are not
steady, since they move all the time while a stream is open, are those that count frames, requests, queries, events and periods, the
times in µs, and \`engineCpuSeconds\`.

### \`TraceHead\`

${typeTable(TRACE, "TraceHead")}
### \`TraceParameters\`

${typeTable(TRACE, "TraceParameters")}
### \`TraceChunk\`

${typeTable(PROTOCOL, "TraceChunk")}
The last record of a trace says why the trace ends. The head of \`lib/trace/trace_format.ts\` has the layout of records.

### \`LogLines\`

${typeTable(PROTOCOL, "LogLines")}
### \`LogLine\`

${typeTable(LOG, "LogLine")}
## Versions

Every response says the daemon's version of the protocol. Under one version fields may be added to results and reports: a client
passes over fields that it does not know. A field that is removed, or that changes its meaning, makes a new version. The fields of
an error, and \`ok\` and \`version\` of a response, never change. A daemon of version 1, of xsnd 0.1.0, sends no \`version\`.

A client compares the version with its own before it reads a result, since the daemon may be of another xsnd: one that was not
restarted after an upgrade.

| version | what is new |
| --- | --- |
| 1 | xsnd 0.1.0 |
| 2 | Every response has \`version\`. \`format\` is a name as \`s16_le\`, in reports and in \`TraceHead\`, where it was a number. |
`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(new URL("../../docs/control-protocol.md", import.meta.url), controlDocs());
}
