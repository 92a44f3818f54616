import type { ScheduledFault } from './fault.ts';
import type { Objective } from './objective.ts';

/** The server under test. */
export interface TargetSpec {
  /** The command line, run by `/bin/sh -c`; `null` for the example server that ships with the package. */
  readonly command: string | null;
  /** Working directory, absolute. */
  readonly cwd: string;
  /** Added to the allow-listed environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it answers, e.g. `http://127.0.0.1:8080`; `null` to find out. */
  readonly url: string | null;
  /** Slots to wait for; `null` to take what the server starts (then WORKERS still says `WORKERS_DEFAULT`). */
  readonly workers: number | null;
  /** Bound on the time from start to all workers listening and answering, ms. */
  readonly readyTimeoutMs: number;
  /** From SIGTERM to SIGKILL at the end of the run, ms. */
  readonly stopGraceMs: number;
  /** Preload the agent; without it only faults that need no agent are possible. */
  readonly agent: boolean;
}

/** What `WORKERS` says when the scenario leaves the number to the server. */
export const WORKERS_DEFAULT = 4;

export interface RequestSpec {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Relative share of the arrivals, > 0. */
  readonly weight: number;
  /** Accepted statuses; `null` for what baseline shows to be constant. */
  readonly expectStatus: readonly number[] | null;
  /** The body must match; `null` for what baseline shows to be constant. */
  readonly expectBody:
    | { readonly type: 'equals'; readonly text: string }
    | { readonly type: 'matches'; readonly source: string; readonly flags: string }
    | null;
}

export interface LoadSpec {
  /** `open`: constant arrival rate, latency from the due time. `closed`: each connection sends when it has its answer. */
  readonly mode: 'open' | 'closed';
  /** Arrivals a second in open mode; `null` to find a rate that the server sustains (`RATE_DEFAULT` or less). */
  readonly ratePerSecond: number | null;
  readonly connections: number;
  /** Share of the connections' requests sent on a connection of their own, 0..1. */
  readonly freshShare: number;
  /** A request without an answer after this time is a failure, ms, >= 1000. */
  readonly timeoutMs: number;
  readonly requests: readonly RequestSpec[];
}

/** Arrivals a second where the scenario names no rate: the rate at which every total outage of 5 ms is seen. */
export const RATE_DEFAULT = 500;

export interface PhaseDurations {
  readonly warmupMs: number;
  readonly baselineMs: number;
  readonly chaosMs: number;
  /** At most; settling ends as soon as all slots are ready again. */
  readonly settleMs: number;
  readonly recoveryMs: number;
}

/** A validated scenario: what the code reads. `defineScenario` takes the looser form that users write. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly seed: string | null;
  readonly target: TargetSpec;
  readonly load: LoadSpec;
  readonly phases: PhaseDurations;
  readonly faults: readonly ScheduledFault[];
  readonly objectives: readonly Objective[];
}
