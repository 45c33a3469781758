// SPDX-License-Identifier: MIT
/**
 * What the host's devices play and record, by the streams of the guests whose frames they are. Guests play frames that carry their
 * stream's tag and a number, see `guest/account.ts`.
 */
import type { Process } from "../machine/process.ts";
import type { HostPcm } from "../sound/host_pcm.ts";
import type { PlayedRun, ReadRun, SoundReports, StopCause } from "../sound/reports.ts";
import type { StreamAccount } from "../guest/account.ts";
import type { Guest } from "../population.ts";
import { DryMoments } from "./dry_moments.ts";
import { IntervalSet } from "./interval_set.ts";
import type { Takes } from "./takes.ts";
import type { InvariantName } from "./statements.ts";

/** Frames that have numbers have so many octets. */
export const COUNTABLE = 4;

/** The shortest run that begins anywhere. Runs of ten words have come by chance, of a stream whose volume was changed. */
const LEAST_RUN = 16;

/** µs before the death of a daemon, or a device's failure to tell its pointer, that the daemon may not have looked at the device. */
const UNSEEN_MICROS = 1_000_000;
/** The runs of each stream that are remembered, at least. */
const RECENT = 40;

/** Frames that were heard one after the other. */
interface HeardRun {
  readonly first: number;
  readonly count: number;
  readonly until: number;
  readonly by: HostPcm;
  readonly text: string;
}

/** What was heard of one stream. */
export class Heard {
  /** The numbers of the frames that were heard. */
  readonly frames = new IntervalSet();
  /**
   * Those among them that a device played while its pointer stood still, or whose daemon died before it looked at the pointer. They may
   * come again.
   */
  readonly unseen = new IntervalSet();
  /** How many were heard in all, whatever their numbers: of streams whose frames have four octets. */
  count = 0;
  /** When the last frame was heard, and by which device. */
  lastAt = 0;
  lastBy: HostPcm | undefined;
  /** The number that comes after the last frame. */
  next = 1;
  /** The latest runs, for whoever looks for the reason of a violation. */
  readonly recent: HeardRun[] = [];
}

function forgetOld(runs: HeardRun[]): void {
  const from = runs.at(-1)!.until - UNSEEN_MICROS;
  while (runs.length > RECENT && runs[0]!.until < from) runs.shift();
}

export class Ledger implements Omit<SoundReports, "violated"> {
  readonly #heard = new Map<StreamAccount, Heard>();
  readonly dryMoments = new DryMoments();
  /** Seconds of guests' sound that were heard in all. */
  seconds = 0;
  /** Called with each run of frames of one stream that a device plays: from `first` on. */
  onHeard: (
    guest: Guest,
    account: StreamAccount,
    pcm: HostPcm,
    frames: number,
    from: number,
    until: number,
  ) => void = () => {};

  constructor(
    private readonly accountOf: (tag: number) => { guest: Guest; account: StreamAccount } | undefined,
    private readonly violated: (name: InvariantName, text: string) => void,
    private readonly note: (text: string) => void,
    /** Where the takes are kept, if anybody asks for them. */
    private readonly takes: Takes | undefined,
  ) {}

  /** What was heard of a stream so far. */
  of(account: StreamAccount): Heard {
    let heard = this.#heard.get(account);
    if (heard === undefined) this.#heard.set(account, heard = new Heard());
    return heard;
  }

  played(pcm: HostPcm, run: PlayedRun): void {
    this.dryMoments.played(pcm, run);
    const { configuration } = pcm;
    if (configuration === undefined || run.source < 0 || run.isRepeat) return;
    const frameBytes = run.octets.length / run.frames;
    if (frameBytes !== COUNTABLE) return;
    const view = new DataView(run.octets.buffer, run.octets.byteOffset, run.octets.byteLength);
    for (let at = 0; at < run.frames;) {
      const word = view.getUint32(at * COUNTABLE, true);
      let count = 1;
      while (
        at + count < run.frames &&
        view.getUint32((at + count) * COUNTABLE, true) === (word === 0 ? 0 : word + count)
      ) count++;
      if (word >>> 24 !== 0) this.#heardRun(pcm, word, count, run, at);
      at += count;
    }
  }

  #heardRun(pcm: HostPcm, word: number, count: number, run: PlayedRun, at: number): void {
    const owner = this.accountOf(word >>> 24);
    if (owner === undefined) return;
    const share = (frame: number) => run.from + (run.until - run.from) * frame / run.frames;
    const heard = this.of(owner.account);
    const first = word & 0xffffff;
    this.takes?.played(owner.account, pcm, first, count, run.position + at);
    heard.count += count;
    // While the volume changes, single frames look as if they were anybody's.
    if (count < LEAST_RUN && first !== heard.next) return;
    heard.next = first + count;
    // Nobody can know what a device plays between the last look at its pointer and the end of a slow drop: it may come again.
    const again = pcm.isDropping ? 0 : heard.frames.add(first, first + count);
    const twice = again > 0 ? again - heard.unseen.count(first, first + count) : 0;
    const { from, until, before } = pcm.blind;
    if (share(at + count) > from && share(at) < until) heard.unseen.add(first - before, first + count);
    const text = `frames ${first} to ${first + count}, from ${share(at)} to ${
      share(at + count)
    } µs, by ${pcm.label}, position ${run.position + at}, source ${run.source + at}`;
    heard.recent.push({ first, count, until: share(at + count), by: pcm, text });
    forgetOld(heard.recent);
    if (!pcm.process.isAlive) heard.unseen.add(first, first + count);
    heard.lastAt = share(at + count);
    heard.lastBy = pcm;
    this.seconds += (share(at + count) - share(at)) / 1e6;
    this.onHeard(owner.guest, owner.account, pcm, count, share(at), share(at + count));
    if (twice > 0 && !owner.account.hasJumpedOn && !this.mayRepeat(owner.account)) {
      const { writes = [] } = owner.account.segment ?? {};
      const written = writes.slice(-12).map(({ request, at, first, frames }) =>
        `  WRITE at ${at} of frames ${first} to ${
          first + frames
        }, sent ${request.sent}, status ${request.status}`
      );
      for (const line of [...heard.recent.map(({ text }) => text), ...written]) this.note(line);
      this.violated(
        "playedOnce",
        `${twice} frames of ${owner.guest.name} ${owner.account.name} from ${first} on are played again, by ${pcm.label}`,
      );
    }
  }

  /** Whether the guest's requests may be served so late that the daemon takes a rewind for a jump. */
  mayRepeat: (account: StreamAccount) => boolean = () => false;

  /** A daemon has died at the time `now`. The next one plays again what this one has not seen played. */
  died(process: Process, now: number): void {
    this.#unseen(({ process: of }) => of === process, now);
  }

  /** A daemon that ends hands over the position that it knows. */
  unread(pcm: HostPcm, now: number): void {
    this.#unseen((by) => by === pcm, now);
  }

  #unseen(isBy: (pcm: HostPcm) => boolean, now: number): void {
    for (const { recent, unseen } of this.#heard.values()) {
      for (const { first, count, until, by } of recent) {
        if (isBy(by) && until >= now - UNSEEN_MICROS) unseen.add(first, first + count);
      }
    }
  }

  /** Called when a device starts. */
  onStarted: () => void = () => {};

  started(pcm: HostPcm, time: number): void {
    this.onStarted();
    this.takes?.started(pcm, time);
  }

  stopped(pcm: HostPcm, cause: StopCause, _position: number, time: number): void {
    this.dryMoments.stopped(pcm, cause, time);
  }

  read(_pcm: HostPcm, run: ReadRun): void {
    this.takes?.read(run);
  }
}
