/** The words of the policy: what it is told (events), what it knows (state), what it wants done (commands). */

export type Balance = 'round-robin' | 'least-connections' | 'none';

/** All times in ms. See `options/` for what users may write, the defaults and their reasons. */
export interface PolicyConfig {
  /** N: workers in rotation. */
  readonly workers: number;
  /** Booted workers that wait, out of rotation, to take a place at once. */
  readonly standbys: number;
  /** Live workers beyond `workers + standbys` while one replaces another. At least 1. */
  readonly surge: number;
  /** Bound on workers that boot at the same time. */
  readonly bootsMax: number;
  readonly bootMs: number;
  readonly suspectMs: number;
  readonly deadMs: number;
  /** A connection that a suspect worker has not taken for this long is given to another. Above the worker's claim. */
  readonly withdrawMs: number;
  readonly drainMs: number;
  readonly backoff: Backoff;
  readonly limits: WorkerLimits;
  readonly balance: Balance;
  /** Connections given to one worker that it has not taken yet. */
  readonly handsMax: number;
  /** Connections that wait in the primary for a worker; more are shed. */
  readonly waitingMax: number;
  /** While at most half of the workers serve, nobody gets more than a fair share for this long; 0 turns it off. */
  readonly spreadMs: number;
  /** How long a sticky connection waits for its own slot before another may take it. */
  readonly stickyHoldMs: number;
  /** Each fork is made for one slot (it has an environment of its own), so a standby cannot take any slot. */
  readonly slotBound: boolean;
  /** Boot failures of the new generation in a row after which a reload is given up. */
  readonly reloadTries: number;
}

export interface Backoff {
  /** Deaths soon after becoming ready that are replaced without delay. A failed boot has none. */
  readonly free: number;
  readonly firstMs: number;
  readonly capMs: number;
  /** The delay is drawn from [1 - jitter, 1] of its length. 0 to 1. */
  readonly jitter: number;
  /** A worker that stayed this long after it was ready did not fail early. */
  readonly stableMs: number;
}

/** `null` is no limit. */
export interface WorkerLimits {
  readonly rssBytes: number | null;
  /** What workers and standbys may take together, of which `rssBytes` is one's share; null: it is each one's own limit. */
  readonly rssTotalBytes: number | null;
  /** Share of V8's heap limit, 0 to 1. */
  readonly heapShare: number | null;
  readonly requests: number | null;
  readonly ageMs: number | null;
  /** Each worker's own request and age limit is drawn from [1 - stagger, 1] of the limit, so they do not end together. */
  readonly stagger: number;
}

/**
 * booting: forked, not ready. standby: ready, out of rotation. serving: has a slot. draining: gets nothing new and
 * finishes what it has. ending: SIGKILL was sent, its exit has not been seen.
 */
export type Phase = 'booting' | 'standby' | 'serving' | 'draining' | 'ending';

/** Why a worker must go, by its own fault or ours. */
export type Reason =
  | 'hung'
  | 'boot-deadline'
  | 'ipc-lost'
  | 'ipc-flood'
  | 'took-withdrawn'
  | 'drain-deadline'
  | 'memory'
  | 'heap'
  | 'requests'
  | 'age'
  | 'unhealthy'
  | 'deaf'
  /** It ends of itself, or was killed by somebody else: none of its code runs any more, though its exit is yet to be seen. */
  | 'dying'
  | 'asked'
  | 'generation'
  | 'surplus'
  | 'stop'
  | 'force';

export interface Hand {
  readonly connection: Connection;
  readonly atMs: number;
}

export interface Connection {
  readonly id: number;
  /** Key of the listener that accepted it. */
  readonly listener: string;
  /** Hash of address or cookie for sticky balancing. */
  readonly key: number | null;
  /** The slot that the client's cookie names. */
  readonly slot: number | null;
  readonly sinceMs: number;
}

export interface WorkerState {
  /** Never used again. */
  readonly id: number;
  readonly generation: number;
  /** Its place in rotation, 1 to N. While booting: the slot it is bound to, if any. Null for standbys. */
  readonly slot: number | null;
  readonly phase: Phase;
  /** When it entered the phase. */
  readonly sinceMs: number;
  readonly forkedAtMs: number;
  readonly readyAtMs: number | null;
  /** When it got its slot; null if it never served. */
  readonly servingAtMs: number | null;
  readonly heardAtMs: number;
  /** Silent for longer than `suspectMs`: out of rotation until it is heard. */
  readonly suspect: boolean;
  /** It is silent because the machine gives it no time, not because it hangs: until then its silence is not held against it. */
  readonly starvedUntilMs: number;
  readonly listeners: readonly string[];
  /** Connections it held when it last said so. */
  readonly open: number;
  /** Given and not yet taken. */
  readonly hands: readonly Hand[];
  /** Given to it, then withdrawn: if it says that it took one of these, two read from one socket. */
  readonly withdrawn: readonly number[];
  /** It shall be replaced, and why. */
  readonly retire: Reason | null;
  /** When that was found; it may serve for long after, until somebody can take its place. */
  readonly retireAtMs: number | null;
  /** Why it was drained or killed. */
  readonly endReason: Reason | null;
  /** This worker's share of the limits, [1 - stagger, 1]. */
  readonly limitShare: number;
}

export interface PolicyState {
  readonly config: PolicyConfig;
  readonly goal: 'run' | 'stop' | 'stopped';
  /** Time of the last transition. */
  readonly atMs: number;
  /** When the next must come at the latest, even if nothing happens; null when it need not. */
  readonly wakeAtMs: number | null;
  /** In order of their id. */
  readonly workers: readonly WorkerState[];
  readonly nextWorkerId: number;
  /** Generation of the next fork. */
  readonly generation: number;
  /** The newest there ever was; no number is given twice. */
  readonly lastGeneration: number;
  /** Workers of a generation below this one are replaced. */
  readonly wantedGeneration: number;
  /** What held before the reload in progress, and holds again if it is given up; null when none is. */
  readonly reloadFrom: Pick<PolicyState, 'config' | 'generation' | 'wantedGeneration'> | null;
  /** Boots of this generation that failed since one became ready. */
  readonly bootFailures: number;
  /** The last death of a worker that was not forked before the one before it. */
  readonly deathAtMs: number;
  /** Early deaths, each soon after the one before. */
  readonly earlyDeaths: number;
  readonly earlyDeathAtMs: number;
  /** No fork before this time, because boots of its generation failed. */
  readonly bootsNotBeforeMs: number;
  /** No fork before this time, because workers died early. */
  readonly deathsNotBeforeMs: number;
  readonly waiting: readonly Connection[];
  /** The slot that got the last connection. */
  readonly cursor: number;
  /** State of the random stream for jitter and stagger. */
  readonly random: number;
}

/** What the policy reads of a worker's beat. */
export interface WorkerBeat {
  readonly worker: number;
  /** When the worker said it. */
  readonly atMs: number;
  readonly open: number;
  readonly requests: number;
  readonly rssBytes: number;
  /** Used share of V8's heap limit, 0 to 1. */
  readonly heapShare: number;
  /** The share in two seconds if it goes on growing as it did. At 1 V8 ends the process. */
  readonly heapSoonShare: number;
}

export type Event =
  /**
   * Nothing happened but time. To be sent at the state's `wakeAtMs`, after all that workers have said by then: only now is
   * silence held against them.
   */
  | { readonly type: 'wake' }
  | { readonly type: 'ready'; readonly worker: number }
  | { readonly type: 'listening' | 'unlistened'; readonly worker: number; readonly listener: string }
  | { readonly type: 'beats'; readonly beats: readonly WorkerBeat[] }
  | { readonly type: 'exit'; readonly worker: number }
  /** fork() itself failed (EAGAIN, ENOMEM): as an exit at boot. */
  | { readonly type: 'fork-failed'; readonly worker: number }
  | {
      readonly type: 'ipc-lost' | 'ipc-flood' | 'unhealthy' | 'asked-to-retire' | 'starved' | 'dying';
      readonly worker: number;
    }
  | { readonly type: 'connection'; readonly connection: Connection }
  /** Nobody listens there any more, and nobody will: connections that wait for it wait in vain. */
  | { readonly type: 'closed'; readonly listener: string }
  | {
      readonly type: 'taken';
      readonly worker: number;
      readonly connection: number;
      readonly open: number;
    }
  /** The worker dropped it unread (too old), or the channel refused it. */
  | { readonly type: 'returned'; readonly worker: number; readonly connection: number }
  | { readonly type: 'reload'; readonly config: PolicyConfig }
  | { readonly type: 'scale'; readonly workers: number }
  | { readonly type: 'stop' }
  | { readonly type: 'force' };

export type Command =
  | {
      readonly type: 'fork';
      readonly worker: number;
      readonly slot: number | null;
      readonly generation: number;
    }
  | { readonly type: 'serve'; readonly worker: number; readonly slot: number }
  | {
      readonly type: 'drain';
      readonly worker: number;
      readonly reason: Reason;
      readonly graceMs: number;
    }
  /** SIGKILL: a stopped or busy worker can act on nothing milder. */
  | { readonly type: 'kill'; readonly worker: number; readonly reason: Reason }
  | { readonly type: 'give'; readonly worker: number; readonly connection: number }
  /** More wait than may, or its listener is closed: close it. */
  | { readonly type: 'shed'; readonly connection: number }
  | { readonly type: 'reloaded' }
  | { readonly type: 'reload-aborted' }
  /** The last worker is gone after `stop`. */
  | { readonly type: 'stopped' };

export interface Step {
  readonly state: PolicyState;
  readonly commands: readonly Command[];
  /** Somebody came or went, or has another phase, suspicion or reason to go. */
  readonly isOtherStaff: boolean;
}
