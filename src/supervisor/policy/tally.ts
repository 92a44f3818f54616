import type { PolicyState, WorkerState } from './model.ts';

/** How many are in which phase, counted in one pass. */
export interface Tally {
  readonly booting: number;
  readonly standby: number;
  readonly serving: number;
  readonly draining: number;
  /** Draining because there were more than wanted: nobody takes their place. */
  readonly surplus: number;
  /** Serving, and to be replaced. */
  readonly leaving: number;
  /** Standbys that need not be replaced themselves. */
  readonly freshStandby: number;
  /** Those, and boots of which such a standby comes. */
  readonly reserve: number;
  /** The highest slot that anybody has, serving or to come; 0 when nobody has one. */
  readonly slotMax: number;
  /** When the last worker took its place, in ms; -Infinity when none serves. */
  readonly servingAtMs: number;
}

export function tallyOf(state: PolicyState): Tally {
  let booting = 0;
  let standby = 0;
  let serving = 0;
  let draining = 0;
  let surplus = 0;
  let leaving = 0;
  let freshStandby = 0;
  let freshBooting = 0;
  let slotMax = 0;
  let servingAtMs = Number.NEGATIVE_INFINITY;
  for (const worker of state.workers) {
    if (worker.slot !== null && worker.slot > slotMax) slotMax = worker.slot;
    switch (worker.phase) {
      case 'booting':
        booting++;
        if (isFresh(state, worker)) freshBooting++;
        break;
      case 'standby':
        standby++;
        if (isFresh(state, worker)) freshStandby++;
        break;
      case 'serving':
        serving++;
        if (!isFresh(state, worker)) leaving++;
        servingAtMs = Math.max(servingAtMs, worker.servingAtMs ?? 0);
        break;
      case 'draining':
        draining++;
        if (worker.endReason === 'surplus') surplus++;
        break;
      case 'ending':
    }
  }
  const reserve = freshStandby + freshBooting;
  return {
    booting,
    standby,
    serving,
    draining,
    surplus,
    leaving,
    freshStandby,
    reserve,
    slotMax,
    servingAtMs,
  };
}

/** All places are taken, and nobody is on its way who may yet listen where one listened that is gone. */
export function isSettled(state: PolicyState): boolean {
  const { serving, booting } = tallyOf(state);
  const mayListen = ({ phase, listeners }: WorkerState): boolean =>
    listeners.length === 0 && (phase === 'standby' || phase === 'serving');
  return serving >= state.config.workers && booting === 0 && !state.workers.some(mayListen);
}

/** Forks are held back: boots fail, or workers die soon after they were ready. */
export function isBreakerOpen(state: PolicyState, nowMs: number): boolean {
  const { bootFailures, earlyDeaths, earlyDeathAtMs, config } = state;
  const { free, stableMs, capMs } = config.backoff;
  return bootFailures > 0 || (earlyDeaths > free && nowMs - earlyDeathAtMs <= stableMs + capMs);
}

/** It need not be replaced: neither of an old generation nor with a reason of its own to go. */
export function isFresh(state: PolicyState, worker: WorkerState): boolean {
  return worker.retire === null && worker.generation >= state.wantedGeneration;
}
