// SPDX-License-Identifier: MIT
/**
 * The card-less card in the main thread. Its files are WAV, but the engine deals in plain frames: what is played comes out
 * of it through a pipe and is written here, what is captured is laid out for it in memory.
 */
import { errnoName } from "../../../ffi/libc/errno.ts";
import { errno, unwrap } from "../../../ffi/libc/failed_call.ts";
import { ACCESS, F, libc, O } from "../../../ffi/libc/libc.ts";
import { whileAlive } from "../../../ffi/libc/pointers.ts";
import { cString } from "../../../ffi/base/c_string.ts";
import { XsndError } from "../../base/error.ts";
import { FORMATS, formatsToMask, XEN_EINVAL, XEN_ENODEV } from "../../sndif/mod.ts";
import { type AudioReader, type Warn, WavReader, WavWriter } from "../../wav/mod.ts";
import { wavFormat } from "../../wav/samples.ts";
import type { OpenDevice, PcmDevice, PcmRequest } from "../device.ts";
import { devicePeriodFrames } from "../device_period.ts";
import { PcmError } from "../pcm_error.ts";
import type { Direction, PcmParams } from "../pcm.ts";
import type { RefinerDescriptor } from "../refiner.ts";

/** Seconds of sound fit into this, should the main thread be held up. */
const PIPE_BYTES = 1 << 20;
const SEEK_SET = 0;

export class DummyDevice implements PcmDevice {
  /** Its file has failed for good, and opening it anew would empty it. */
  readonly comesBack = false;

  /** @param file what playback writes, what capture hears; empty: nothing */
  constructor(private readonly file: string, private readonly direction: Direction) {}

  warmUp(): Promise<void> {
    return Promise.resolve();
  }

  // deno-lint-ignore require-await
  async probe(): Promise<RefinerDescriptor> {
    const any = { min: 0, max: 0xffffffff };
    if (this.file === "") return { kind: "known", formatsLow: 0xffffffff, rates: any, channels: any };
    if (this.direction === "playback") {
      this.#requireWritable();
      const storable = FORMATS.filter((format) => wavFormat(format) !== undefined);
      return {
        kind: "known",
        formatsLow: formatsToMask(storable.map(({ code }) => code)),
        rates: any,
        channels: any,
      };
    }
    using reader = this.#read();
    const { rate, channels } = reader.params;
    return {
      kind: "known",
      formatsLow: formatsToMask(reader.formats.map(({ code }) => code)),
      rates: { min: rate, max: rate },
      channels: { min: channels, max: channels },
    };
  }

  closeProbe(): Promise<void> {
    return Promise.resolve();
  }

  // deno-lint-ignore require-await
  async open(request: PcmRequest): Promise<OpenDevice> {
    const params: PcmParams = {
      ...request,
      direction: this.direction,
      periodFrames: devicePeriodFrames(request),
    };
    if (this.file === "") {
      return {
        descriptor: { kind: "dummy", params, fd: -1 },
        close: () => Promise.resolve(),
      };
    }
    return this.direction === "playback" ? this.#openPlayback(params) : this.#openCapture(params);
  }

  #openPlayback(params: PcmParams): OpenDevice {
    const { channels, rate } = params;
    using stack = new DisposableStack();
    const writer = stack.use(
      this.#explained(() => new WavWriter(this.file, { format: FORMATS[params.format], channels, rate })),
    );
    const fds = new Int32Array(2);
    unwrap(libc().pipe2(fds, O.CLOEXEC), "pipe2");
    const [readFd, fd] = fds;
    for (const end of fds) stack.defer(() => libc().close(end));
    libc().fcntl(fd, F.SETPIPE_SZ, BigInt(PIPE_BYTES));
    unwrap(libc().fcntl(fd, F.SETFL, BigInt(O.NONBLOCK)), "fcntl O_NONBLOCK");
    stack.move();
    const written = this.#drain(readFd, writer);
    // A failure is reported when the card is closed; until then nobody waits for it.
    written.catch(() => {});
    const close = async () => {
      libc().close(fd);
      await written;
    };
    return { descriptor: { kind: "dummy", params, fd }, close };
  }

  /** Writes what comes out of the pipe until its other end is closed. */
  async #drain(pipe: number, writer: WavWriter): Promise<void> {
    using _writer = writer;
    try {
      const octets = new Uint8Array(PIPE_BYTES);
      let odd = 0;
      for (let n; (n = await readSome(pipe, octets.subarray(odd))) > 0;) {
        const whole = odd + n - (odd + n) % writer.frameOctets;
        writer.writeFrames(octets.subarray(0, whole));
        octets.copyWithin(0, whole, odd + n);
        odd += n - whole;
      }
    } finally {
      libc().close(pipe);
    }
  }

  #openCapture(params: PcmParams): OpenDevice {
    const warnings: string[] = [];
    using reader = this.#read((warning) => warnings.push(warning));
    const format = FORMATS[params.format];
    if (
      !reader.formats.includes(format) || reader.params.rate !== params.rate ||
      reader.params.channels !== params.channels
    ) {
      throw new PcmError(`${this.file} has other parameters than the guest asks for`, XEN_EINVAL);
    }
    reader.deliverAs(format);
    using stack = new DisposableStack();
    const fd = unwrap(libc().memfd_create(cString("xsnd-capture"), 0), "memfd_create");
    stack.defer(() => libc().close(fd));
    const octets = new Uint8Array(4096 * reader.frameOctets);
    for (let frames; (frames = reader.readFrames(octets)) > 0;) {
      writeAll(fd, octets.subarray(0, frames * reader.frameOctets));
    }
    unwrap(libc().lseek(fd, 0n, SEEK_SET), "lseek");
    stack.move();
    const close = () => Promise.resolve(void libc().close(fd));
    return { descriptor: { kind: "dummy", params, fd }, warnings, close };
  }

  /** Asks the kernel, and leaves the file as it is: it may hold the last recording. Throws {@link PcmError}. */
  #requireWritable(): void {
    const file = this.file;
    if (refusalOf(`${file}/.`, ACCESS.F_OK) === undefined) {
      throw this.#cannotWrite("it is a folder", "name a file");
    }
    const code = refusalOf(file, ACCESS.W_OK);
    if (code === undefined) return;
    if (code !== "ENOENT") {
      throw this.#cannotWrite(code, "name another file, or let this user write this one");
    }
    const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/") + 1) : "./";
    const folderCode = refusalOf(`${folder}.`, ACCESS.W_OK | ACCESS.X_OK);
    if (folderCode === "ENOENT") {
      throw this.#cannotWrite(`there is no folder ${folder}`, "make it, or name another file");
    }
    if (folderCode !== undefined) {
      throw this.#cannotWrite(`${folder}: ${folderCode}`, "let this user write there, or name another file");
    }
  }

  #cannotWrite(reason: string, advice: string): PcmError {
    return new PcmError(`dummy card: cannot write ${this.file}: ${reason}; ${advice}`, XEN_ENODEV);
  }

  #read(warn?: Warn): AudioReader {
    return this.#explained(() => new WavReader(this.file, warn));
  }

  /** A file that cannot be used is a card that is not there. */
  #explained<T>(open: () => T): T {
    if (isPipe(this.file)) {
      // Opening it would hold up the main thread, and all guests, until its other end is opened.
      throw new PcmError(`dummy card: ${this.file} is a pipe; name a WAV file`, XEN_ENODEV);
    }
    try {
      return open();
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      throw new PcmError(`dummy card: ${error.message}`, XEN_ENODEV, { cause: error });
    }
  }
}

function isPipe(path: string): boolean {
  try {
    return Deno.statSync(path).isFifo === true;
  } catch {
    return false;
  }
}

/** Why this process may not use the file in that way, as errno's name; undefined if it may. */
function refusalOf(path: string, mode: number): string | undefined {
  return libc().access(cString(path), mode) === 0 ? undefined : errnoName(errno());
}

/** read(2) on a thread of Deno's pool; 0 at the end. */
async function readSome(fd: number, into: Uint8Array<ArrayBuffer>): Promise<number> {
  const count = await whileAlive(libc().read_async(fd, into, BigInt(into.length)), into);
  if (count < 0) throw new PcmError("the dummy card's pipe cannot be read", XEN_ENODEV);
  return Number(count);
}

function writeAll(fd: number, octets: Uint8Array<ArrayBuffer>): void {
  for (let done = 0; done < octets.length;) {
    done += Number(
      unwrap(libc().write(fd, octets.subarray(done), BigInt(octets.length - done)), "write to a memfd"),
    );
  }
}
