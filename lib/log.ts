/** Logs: a line each on stderr, as systemd's journal and people like them. */
import { configure, type LogLevel, type LogRecord } from "@logtape/logtape";

const encoder = new TextEncoder();

/** Begins to log at `level` and above. Until then nothing is logged. */
export async function startLogging(level: LogLevel = "info"): Promise<void> {
  await configure({
    sinks: { stderr: (record) => void Deno.stderr.writeSync(encoder.encode(`${formatRecord(record)}\n`)) },
    loggers: [
      { category: "xsnd", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
}

/** `xsnd: warning: domU/0/0/0: what happened`: the stream, the card, or else the part of the program that speaks. */
export function formatRecord({ level, category, message, properties }: LogRecord): string {
  const about = properties.stream ?? properties.card ?? category.slice(1).join(" ");
  return `xsnd: ${level}: ${about}: ${message.map(String).join("")}`;
}
