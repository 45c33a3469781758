// SPDX-License-Identifier: MIT
/** Draws a trace as one HTML page. The page carries the code of uPlot, and loads nothing. */
import library from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import libraryStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import script from "./page/page.js" with { type: "text" };
import style from "./page/page.css" with { type: "text" };
import { XENSND_OP_OPEN } from "../sndif/mod.ts";
import { printable, printableJson } from "../base/text.ts";
import type { TraceFile, TraceParameters } from "./trace_format.ts";
import { formatName } from "./names.ts";
import { Decoder } from "./packets.ts";
import { pictureOf } from "./series.ts";
import { summarize, type Summary } from "./summary.ts";
import { findingLine, judge } from "./verdict.ts";

/** The most findings that the page lists in words. */
const MAX_FINDINGS = 20;

/** A whole HTML document. */
export function pageOf(trace: TraceFile): string {
  const { head } = trace;
  const picture = pictureOf(trace);
  const about = `${head.type} on ${head.device}${
    parametersOf(trace)
  } · from ${head.startedAt} on · xsnd ${head.xsnd}`;
  const facts = factsOf(trace, picture.driftPpm).map(([name, value]) =>
    `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`
  );
  const { records } = trace;
  const times = records.map(({ time }) => time / 1e6);
  const [from, to] = [times[0] ?? 0, times.at(-1) ?? 1];
  // The policy allows what the page holds, and no request: not even a hostile guest's trace makes the page load anything.
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(head.stream)}: trace</title>
<style>
${libraryStyle}
${style}
</style>
</head>
<body>
<header>
<h1>${escape(head.stream)}</h1>
<p>${escape(about)}</p>
<dl>${facts.join("")}</dl>
${verdictOf(trace)}
</header>
<main></main>
<footer>Drag to zoom all charts in time, double-click to see the whole again.</footer>
<script type="application/json" id="picture">${
    inScript(printableJson(JSON.stringify({ from, to, type: head.type, ...picture })))
  }</script>
<script>${inScript(library)}</script>
<script>${inScript(script)}</script>
</body>
</html>
`;
}

/** The parameters of the last successful OPEN, otherwise those at the beginning of the trace. */
function parametersOf({ head, records }: TraceFile): string {
  const decoder = new Decoder();
  let parameters: Pick<TraceParameters, "rate" | "format" | "channels"> | undefined = head.parameters;
  for (const record of records) {
    const decoded = decoder.next(record);
    if (decoded.kind !== "response" || decoded.response.status !== 0) continue;
    if (decoded.asked?.request.operation !== XENSND_OP_OPEN) continue;
    const { pcmRate: rate, pcmFormat, pcmChannels: channels } = decoded.asked.request;
    parameters = { rate, format: formatName(pcmFormat), channels };
  }
  if (parameters === undefined) return "";
  const { rate, format, channels } = parameters;
  return ` · ${rate} Hz, ${format}, ${channels} channels`;
}

/** Why the sound stuttered: a sentence, and a list of the findings. */
function verdictOf({ head, records }: TraceFile): string {
  const { summary, findings } = judge(head.type, records);
  const lines = findings.slice(0, MAX_FINDINGS).map(findingLine);
  const more = findings.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  const list = lines.map((line) => `<li>${escape(line)}</li>`).join("");
  return `<p class="verdict">Verdict: ${escape(summary)}.</p>${list && `<ul>${list}</ul>`}`;
}

function factsOf(trace: TraceFile, driftPpm: number | undefined): [name: string, value: string][] {
  const summary = summarize(trace.records);
  const { seconds, requests, refused, events, lost, roundTripMicros: rtt } = summary;
  const drift = driftPpm === undefined ? "too short to tell" : `${driftPpm > 0 ? "+" : ""}${driftPpm} ppm`;
  return [
    ["Length", `${seconds.toFixed(2)} s`],
    ["Xruns", xrunsText(summary)],
    ["Requests", `${requests}, ${refused} refused`],
    ["Events", String(events)],
    ["Round trip p50 / p99 / max", `${rtt.p50} / ${rtt.p99} / ${rtt.max} µs`],
    ["Card’s clock against its rate", drift],
    ["Records lost", `${lost}${trace.truncated ? ", and the end of the file" : ""}`],
  ];
}

function xrunsText({ xruns, hostXruns, xrunSeconds }: Summary): string {
  if (xruns === 0) return "none";
  const whose = `${xruns - hostXruns} the guest’s, ${hostXruns} this host’s`;
  return `${xruns} (${whose}), ${Math.round(xrunSeconds * 1000)} ms`;
}

function escape(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Escapes text for a script element, so that nothing ends the element. JSON and JavaScript's strings read `\\u003c` as `<`. */
function inScript(text: string): string {
  return text.replace(/<(?=[/!])/g, "\\u003c");
}
