import type { Copy } from '../supervisor/policy/copies.ts';
import type { Event, PolicyState, WorkerState } from '../supervisor/policy/model.ts';
import type { Offered, Process } from './process.ts';
import type { Burst, Trouble } from './world.ts';

/** What is to happen. Beats carry the round that they were noted in: what happened since may have made them void. */
export type Item =
  | { readonly type: 'trouble'; readonly trouble: Trouble }
  | { readonly type: 'arrive'; readonly burst: Burst; readonly index: number; readonly startMs: number }
  | {
      readonly type:
        | 'booted'
        | 'listen'
        | 'die'
        | 'turn'
        | 'told'
        | 'resume'
        | 'look'
        | 'unflap'
        | 'dying'
        | 'gone'
        | 'cut'
        | 'flood'
        | 'failed';
      readonly process: Process;
    }
  | { readonly type: 'beat'; readonly process: Process; readonly round: number }
  | { readonly type: 'close'; readonly connection: Offered }
  | { readonly type: 'back' | 'swept' };

/** The primary, as the machine that it runs on sees it. */
export interface PrimaryPort {
  readonly state: PolicyState;
  readonly isAway: boolean;
  readonly awayFromMs: number;
  /** Brings it an event, at once or when it is back. */
  deliver(event: Event): void;
  /** Beats that were elided: what the policy's state would say had each been delivered. */
  fold(worker: number, change: (own: Copy<WorkerState>) => void): void;
}
