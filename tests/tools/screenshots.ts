// SPDX-License-Identifier: MIT
/** Makes the pictures of README and docs: `deno task screenshots [NAME]...`, all of them by default. */
import { capture, type CaptureOptions } from "./terminal.ts";
import { terminalSvg } from "./terminal_svg.ts";

/** Pictures by the names of their files in docs/. */
const PICTURES: Readonly<Record<string, CaptureOptions>> = {
  demo: { typed: "./xsnd demo", run: "./xsnd demo", columns: 80, rows: 24 },
  doctor: {
    typed: "xsnd doctor",
    run: `./xsnd sandbox --domain domU -- sh -ec '
      ./xsnd provision domU -f fixtures/dummy.yaml >/dev/null
      xenstore-rm /local/domain/0/backend/vsnd/1/0/state
      ./xsnd doctor || true'`,
    columns: 80,
    rows: 28,
  },
  top: {
    typed: "xsnd top",
    run: `./xsnd sandbox --domain domU --domain domV -- sh -c '
      ./xsnd provision domU -f fixtures/dummy.yaml >/dev/null
      ./xsnd provision domV --device dummy: >/dev/null
      ./xsnd serve 2>/dev/null & serve=$!
      for stream in domU/0/0/0 domV/0/0/0; do
        ./xsnd play --raw /dev/zero $stream --period-frames 480 --buffer-frames 1920 >/dev/null 2>&1 &
      done
      ./xsnd wait domU/0/0/0 --for running >/dev/null
      ./xsnd wait domV/0/0/0 --for running >/dev/null
      timeout --foreground 10 ./xsnd top
      kill $serve'`,
    columns: 80,
    rows: 10,
    afterSeconds: 9,
  },
};

Deno.chdir(new URL("../../", import.meta.url));
Deno.mkdirSync("docs", { recursive: true });
for (const name of Deno.args.length > 0 ? Deno.args : Object.keys(PICTURES)) {
  const picture = PICTURES[name];
  if (picture === undefined) {
    console.error(`screenshots: there is no picture ${name}; there are ${Object.keys(PICTURES).join(", ")}`);
    Deno.exit(2);
  }
  const lines = await capture(picture);
  Deno.writeTextFileSync(
    `docs/${name}.svg`,
    terminalSvg(lines, { title: picture.typed, columns: picture.columns }),
  );
  console.log(`docs/${name}.svg`);
}
