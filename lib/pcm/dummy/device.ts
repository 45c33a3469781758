// SPDX-License-Identifier: MIT
/**
 * The dummy device in the main thread: opens its WAV file. The engine deals in plain frames. For playback the engine writes frames
 * into a pipe, and this thread writes them to the file. For capture this thread copies the file's frames into memory for the
 * engine.
 */
import { errnoName } from "../../../ffi/libc/errno.ts";
import { errno, unwrap } from "../../../ffi/libc/failed_call.ts";
import { ACCESS, F, libc, O, SEEK } from "../../../ffi/libc/libc.ts";
import { whileAlive } from "../../../ffi/libc/pointers.ts";
import { cString } from "../../../ffi/base/c_string.ts";
import { XsndError } from "../../base/error.ts";
import { FORMATS, formatsToMask, XEN_EINVAL, XEN_ENODEV } from "../../sndif/mod.ts";
import { type AudioReader, type Warn, WavReader, WavWriter } from "../../wav/mod.ts";
import { wavFormat } from "../../wav/samples.ts";
import type { OpenDevice, PcmDevice, PcmRequest } from "../device.ts";
import { devicePeriodFrames } from "../device_period.ts";
import { PcmError } from "../pcm_error.ts";
import { type Direction, type PcmParams, sampleFormatOf } from "../pcm.ts";
import type { RefinerDescriptor } from "../refiner.ts";

/** Room for seconds of sound, in case the main thread is busy. */
const PIPE_BYTES = 1 << 20;

export class DummyDevice implements PcmDevice {
  /** A file's failure is final, and a second opening would empty the file. */
  readonly comesBack = false;

  /** @param file the WAV file that playback writes, or capture reads; "": none */
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
      this.#explained(() => new WavWriter(this.file, { format: sampleFormatOf(params), channels, rate })),
    );
    const fds = new Int32Array(2);
    unwrap(libc().pipe2(fds, O.CLOEXEC), "pipe2");
    const [readFd = -1, fd = -1] = fds;
    for (const end of fds) stack.defer(() => libc().close(end));
    libc().fcntl(fd, F.SETPIPE_SZ, BigInt(PIPE_BYTES));
    unwrap(libc().fcntl(fd, F.SETFL, BigInt(O.NONBLOCK)), "fcntl O_NONBLOCK");
    stack.move();
    const written = this.#drain(readFd, writer);
    // close() reports a failure. Until then nobody awaits this promise.
    written.catch(() => {});
    const close = async () => {
      libc().close(fd);
      await written;
    };
    return { descriptor: { kind: "dummy", params, fd }, close };
  }

  /** Writes the pipe's frames to the file until the pipe's other end is closed. */
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
    const format = sampleFormatOf(params);
    if (
      !reader.formats.includes(format) || reader.params.rate !== params.rate ||
      reader.params.channels !== params.channels
    ) {
      throw new PcmError(`${this.file} does not have the guest's parameters`, XEN_EINVAL);
    }
    reader.deliverAs(format);
    using stack = new DisposableStack();
    const fd = unwrap(libc().memfd_create(cString("xsnd-capture"), 0), "memfd_create");
    stack.defer(() => libc().close(fd));
    const octets = new Uint8Array(4096 * reader.frameOctets);
    for (let frames; (frames = reader.readFrames(octets)) > 0;) {
      writeAll(fd, octets.subarray(0, frames * reader.frameOctets));
    }
    unwrap(libc().lseek(fd, 0n, SEEK.SET), "lseek");
    stack.move();
    const close = () => Promise.resolve(void libc().close(fd));
    return { descriptor: { kind: "dummy", params, fd }, warnings, close };
  }

  /** Throws {@link PcmError} unless the kernel allows writing. Leaves the file unchanged, as it may hold the last recording. */
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
    return new PcmError(`dummy device: cannot write ${this.file}: ${reason}; ${advice}`, XEN_ENODEV);
  }

  #read(warn?: Warn): AudioReader {
    return this.#explained(() => new WavReader(this.file, warn));
  }

  /** Opens the file. Turns a file error into a {@link PcmError} ENODEV. */
  #explained<T>(open: () => T): T {
    if (isPipe(this.file)) {
      // The opening would block the main thread, and so all guests, until somebody opens the other end.
      throw new PcmError(`dummy device: ${this.file} is a pipe; name a WAV file`, XEN_ENODEV);
    }
    try {
      return open();
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      throw new PcmError(`dummy device: ${error.message}`, XEN_ENODEV, { cause: error });
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

/** The errno's name if this process may not access the file in that `mode`; undefined if it may. */
function refusalOf(path: string, mode: number): string | undefined {
  return libc().access(cString(path), mode) === 0 ? undefined : errnoName(errno());
}

/** read(2) on a thread of Deno's pool; 0 at the end. */
async function readSome(fd: number, into: Uint8Array<ArrayBuffer>): Promise<number> {
  const count = await whileAlive(libc().read_async(fd, into, BigInt(into.length)), into);
  if (count < 0) throw new PcmError("the dummy device's pipe cannot be read", XEN_ENODEV);
  return Number(count);
}

function writeAll(fd: number, octets: Uint8Array<ArrayBuffer>): void {
  for (let done = 0; done < octets.length;) {
    done += Number(
      unwrap(libc().write(fd, octets.subarray(done), BigInt(octets.length - done)), "write to a memfd"),
    );
  }
}
