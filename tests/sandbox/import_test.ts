// SPDX-License-Identifier: MIT
/** `xsnd check`, `import` and `export` on files and on running domains, as a user runs them. */
import assert from "node:assert/strict";
import { anyPcm, assertFails, type Box, inBox, xsnd } from "./harness.ts";

const XL = `name = "domU"
memory = 512
disk = ['phy:/dev/vg/domU,xvda,w']
vsnd = [['CARD, short-name=Main, sample-formats=s16_le;s32_le',
         'PCM, name=Main',
         'STREAM, unique-id=out, type=p', # the loudspeakers
         'STREAM, unique-id=in, type=c, channels-max=1']]
`;

function write(box: Box, name: string, text: string): string {
  Deno.writeTextFileSync(box.path(name), text);
  return box.path(name);
}

async function provision(box: Box, ...args: string[]): Promise<void> {
  const { code, stderr } = await box.spawnWith(anyPcm, "provision", ...args).result;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, args.join(" "));
}

const tree = (box: Box) => box.xenstore("ls", "-p", "/local/domain/0/backend/vsnd");

Deno.test("import and export of a file and of the running domain come to the same tree", () =>
  inBox(async (box) => {
    for (const name of ["dummy", "two-guests"]) {
      const file = `fixtures/${name}.yaml`;
      await provision(box, "domU", "-f", file);
      const before = await tree(box);
      const { stdout: fromFile } = await box.run("export", file, "domU");
      const { stdout: fromDomain } = await box.run("export", "domU");
      for (const [index, text] of [fromFile, fromDomain].entries()) {
        const yaml = await box.ok("import", write(box, `${index}.cfg`, text));
        const file = write(box, `${index}.yaml`, yaml);
        await box.ok("check", file);
        await box.ok("deprovision", "domU");
        await provision(box, "-f", file);
        assert.equal(await tree(box), before, `${name} ${index}`);
      }
      const running = write(box, "running.yaml", await box.ok("import", "domU"));
      await box.ok("deprovision", "domU");
      await provision(box, "-f", running);
      assert.equal(await tree(box), before, name);
      await box.ok("deprovision", "domU");
    }
  }));

Deno.test("import makes YAML of an xl.cfg that check and provision take", () =>
  inBox(async (box) => {
    const cfg = write(box, "domU.cfg", XL);
    assert.equal(await box.ok("check", cfg), `${cfg} is right: 1 domain, 1 card, 2 streams\n`);
    const { code, stdout, stderr } = await box.run("import", "--device", "dummy:", cfg);
    assert.equal(code, 0);
    assert.equal(stderr, "xsnd: xl has no word for devices: 2 streams got dummy:; see --device\n");
    assert.equal(
      stdout,
      `domains:
  domU:
    cards:
      - short-name: Main
        sample-formats: [s16_le, s32_le]
        pcms:
          - name: Main
            streams:
              - type: playback
                unique-id: out
                device: "dummy:"
              - type: capture
                unique-id: in
                device: "dummy:"
                channels-max: 1
`,
    );
    const json = await box.run("import", "--json", "--device", "dummy:", cfg);
    assert.deepEqual(Object.keys(JSON.parse(json.stdout).domains), ["domU"]);
    await box.ok("provision", "-f", write(box, "domU.yaml", stdout));
  }));

Deno.test("check explains an xl.cfg in its own terms, all of it at once", () =>
  inBox(async (box) => {
    const cfg = write(
      box,
      "bad.cfg",
      "vsnd = [['CARD, short-name=a, sample-formats=f32_le',\n  'STREAM, type=p, sample-rates=37800',\n  'STREAM']]\n",
    );
    const { code, stdout, stderr } = await box.run("check", "--json", cfg);
    assert.equal(code, 6);
    const { file, valid, findings } = JSON.parse(stdout);
    assert.deepEqual([file, valid], [cfg, false]);
    const found = findings.map((finding: Record<string, unknown>) => [
      finding.line,
      finding.column,
      finding.path,
      finding.what,
    ]);
    assert.deepEqual(found, [
      [1, 46, "vsnd[0][0].sample-formats", "libxl writes f32_le into XenStore"],
      [2, 33, "vsnd[0][1].sample-rates[0]", "37800 is not allowed"],
      [3, 3, "vsnd[0][2].type", "missing"],
    ]);
    for (const { why, instead } of findings) assert.ok(why && instead);
    assert.equal(stderr.trim().split("\n").length, 3);
    assert.match(
      stderr,
      /bad\.cfg:3:3: vsnd\[0\]\[2\]\.type: missing; the Linux frontend .*; write type=p or type=c/,
    );
  }));

Deno.test("import and export say what is wrong with their source", () =>
  inBox(async (box) => {
    const unnamed = write(box, "unnamed.cfg", "vsnd = [['STREAM, type=p']]\n");
    assertFails(
      await box.run("import", unnamed),
      2,
      /does not say whose it is; name the domain with --domain/,
    );
    assertFails(await box.run("import", "domU"), 1, /domU has no virtual sound card/);
    assertFails(await box.run("import", "nobody"), 1, /no domain "nobody"/);
    assertFails(
      await box.run("import", write(box, "b.cfg", "vsnd=[-1]\n")),
      6,
      /b\.cfg:1:7: not xl's syntax/,
    );
    assertFails(await box.run("export", "fixtures/two-guests.yaml"), 2, /has domU, guest2; name one/);
    assertFails(
      await box.run("export", "fixtures/domU.yaml", "guest9"),
      1,
      /has no domain "guest9"; it has domU/,
    );
    assertFails(await box.run("export", box.path("none.yaml")), 6, /no such file/);
    const { code, stderr } = await box.run("export", "fixtures/two-guests.yaml", "domU");
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^xsnd: float_le: libxl writes it .* `xsnd provision` makes cards without that flaw\n$/,
    );
    const none = await xsnd(["import", "domU"], { XENSTORED_PATH: "/nowhere", XSND_SANDBOX: "" });
    assertFails(none, 5, /cannot open XenStore/);
  }));

Deno.test("a file of another kind is named by every command that reads one, with the command that takes it", () =>
  inBox(async (box) => {
    const cfg = write(box, "domU.cfg", XL);
    const yaml = write(box, "domU.yaml", await Deno.readTextFile("fixtures/domU.yaml"));
    const sndBe = write(box, "snd_be.cfg", 'soundSystem = "ALSA";\nplaybackStreams: { streams = (); };\n');
    const isXl =
      /domU\.cfg:1:1: the file is an xl configuration and not YAML; `xsnd import .*domU\.cfg` converts it to YAML/;
    for (const args of [["provision", "-f"], ["diff", "-f"], ["serve", "--config"]]) {
      assertFails(await box.run(...args, cfg), 6, isXl);
      assertFails(
        await box.run(...args, sndBe),
        6,
        /the file is a configuration of the backend snd_be; write its devices/,
      );
    }
    for (const verb of ["check", "import", "export"]) {
      assertFails(
        await box.run(verb, sndBe),
        6,
        /snd_be\.cfg:1:1: the file is a configuration of the backend snd_be/,
      );
      assertFails(
        await box.run(verb, "fixtures/melody.wav"),
        6,
        /melody\.wav:1:1: the file is a WAV file; `xsnd play /,
      );
    }
    assertFails(
      await box.run("import", yaml),
      6,
      /is YAML and not an xl configuration; `xsnd provision -f .*domU\.yaml`/,
    );
    await box.ok("check", write(box, "mark.yaml", `\ufeff${Deno.readTextFileSync(yaml)}`));
  }));

Deno.test("import and export of a running domain say what is the guest's own word, and refuse what no file can hold", () =>
  inBox(async (box) => {
    const stream = (n: number) => ({ type: "playback", device: "dummy:", "unique-id": `s${n}` });
    const cards = [0, 1].map((n) => ({ pcms: [{ streams: [stream(n)] }] }));
    await box.ok("provision", "-f", write(box, "two.yaml", JSON.stringify({ domains: { domU: { cards } } })));
    await box.ok("import", "domU");
    // Cards of xl lack xsnd's own nodes, which the guest cannot write.
    await box.xenstore("rm", "/local/domain/0/backend/vsnd/1/1/xsnd");
    for (const verb of ["import", "export"]) {
      const { code, stderr } = await box.run(verb, "domU");
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^xsnd: card 1 of domU was not made by xsnd: .* the guest's own directory; compare/m,
      );
      assert(!/card 0/.test(stderr), stderr);
    }
    await box.ok("deprovision", "domU", "0", "--force");
    for (const verb of ["import", "export"]) {
      const { code, stdout, stderr } = await box.run(verb, "domU");
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(
        stderr,
        /domU has a card 1, and no card 0; in a configuration file a card's number is its place/,
      );
    }
    assertFails(
      await box.run("import", "vm.example.org"),
      1,
      /no domain "vm\.example\.org".*; nor is there a file/,
    );
  }));
