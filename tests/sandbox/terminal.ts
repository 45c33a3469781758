// SPDX-License-Identifier: MIT
/** Runs a command at a terminal, which is tmux's, and reads what a person would see. */
import assert from "node:assert/strict";
import { type Box, Process, until } from "./harness.ts";

/** A program in the terminal of a tmux server that runs nothing else. */
export class Terminal implements AsyncDisposable {
  readonly #socket: string;

  private constructor(box: Box) {
    // Each server has its own socket, because the previous server takes a moment to end.
    this.#socket = box.path(`tmux-${crypto.randomUUID()}.sock`);
  }

  /** Runs a shell command. Its output stays on the screen, followed by its exit code, as `code N`. */
  static async run(box: Box, size: { columns: number; rows: number }, command: string): Promise<Terminal> {
    const terminal = new Terminal(box);
    const variables = Object.entries(box.environment).map(([name, value]) => `${name}='${value}'`).join(" ");
    await terminal.tmux(
      ...["-f", "/dev/null", "new-session", "-d", "-x", String(size.columns), "-y", String(size.rows)],
      `echo before; env ${variables} ${command}; echo code $?; exec sleep 1000`,
    );
    return terminal;
  }

  async tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Process("tmux", ["-S", this.#socket, ...args], {
      env: { TERM: "xterm", LC_ALL: "C.UTF-8" },
    }).result;
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** The text on the screen. */
  screen(): Promise<string> {
    return this.tmux("capture-pane", "-p");
  }

  untilScreen(pattern: RegExp): Promise<string> {
    return until(`${pattern} on the screen`, async () => {
      const screen = await this.screen();
      return pattern.test(screen) ? screen : "";
    });
  }

  /** Asserts that the command has ended with `code`, and that the terminal's settings and earlier text are restored. */
  async assertRestored(code: number): Promise<void> {
    const screen = await this.untilScreen(/^code/m);
    assert.match(screen, new RegExp(`^before\\n(xsnd: interrupted\\n)?code ${code}\\n`));
    assert.equal(await this.tmux("display", "-p", "#{alternate_on} #{cursor_flag}"), "0 1\n");
    const tty = await this.tmux("display", "-p", "#{pane_tty}");
    const { stdout } = await new Process("stty", ["-F", tty.trim(), "-a"]).result;
    assert.match(stdout, / icanon .* echo /s);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tmux("kill-server");
  }
}
