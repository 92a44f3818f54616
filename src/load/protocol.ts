import type { LoadProgress, LoadSummary } from '../model/ports.ts';
import type { LoadSpec } from '../model/scenario.ts';

/** All that the load process needs; it reads nothing from its environment. */
export interface ChildConfig {
  readonly origin: string;
  readonly spec: LoadSpec;
  readonly ratePerSecond: number;
  /** CLOCK_MONOTONIC at the run's 0, ms. */
  readonly zeroMs: number;
  readonly samplesFile: string;
}

export type ParentMessage =
  | { readonly type: 'start'; readonly config: ChildConfig }
  | { readonly type: 'rate'; readonly ratePerSecond: number }
  /** Write down what has ended so far. */
  | { readonly type: 'flush' }
  | { readonly type: 'stop' };

export type ChildMessage =
  | { readonly type: 'started' }
  /** The load could not be started; the process ends. */
  | { readonly type: 'refused'; readonly message: string; readonly hint: string | null }
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  | { readonly type: 'flushed' }
  | { readonly type: 'stopped'; readonly summary: LoadSummary };
