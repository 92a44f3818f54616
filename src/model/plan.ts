import type { Expectation, FaultParams } from './fault.ts';

/** Who is hit: slots by number (worker 1..N), or a role that is looked up at the moment of injection. */
export type Victims =
  | { readonly by: 'slots'; readonly slots: readonly number[] }
  | { readonly by: 'primary' }
  | { readonly by: 'last-started' };

export interface PlannedFault {
  /** `<name>-<n>`, unique in the plan. */
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly params: FaultParams;
  /** ms from the start of the chaos phase, an integer. */
  readonly atMs: number;
  readonly holdMs: number | null;
  readonly victims: Victims;
  readonly expect: Expectation;
}

/** What is injected and when: a pure function of scenario, seed and number of workers; JSON, with a hash. */
export interface Plan {
  readonly version: 1;
  readonly scenario: string;
  readonly seed: string;
  readonly workers: number;
  readonly chaosMs: number;
  /** Sorted by time, then id. */
  readonly faults: readonly PlannedFault[];
  /** SHA-256 of the canonical JSON of all the other fields, hex. */
  readonly hash: string;
}
