import type {
  Command,
  Event,
  PolicyConfig,
  PolicyState,
  WorkerState,
} from '../../supervisor/policy/model.ts';
import type { Machine } from '../machine.ts';

/** A primary that is later than this was away, and the policy must not hold that against its workers. */
export const AWAY_MS = 100;

/** How late the policy may be with what is due at a certain time: timers fire late by design of a world. */
export const SLACK_MS = 5;

/** A deaf worker is noticed after so many times `withdrawMs`. */
export const DEAF_FACTOR = 5;

/** One call of the policy, as all checks see it. */
export interface Seen {
  readonly event: Event;
  readonly before: PolicyState;
  readonly after: PolicyState;
  readonly commands: readonly Command[];
}

/** What the checks know of the past, from events and commands alone. */
export class Known {
  readonly machine: Machine;
  config: PolicyConfig;
  /** When the primary last noticed that it had been away, or was back from being so. */
  awayAtMs = Number.NEGATIVE_INFINITY;
  /** This step came so much later than the policy had asked for. */
  lateMs = 0;
  stopAtMs: number | null = null;
  isForced = false;
  hasStopped = false;
  /** Since when the reload in progress runs; null when none does. */
  reloadSinceMs: number | null = null;
  /** Slots above N may still drain since then. */
  scaledAtMs = Number.NEGATIVE_INFINITY;

  constructor(machine: Machine, config: PolicyConfig) {
    this.machine = machine;
    this.config = config;
  }

  get nowMs(): number {
    return this.machine.nowMs;
  }
}

/** A loop, because it is asked several times a step. */
export function workerOf({ workers }: PolicyState, id: number): WorkerState | undefined {
  for (const worker of workers) if (worker.id === id) return worker;
  return undefined;
}

export function isSuspect(state: PolicyState, id: number): boolean {
  return workerOf(state, id)?.suspect === true;
}

/** It drains because there were too many: one more than the bounds of now allow. */
export function isScaledAway({ phase, endReason }: Pick<WorkerState, 'phase' | 'endReason'>): boolean {
  return phase === 'draining' && endReason === 'surplus';
}

/** Neither to be retired nor of an old generation. */
export function isFresh(state: PolicyState, worker: WorkerState): boolean {
  return worker.retire === null && worker.generation >= state.wantedGeneration;
}
