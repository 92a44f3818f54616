import type { PolicyState, WorkerState } from './model.ts';

/**
 * Copies that may be written to. Every field is written out, because a spread of this many takes 15 times as long in Node 20,
 * and this runs for every connection.
 */
export type Copy<T> = { -readonly [K in keyof T]: T[K] };

export function copyOfWorker(worker: WorkerState): Copy<WorkerState> {
  return {
    id: worker.id,
    generation: worker.generation,
    slot: worker.slot,
    phase: worker.phase,
    sinceMs: worker.sinceMs,
    forkedAtMs: worker.forkedAtMs,
    readyAtMs: worker.readyAtMs,
    servingAtMs: worker.servingAtMs,
    heardAtMs: worker.heardAtMs,
    suspect: worker.suspect,
    starvedUntilMs: worker.starvedUntilMs,
    listeners: worker.listeners,
    open: worker.open,
    hands: worker.hands,
    withdrawn: worker.withdrawn,
    retire: worker.retire,
    endReason: worker.endReason,
    limitShare: worker.limitShare,
  };
}

export function copyOfState(state: PolicyState): Copy<PolicyState> {
  return {
    config: state.config,
    goal: state.goal,
    atMs: state.atMs,
    workers: state.workers,
    nextWorkerId: state.nextWorkerId,
    generation: state.generation,
    lastGeneration: state.lastGeneration,
    wantedGeneration: state.wantedGeneration,
    reloadFrom: state.reloadFrom,
    bootFailures: state.bootFailures,
    earlyDeaths: state.earlyDeaths,
    earlyDeathAtMs: state.earlyDeathAtMs,
    forkNotBeforeMs: state.forkNotBeforeMs,
    waiting: state.waiting,
    cursor: state.cursor,
    random: state.random,
  };
}
