import type { Expectation } from './fault.ts';
import type { PhaseName } from './phase.ts';
import type { Plan } from './plan.ts';
import type { Scenario } from './scenario.ts';

export const JOURNAL_VERSION = 1;

/** A value that goes into the journal as proof. */
export type Evidence = Readonly<Record<string, string | number | boolean | null>>;

export interface Environment {
  readonly node: string;
  readonly os: string;
  readonly cpus: number;
  /** Of cluster-chaos. */
  readonly version: string;
}

/** What the tool could see of the target. */
export type Visibility = 'agent' | 'process-table';

/** An event without the `seq` and `atMs` that the journal adds. */
export type JournalEntry =
  | {
      readonly type: 'run.start';
      readonly version: typeof JOURNAL_VERSION;
      readonly id: string;
      readonly scenario: Scenario;
      /** The scenario's file as the user can name it again. */
      readonly file: string;
      readonly plan: Plan;
      /** ISO 8601. */
      readonly startedAt: string;
      /** The command line of this run, and the one that repeats it. */
      readonly command: string;
      readonly replay: string;
      readonly environment: Environment;
    }
  /** The server started another number of workers than planned for: the plan for that number. */
  | { readonly type: 'plan.changed'; readonly plan: Plan; readonly reason: string }
  | { readonly type: 'phase.start'; readonly phase: PhaseName }
  | { readonly type: 'phase.end'; readonly phase: PhaseName }
  | { readonly type: 'target.start'; readonly pid: number; readonly command: string; readonly port: number }
  | {
      readonly type: 'target.ready';
      readonly origin: string;
      readonly workers: number;
      readonly visibility: Visibility;
      /** What could not be seen, one sentence each; empty with a full view. */
      readonly blind: readonly string[];
      readonly scheduling: 'rr' | 'none' | 'unknown';
      /** Spawn to listening of the slowest worker, ms. */
      readonly bootMs: number;
    }
  /** A fault had ended the primary: the same command was started again, once `killed` of the old one had been ended. */
  | {
      readonly type: 'target.restart';
      readonly faultId: string;
      readonly pid: number;
      readonly killed: readonly number[];
    }
  /** The server was asked for another number of workers, and has it. */
  | { readonly type: 'workers.wanted'; readonly faultId: string; readonly workers: number }
  | {
      readonly type: 'worker.spawn' | 'worker.online' | 'worker.listening';
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
    }
  | {
      readonly type: 'worker.exit';
      readonly slot: number;
      readonly generation: number;
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** Who asked for it: a fault's id, `supervisor`, `stop` at the end of the run, or `null`, which is a finding. */
      readonly expected: string | null;
    }
  /** The supervisor itself saw the worker's exit. */
  | { readonly type: 'worker.noticed'; readonly pid: number }
  | { readonly type: 'primary.up'; readonly pid: number }
  | {
      readonly type: 'primary.exit';
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
      readonly expected: string | null;
    }
  | {
      readonly type: 'resources';
      readonly pid: number;
      readonly role: 'primary' | 'worker';
      readonly rssBytes: number;
      readonly fds: number;
    }
  | { readonly type: 'load.rate'; readonly ratePerSecond: number; readonly reason: string }
  | { readonly type: 'load.error'; readonly message: string }
  | {
      readonly type: 'load.end';
      readonly rows: number;
      readonly dropped: number;
      readonly rssBytesMax: number;
    }
  | {
      readonly type: 'steady';
      readonly phase: 'baseline' | 'recovery';
      readonly proven: boolean;
      readonly reason: string;
    }
  | {
      readonly type: 'fault.inject';
      readonly faultId: string;
      readonly kind: string;
      readonly slots: readonly number[];
      readonly pids: readonly number[];
      /** On the run's clock, as `atMs` is; their difference is the skew. */
      readonly plannedAtMs: number;
      readonly expect: Expectation;
      readonly holdMs: number | null;
    }
  /** Whether the fault took effect on its victims, with the proof. */
  | {
      readonly type: 'fault.effect';
      readonly faultId: string;
      readonly effective: boolean;
      readonly evidence: Evidence;
      readonly reason: string | null;
    }
  | {
      readonly type: 'fault.heal';
      readonly faultId: string;
      readonly ok: boolean;
      /** `victim-gone`: somebody else ended the victim first. `not-needed`: nothing was left to heal. */
      readonly how: 'healed' | 'victim-gone' | 'not-needed';
      readonly evidence: Evidence;
    }
  | { readonly type: 'fault.error'; readonly faultId: string; readonly message: string }
  | { readonly type: 'harness'; readonly priority: string; readonly timerLagMsP99: number }
  | {
      readonly type: 'leftovers';
      /** Had to be killed after the stop's grace. */
      readonly processes: readonly { readonly pid: number; readonly command: string }[];
      readonly ports: readonly number[];
      /** Still there after SIGKILL. */
      readonly stuck: readonly number[];
    }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  | {
      readonly type: 'run.end';
      readonly outcome: 'completed' | 'unhealthy' | 'interrupted' | 'error';
      readonly reason: string;
    };

/** One line of `journal.ndjson`: `atMs` is when it happened, on the run's clock; `seq` the order of writing. */
export type JournalEvent = JournalEntry & { readonly seq: number; readonly atMs: number };
export type JournalEventOf<T extends JournalEvent['type']> = Extract<JournalEvent, { readonly type: T }>;
