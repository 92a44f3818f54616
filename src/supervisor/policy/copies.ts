import type { PolicyConfig, PolicyState, WorkerState } from './model.ts';

/**
 * Copies that may be written to. Every field is written out, because a spread of this many takes 15 times as long in Node 20
 * and gives objects of ever other shapes, and this runs for every connection. Lists too keep one shape: `map` gives what V8
 * takes for an array with holes, and all code that reads it is compiled anew; `Array.from` does not.
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
    retireAtMs: worker.retireAtMs,
    endReason: worker.endReason,
    limitShare: worker.limitShare,
  };
}

export function copyOfConfig(config: PolicyConfig): Copy<PolicyConfig> {
  return {
    workers: config.workers,
    standbys: config.standbys,
    surge: config.surge,
    bootsMax: config.bootsMax,
    bootMs: config.bootMs,
    suspectMs: config.suspectMs,
    deadMs: config.deadMs,
    withdrawMs: config.withdrawMs,
    drainMs: config.drainMs,
    backoff: config.backoff,
    limits: config.limits,
    balance: config.balance,
    handsMax: config.handsMax,
    waitingMax: config.waitingMax,
    spreadMs: config.spreadMs,
    stickyHoldMs: config.stickyHoldMs,
    slotBound: config.slotBound,
    reloadTries: config.reloadTries,
  };
}

/** The same settings for another number of workers, who share what memory there is. */
export function scaled(config: PolicyConfig, workers: number): PolicyConfig {
  const { limits, standbys } = config;
  const { rssTotalBytes: total } = limits;
  const rssBytes = total === null ? limits.rssBytes : shareOf(total, workers + standbys);
  return Object.assign(copyOfConfig(config), { workers, limits: { ...limits, rssBytes } });
}

/** Below this a limit would end workers right after their boot: Node alone takes some 45 MB. */
const RSS_BYTES_MIN = 64e6;

/** Of so many bytes, for each of so many processes; null when it is too little for any. */
export function shareOf(bytes: number, processes: number): number | null {
  const share = Math.floor(bytes / processes);
  return share < RSS_BYTES_MIN ? null : share;
}

export function copyOfState(state: PolicyState): Copy<PolicyState> {
  return {
    config: state.config,
    goal: state.goal,
    atMs: state.atMs,
    wakeAtMs: state.wakeAtMs,
    workers: state.workers,
    nextWorkerId: state.nextWorkerId,
    generation: state.generation,
    lastGeneration: state.lastGeneration,
    wantedGeneration: state.wantedGeneration,
    reloadFrom: state.reloadFrom,
    bootFailures: state.bootFailures,
    deathAtMs: state.deathAtMs,
    earlyDeaths: state.earlyDeaths,
    earlyDeathAtMs: state.earlyDeathAtMs,
    bootsNotBeforeMs: state.bootsNotBeforeMs,
    deathsNotBeforeMs: state.deathsNotBeforeMs,
    waiting: state.waiting,
    cursor: state.cursor,
    random: state.random,
  };
}
