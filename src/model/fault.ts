/** Which workers a fault is for, as data: drawn when the plan is made, never a pid. */
export type Selector =
  | { readonly pick: 'all' }
  | { readonly pick: 'random'; readonly count: number }
  | { readonly pick: 'slot'; readonly slots: readonly number[] }
  | { readonly pick: 'primary' }
  | { readonly pick: 'last-started' };

/**
 * What a good supervisor does about a fault: it ends and replaces the victim, it leaves the victim unharmed
 * (`survives`), or nothing is demanded (`any`).
 */
export type Expectation = 'replaced' | 'survives' | 'any';

/** Parameters are plain JSON, checked by the schema of the fault kind. */
export type FaultParams = Readonly<Record<string, string | number | boolean | null>>;

export interface FaultSpec {
  readonly kind: string;
  readonly params: FaultParams;
  readonly select: Selector;
  /** How long the fault is held before chaos heals it, ms; `null` for a fault that is over at once. */
  readonly holdMs: number | null;
  readonly expect: Expectation;
}

/** When a fault fires, ms from the start of the chaos phase. */
export type Schedule =
  | { readonly type: 'at'; readonly atMs: readonly number[] }
  /** At `startMs` and then every `everyMs`, each shifted by up to +-`jitter` x `everyMs` / 2. */
  | { readonly type: 'every'; readonly everyMs: number; readonly startMs: number; readonly jitter: number }
  /** Independent arrivals, on average one each `meanMs`, never two within `minGapMs`. */
  | { readonly type: 'poisson'; readonly meanMs: number; readonly minGapMs: number }
  /** `count` injections spread evenly over `spreadMs` from `atMs`. */
  | { readonly type: 'burst'; readonly atMs: number; readonly count: number; readonly spreadMs: number };

export interface ScheduledFault {
  /** Unique in its scenario; names the fault's own stream of random numbers. */
  readonly name: string;
  readonly fault: FaultSpec;
  readonly schedule: Schedule;
  /**
   * Injections outside of this part of the chaos phase are left out; `null` for all of it. A `toMs` <= 0 counts back
   * from the end of the phase, so that it holds for every `--duration`.
   */
  readonly window: { readonly fromMs: number; readonly toMs: number } | null;
}
