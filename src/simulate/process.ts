import type { Phase, Reason, WorkerBeat } from '../supervisor/policy/model.ts';

/** A heard time that no clock of a simulation reaches: its beats are known to come until something happens to it. */
export const BEATING_MS = 1e15;

/** The id of a worker that is not there: ids begin with 1. */
export const GONE_ID = 0;

/** Which of a process' or connection's own numbers is asked for. */
export const ASK = {
  boot: 1,
  take: 2,
  exit: 3,
  life: 4,
  fate: 5,
  order: 6,
  beat: 7,
  soon: 8,
  late: 9,
  seen: 10,
} as const;

export interface Letter {
  readonly connection: Offered;
  readonly sentAtMs: number;
}

/** A connection as the world knows it, whatever the policy believes. */
export interface Offered {
  readonly id: number;
  readonly listener: 'a' | 'b';
  readonly key: number | null;
  readonly slot: number | null;
  readonly sinceMs: number;
  readonly heldMs: number | null;
  /** `shed`: closed by the primary. `dead`: its worker ended. `done`: it ended well. */
  fate: 'waits' | 'taken' | 'shed' | 'dead' | 'done';
  /** Who reads from it. */
  taker: Process | null;
  /** The last worker whose channel carried it. */
  lastGivenTo: Process | null;
  lastGivenAtMs: number;
  /** The primary closed it, and this worker alone may have taken it. */
  leftTo: number | null;
  /** A fault made two workers read from it (see `freeze-at-give`). */
  doubled: boolean;
}

/** As `supervisor/worker` looks ahead. */
export const AHEAD_MS = 2000;

/** The truth about one worker process: what it is and does, whatever the policy believes. */
export class Process {
  readonly id: number;
  readonly generation: number;
  readonly slot: number | null;
  readonly forkedAtMs: number;
  /** When it said that it was ready. */
  saidReadyAtMs: number | null = null;
  /** When the primary read that. */
  readyAtMs: number | null = null;
  /** Its process is there, if only in uninterruptible sleep with its end pending. */
  isAlive = true;
  /** SIGKILL was sent, or it died: nothing of it runs any more. */
  isEnding = false;
  /** The primary knows that it ended. */
  isGone = false;
  /** Until when its event loop stands still. */
  hungUntilMs = 0;
  isHung = false;
  /** It stands still because the machine gives it no time. */
  isStarved = false;
  /** The primary has seen that, and may not hold its silence against it until then. */
  excusedUntilMs = 0;
  /** Its channel is broken. */
  isMute = false;
  /** Handles sent to it get lost. */
  isDeaf = false;
  isFlooding = false;
  isUnhealthy = false;
  hasAsked = false;
  flapUntilMs = 0;
  /** It took these and stood still before it said so. */
  unsaid: Offered[] = [];
  readonly listens = { a: false, b: false };
  channel: Letter[] = [];
  /** A turn of its event loop is due. */
  isTurnDue = false;
  isDraining = false;
  isStuck = false;
  readonly held = new Set<Offered>();
  /** Times of its beats are this plus multiples of the interval. */
  beatsFromMs = 0;
  /** Beats noted in the calendar under another number are void. */
  beatRound = 0;
  isOpenUntold = false;
  rssPerMs = 0;
  heapPerMs = 0;
  leaksFromMs = 0;
  /** When the primary last read a word of it; before that, its boot. */
  heardAtMs: number;
  /** Its heard time in the policy's state is `BEATING_MS`. */
  isCredited = false;
  /** When it was told so; for the checks. */
  drainedAtMs: number | null = null;
  servingAtMs: number | null = null;
  /** Where the primary was told that it listens. */
  readonly told = { a: false, b: false };
  isSuspect = false;
  /** What the commands so far make of it. */
  phase: Phase = 'booting';
  servesSlot: number | null = null;
  /** Since when the policy wants it replaced. */
  retiredAtMs: number | null = null;
  endReason: Reason | null = null;
  /** What the policy was told, or should have seen in its beats. */
  readonly faults = new Set<Reason>();
  /** It is beyond a limit, asked to go, or said that it is unwell. */
  mustGo = false;

  constructor(given: {
    readonly id: number;
    readonly generation: number;
    readonly slot: number | null;
    readonly forkedAtMs: number;
  }) {
    this.id = given.id;
    this.generation = given.generation;
    this.slot = given.slot;
    this.forkedAtMs = given.forkedAtMs;
    this.heardAtMs = given.forkedAtMs;
  }

  /** Its event loop turns. */
  get isRunning(): boolean {
    return this.isAlive && !this.isEnding && !this.isHung;
  }

  /** Its event loop turns and it says so on time. */
  isBeating(nowMs: number): boolean {
    return this.isRunning && !this.isMute && this.saidReadyAtMs !== null && nowMs >= this.flapUntilMs;
  }

  lastBeatMs(nowMs: number, beatMs: number): number {
    return this.beatsFromMs + this.#beatsBy(nowMs, beatMs) * beatMs;
  }

  nextBeatMs(nowMs: number, beatMs: number): number {
    return this.beatsFromMs + (this.#beatsBy(nowMs, beatMs) + 1) * beatMs;
  }

  /** How many beats it sent since the first; a quotient may be rounded down just below a whole number. */
  #beatsBy(nowMs: number, beatMs: number): number {
    const beats = Math.floor((nowMs - this.beatsFromMs) / beatMs);
    return this.beatsFromMs + (beats + 1) * beatMs <= nowMs ? beats + 1 : beats;
  }

  rssBytes(nowMs: number): number {
    return 50e6 + this.rssPerMs * (nowMs - this.leaksFromMs);
  }

  heapShare(nowMs: number): number {
    return Math.min(1, 0.2 + this.heapPerMs * (nowMs - this.leaksFromMs));
  }

  requests(nowMs: number, perSecond: number): number {
    return this.saidReadyAtMs === null ? 0 : ((nowMs - this.saidReadyAtMs) * perSecond) / 1000;
  }

  beat(nowMs: number, requestsPerSecond: number): WorkerBeat {
    return {
      worker: this.id,
      atMs: nowMs,
      open: this.held.size,
      requests: this.requests(nowMs, requestsPerSecond),
      rssBytes: this.rssBytes(nowMs),
      heapShare: this.heapShare(nowMs),
      heapSoonShare: this.heapShare(nowMs) + this.heapPerMs * AHEAD_MS,
    };
  }
}
