import type { Draft } from './draft.ts';
import type { PolicyState, Reason, WorkerState } from './model.ts';

/** We wanted fewer or other workers, or it has done its share: nothing failed. */
const INTENDED: ReadonlySet<Reason> = new Set(['surplus', 'generation', 'requests', 'age', 'stop', 'force']);

/** A worker ends, of itself (`null`) or by us: was that a failure, and how long must the next fork wait for it? */
export function noteEnd(draft: Draft, worker: WorkerState, reason: Reason | null): void {
  // What it is on its way out for was noted already.
  if (worker.endReason !== null || (reason !== null && INTENDED.has(reason))) return;
  if (worker.readyAtMs === null) noteBootFailure(draft, worker);
  else noteDeath(draft, worker);
}

function noteBootFailure(draft: Draft, worker: WorkerState): void {
  const { generation, reloadFrom, config } = draft.state;
  // Of another generation than the next fork, it says nothing about that.
  if (worker.generation !== generation) return;
  const bootFailures = draft.state.bootFailures + 1;
  draft.state.bootFailures = bootFailures;
  draft.state.bootsNotBeforeMs = backedOffMs(draft, bootFailures);
  if (reloadFrom === null || bootFailures < config.reloadTries) return;
  draft.set({
    config: reloadFrom.config,
    generation: reloadFrom.generation,
    wantedGeneration: reloadFrom.wantedGeneration,
    reloadFrom: null,
    bootFailures: 0,
    // Those that failed say nothing about the generation that worked.
    bootsNotBeforeMs: draft.nowMs,
  });
  draft.say({ type: 'reload-aborted' });
}

/**
 * One that had to be replaced soon after it began is as good as dead, since then and not since its place was taken: a limit
 * that is too low must not fork for ever. Several that die together count once: only who was forked since then and dies as
 * well shows that forks are in vain.
 */
function noteDeath(draft: Draft, { forkedAtMs, readyAtMs, servingAtMs, retireAtMs }: WorkerState): void {
  const diedAtMs = retireAtMs ?? draft.nowMs;
  const { config, deathAtMs, earlyDeaths, earlyDeathAtMs } = draft.state;
  const { stableMs, capMs, free } = config.backoff;
  // A loop of deaths that is this slow needs no back-off.
  const isOver = (atMs: number): boolean => draft.nowMs - atMs > stableMs + capMs;
  if (forkedAtMs < deathAtMs && !isOver(deathAtMs)) return;
  draft.state.deathAtMs = diedAtMs;
  if (diedAtMs - (servingAtMs ?? readyAtMs ?? diedAtMs) >= stableMs) return;
  const deaths = isOver(earlyDeathAtMs) ? 1 : earlyDeaths + 1;
  draft.state.earlyDeaths = deaths;
  draft.state.earlyDeathAtMs = draft.nowMs;
  if (deaths > free) draft.state.deathsNotBeforeMs = backedOffMs(draft, deaths - free);
}

/** Exponential to a cap, with jitter downwards only: so the cap is the longest that a mended app has to wait. */
function backedOffMs(draft: Draft, failures: number): number {
  const { firstMs, capMs, jitter } = draft.state.config.backoff;
  const fullMs = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return draft.nowMs + fullMs * (1 - jitter * draft.random());
}

/** When the next fork may come, in ms. */
export function forkNotBeforeMs({ bootsNotBeforeMs, deathsNotBeforeMs }: PolicyState): number {
  return Math.max(bootsNotBeforeMs, deathsNotBeforeMs);
}
