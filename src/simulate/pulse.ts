import type { WorkerBeat } from '../supervisor/policy/model.ts';
import { workerOf } from './checks/known.ts';
import { hashed } from './draw.ts';
import type { Machine } from './machine.ts';
import { AHEAD_MS, ASK, BEATING_MS, type Process } from './process.ts';

/**
 * The beats of all workers. One by one they would be nine tenths of all that happens, and say nothing new: unless a world
 * is played exactly, a worker that beats has `BEATING_MS` for the time when it was last heard, until something happens
 * to it. A test proves that this comes to the same.
 */
export class Pulse {
  readonly #machine: Machine;
  readonly #isExact: boolean;

  constructor(machine: Machine, isExact: boolean) {
    this.#machine = machine;
    this.#isExact = isExact;
  }

  flap(process: Process, forMs: number): void {
    if (!process.isBeating(this.#machine.nowMs)) return;
    this.stop(process);
    process.flapUntilMs = this.#machine.nowMs + forMs;
    this.#machine.calendar.add(process.flapUntilMs, { type: 'unflap', process });
    this.#nextLateBeat(process);
  }

  unflap(process: Process): void {
    if (this.#machine.nowMs < process.flapUntilMs || !process.isBeating(this.#machine.nowMs)) return;
    process.beatRound++;
    this.start(process);
    this.sayNow(process);
  }

  #nextLateBeat(process: Process): void {
    const { suspectMs, deadMs } = this.#machine.world.config;
    const share = hashed(
      this.#machine.world.seed,
      process.id,
      ASK.beat + Math.floor(this.#machine.nowMs) * 16,
    );
    const afterMs = Math.min(2 * suspectMs, deadMs - 20) * (0.3 + 0.7 * share);
    const atMs = this.#machine.nowMs + Math.floor(afterMs);
    if (atMs < process.flapUntilMs)
      this.#machine.calendar.add(atMs, { type: 'beat', process, round: process.beatRound });
  }

  /** It will beat on time until something happens to it. */
  start(process: Process): void {
    process.beatsFromMs = this.#machine.nowMs;
    process.beatRound++;
    if (this.#isExact) this.note(process, this.#machine.nowMs + this.#machine.world.nature.beatMs);
  }

  note(process: Process, atMs: number): void {
    this.#machine.calendar.add(atMs, { type: 'beat', process, round: process.beatRound });
  }

  beat(process: Process, round: number): void {
    if (round !== process.beatRound || !process.isRunning || process.isMute) return;
    const isFlapping = this.#machine.nowMs < process.flapUntilMs;
    this.sayNow(process);
    if (round !== process.beatRound) return;
    if (isFlapping) this.#nextLateBeat(process);
    else if (this.#isExact)
      this.note(process, process.nextBeatMs(this.#machine.nowMs, this.#machine.world.nature.beatMs));
  }

  sayNow(process: Process): void {
    const beat = process.beat(this.#machine.nowMs, this.#machine.world.nature.requestsPerSecond);
    this.#machine.primary.deliver({ type: 'beats', beats: [beat] });
  }

  /** From here on its beats are not known to come: the state gets the time of the last one that was read. */
  stop(process: Process): void {
    process.beatRound++;
    if (this.#isExact) return;
    const { isAway, awayFromMs } = this.#machine.primary;
    const { beatMs } = this.#machine.world.nature;
    if (process.isCredited) {
      process.isCredited = false;
      const lastMs = process.lastBeatMs(isAway ? awayFromMs : this.#machine.nowMs, beatMs);
      process.heardAtMs = Math.max(process.heardAtMs, lastMs);
      this.#fold(process, process.heardAtMs);
    }
    const isUnread = isAway && process.lastBeatMs(this.#machine.nowMs, beatMs) > awayFromMs;
    if (isUnread && process.isBeating(this.#machine.nowMs)) this.sayNow(process);
  }

  #fold({ id }: Process, heardAtMs: number): void {
    this.#machine.primary.fold(id, (own) => {
      own.heardAtMs = heardAtMs;
    });
  }

  /** The primary read a word of it: unless beats are delivered one by one, all further ones are taken as read. */
  heard(process: Process): void {
    if (this.#isExact || process.readyAtMs === null || !process.isBeating(this.#machine.nowMs)) return;
    if (process.isCredited) return;
    process.isCredited = true;
    this.#fold(process, BEATING_MS);
    this.planNews(process);
  }

  /**
   * The primary was away: it knows what it knew when it left, and the beats since then lie unread.
   */
  recall(sinceMs: number): readonly WorkerBeat[] {
    if (this.#isExact) return [];
    const { beatMs, requestsPerSecond } = this.#machine.world.nature;
    const beats: WorkerBeat[] = [];
    for (const process of this.#machine.live) {
      // One that has said nothing since will say it in time.
      if (!process.isCredited || process.lastBeatMs(this.#machine.nowMs, beatMs) <= sinceMs) continue;
      process.isCredited = false;
      process.heardAtMs = Math.max(process.heardAtMs, process.lastBeatMs(sinceMs, beatMs));
      this.#fold(process, process.heardAtMs);
      if (process.isBeating(this.#machine.nowMs))
        beats.push(process.beat(this.#machine.nowMs, requestsPerSecond));
    }
    return beats;
  }

  /** The first beat that says something new, a limit passed, is delivered. */
  planNews(process: Process): void {
    if (this.#isExact || !process.isCredited) return;
    process.beatRound++;
    const { state } = this.#machine.primary;
    const worker = workerOf(state, process.id);
    const { limits } = state.config;
    if (worker === undefined || worker.retire !== null) return;
    const { beatMs, requestsPerSecond } = this.#machine.world.nature;
    let atMs = Number.POSITIVE_INFINITY;
    if (limits.rssBytes !== null && process.rssPerMs > 0)
      atMs = process.leaksFromMs + (limits.rssBytes - 50e6) / process.rssPerMs;
    if (limits.heapShare !== null && process.heapPerMs > 0) {
      const fullMs = Math.min(
        (limits.heapShare - 0.2) / process.heapPerMs,
        0.8 / process.heapPerMs - AHEAD_MS,
      );
      atMs = Math.min(atMs, process.leaksFromMs + Math.max(0, fullMs));
    }
    if (limits.requests !== null && process.saidReadyAtMs !== null) {
      const enoughMs = (limits.requests * worker.limitShare * 1000) / requestsPerSecond;
      atMs = Math.min(atMs, process.saidReadyAtMs + enoughMs);
    }
    if (atMs === Number.POSITIVE_INFINITY) return;
    // A beat before it and two behind, should a sum of times have been rounded.
    let beatAtMs = process.lastBeatMs(Math.max(atMs, this.#machine.nowMs), beatMs);
    for (let beats = 0; beats < 3; beats++) {
      if (beatAtMs > this.#machine.nowMs) this.note(process, beatAtMs);
      beatAtMs = process.nextBeatMs(beatAtMs, beatMs);
    }
  }

  leak(process: Process, of: 'rss' | 'heap', fullMs: number): void {
    const { rssBytes, heapShare } = this.#machine.primary.state.config.limits;
    process.leaksFromMs = this.#machine.nowMs;
    if (of === 'rss') process.rssPerMs = ((rssBytes ?? 100e6) - 50e6) / fullMs;
    else process.heapPerMs = ((heapShare ?? 0.8) - 0.2) / fullMs;
    this.planNews(process);
  }

  /** It holds fewer connections, and its next beat will say so. */
  opened(process: Process): void {
    const { nowMs, primary, world, calendar } = this.#machine;
    const { balance, spreadMs } = primary.state.config;
    if (this.#isExact || process.isOpenUntold || (balance === 'round-robin' && spreadMs === 0)) return;
    process.isOpenUntold = true;
    calendar.add(process.nextBeatMs(nowMs, world.nature.beatMs), { type: 'told', process });
  }

  /** A beat that has nothing to say but how many connections are open. */
  told(process: Process): void {
    process.isOpenUntold = false;
    if (!process.isCredited || !process.isBeating(this.#machine.nowMs)) return;
    const primary = this.#machine.primary;
    // A connection that waits for its fair share may get it by this.
    if (primary.isAway || primary.state.waiting.length > 0) this.sayNow(process);
    else {
      primary.fold(process.id, (own) => {
        own.open = process.held.size;
      });
    }
  }
}
