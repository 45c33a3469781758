// SPDX-License-Identifier: MIT
/** The lab's command, `deno task lab`. */
import { parseArgs } from "node:util";
import { LabError } from "./command.ts";
import { type Arch, Lab } from "./lab.ts";

const usage = `Usage: deno task lab [--arch=amd64|arm64] COMMAND

  sh           boot Xen, and be in dom0's shell, with xsnd on PATH; leaving it ends the lab
  run FILE     boot Xen, run a shell script in dom0 (- is stdin), print what it prints, exit as it does
  build        build the images that are missing or out of date, and nothing else

The machine is emulated, with an AC97 sound card; what it plays is in the run's folder, with its logs:
.cache/lab/runs.`;

/** Runs one command and returns its exit code. */
async function main(args: string[]): Promise<number> {
  const { values, positionals: [command, file, ...rest] } = parseArgs({
    args: args[0] === "--" ? args.slice(1) : args,
    options: { arch: { type: "string", default: "amd64" }, help: { type: "boolean" } },
    allowPositionals: true,
  });
  const arch = values.arch as Arch;
  const known = (command === "run" && file !== undefined) ||
    (["sh", "build"].includes(command!) && file === undefined);
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (!known || rest.length > 0 || !["amd64", "arm64"].includes(arch)) {
    console.error(usage);
    return 2;
  }
  if (command === "build") await Lab.build(arch);
  else if (command === "sh") {
    await using lab = await Lab.boot({ arch, console: "terminal" });
    await lab.ended();
  } else {
    const script = file === "-"
      ? await new Response(Deno.stdin.readable).text()
      : await Deno.readTextFile(file!);
    await using lab = await Lab.boot({ arch });
    const outcome = await lab.dom0.attempt(script, { timeout: 24 * 3600 });
    await Deno.stdout.write(outcome.bytes);
    await Deno.stderr.write(new TextEncoder().encode(outcome.stderr));
    return outcome.code;
  }
  return 0;
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  if (!(error instanceof LabError || error instanceof TypeError || error instanceof Deno.errors.NotFound)) {
    throw error;
  }
  console.error(`lab: ${error.message}`);
  Deno.exit(1);
}
