// SPDX-License-Identifier: MIT
/** Reading text files: UTF-8 with and without a byte order mark, other encodings, invalid text, and unreadable files. */
import assert from "node:assert/strict";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { fileProblem } from "../../lib/base/file_error.ts";
import { decodeText, NotUtf8, readWhole, requireRegular } from "../../lib/base/text_file.ts";

const encoder = new TextEncoder();

function octets(...parts: (string | number)[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    parts.flatMap((part) => typeof part === "string" ? [...encoder.encode(part)] : [part]),
  );
}

Deno.test("decodeText() is the text, with a byte order mark where there is one", () => {
  for (const text of ["", "a: b\n", "d\u00f6m\u{1f3b5}\n", "a\ufeffb"]) {
    assert.equal(decodeText(octets(text)), text);
    assert.equal(decodeText(octets(0xef, 0xbb, 0xbf, text)), `\ufeff${text}`);
  }
});

Deno.test("decodeText() says where the first octet stands that is not UTF-8", () => {
  const wrong: [Uint8Array<ArrayBuffer>, [number, number, number]][] = [
    [octets(0xff, 0xfe, "a"), [0xff, 1, 1]],
    [octets("ab\nc", 0xe4, "d\n", 0xe4), [0xe4, 2, 2]],
    [octets(0xef, 0xbb, 0xbf, "ab", 0x80), [0x80, 1, 3]],
    [octets("\u00f6\u{1f3b5}", 0xc3, "("), [0xc3, 1, 4]],
    [octets("a\r\nb", 0xc3), [0xc3, 2, 2]], // truncated
    [octets("a", 0xed, 0xa0, 0x80), [0xed, 1, 2]], // half a surrogate pair
    [octets("a", 0xc0, 0xaf), [0xc0, 1, 2]], // overlong
    [octets("x".repeat(100_000), 0xe9, "y".repeat(100_000)), [0xe9, 1, 100_001]],
  ];
  for (const [text, [octet, line, column]] of wrong) {
    assert.throws(() => decodeText(text), (error: unknown) => {
      assert(error instanceof NotUtf8, String(error));
      assert.deepEqual([error.octet, error.line, error.column], [octet, line, column]);
      assert.match(error.message, /^octet 0x[0-9a-f]{2} is not UTF-8$/);
      return true;
    });
  }
});

Deno.test("a file that cannot be read is told in plain words, and not in those of Deno", async (t) => {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.symlinkSync("loop", `${directory}/loop`);
    Deno.writeTextFileSync(`${directory}/file`, "12345678");
    const attempts: [string, RegExp][] = [
      [`${directory}/none`, /no such file or directory$/],
      [directory, /it is a directory$/],
      [`${directory}/loop`, /too many levels of symbolic links$/],
      [`${directory}/file/below`, /a part of the path is no directory$/],
      [`${directory}/file`, /has more than 4 octets: too many for the list$/],
      ["/dev/zero", /\/dev\/zero has more than 4 octets/],
    ];
    for (const [path, said] of attempts) {
      await t.step(path.replace(directory, "DIR"), () =>
        assert.throws(
          () => readWhole(path, { what: "the list", most: 4, exitCode: Exit.badConfiguration }),
          (error: unknown) => {
            assert(error instanceof XsndError && error.exitCode === Exit.badConfiguration, String(error));
            assert.match(error.message, said);
            assert(!/os error|--allow|readfile|stat '/.test(error.message), error.message);
            return true;
          },
        ));
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
  const refused = new Deno.errors.NotCapable(
    'Requires all access to "/dev/mem", run again with the --allow-all flag',
  );
  assert.equal(fileProblem(refused), "xsnd opens no files of /dev, /proc and /sys; name an ordinary file");
});

Deno.test("requireRegular() refuses what might keep its reader waiting", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    await new Deno.Command("mkfifo", { args: [`${directory}/pipe`] }).output();
    Deno.writeTextFileSync(`${directory}/file`, "");
    requireRegular(`${directory}/file`, "the list");
    for (const path of [`${directory}/pipe`, "/dev/null", directory]) {
      assert.throws(
        () => requireRegular(path, "the list"),
        /it is not a regular file, and could block the daemon/,
      );
    }
    assert.throws(() => requireRegular(`${directory}/none`, "the list"), /no such file/);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
