import type { Draft } from './draft.ts';
import type { WorkerState } from './model.ts';

/** An exit: was it a failure, and how long must the next fork wait for it? */
export function noteExit(draft: Draft, worker: WorkerState): void {
  const wasBooting = worker.readyAtMs === null;
  if (isIntended(worker)) return;
  if (wasBooting) noteBootFailure(draft, worker);
  else noteDeath(draft, worker);
}

/** Ended because we wanted fewer or other workers; not because it failed. */
function isIntended({ phase, endReason }: WorkerState): boolean {
  if (phase === 'draining') return true;
  if (phase !== 'ending') return false;
  return (
    endReason === 'surplus' || endReason === 'stop' || endReason === 'force' || endReason === 'drain-deadline'
  );
}

function noteBootFailure(draft: Draft, worker: WorkerState): void {
  const bootFailures = draft.state.bootFailures + 1;
  draft.set({ bootFailures });
  delayForks(draft, bootFailures);
  const { reloadFrom, config, wantedGeneration } = draft.state;
  if (reloadFrom === null || bootFailures < config.reloadTries || worker.generation < wantedGeneration)
    return;
  draft.set({ wantedGeneration: reloadFrom, reloadFrom: null });
  draft.say({ type: 'reload-aborted' });
}

function noteDeath(draft: Draft, worker: WorkerState): void {
  const { backoff } = draft.state.config;
  const livedSinceMs = worker.servingAtMs ?? worker.readyAtMs ?? draft.nowMs;
  if (draft.nowMs - livedSinceMs >= backoff.stableMs) return;
  const earlyDeaths = isStableAgain(draft) ? 1 : draft.state.earlyDeaths + 1;
  draft.set({ earlyDeaths, earlyDeathAtMs: draft.nowMs });
  if (earlyDeaths > backoff.free) delayForks(draft, earlyDeaths - backoff.free);
}

/** Some worker that came after the last early death has served long enough: that trouble is over. */
function isStableAgain({ state, nowMs }: Draft): boolean {
  return state.workers.some(
    ({ servingAtMs, phase }) =>
      phase === 'serving' &&
      servingAtMs !== null &&
      servingAtMs > state.earlyDeathAtMs &&
      nowMs - servingAtMs >= state.config.backoff.stableMs,
  );
}

/** Exponential to a cap, with jitter downwards only: so the cap is the longest that a mended app has to wait. */
function delayForks(draft: Draft, failures: number): void {
  const { firstMs, capMs, jitter } = draft.state.config.backoff;
  const fullMs = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 30));
  const delayMs = fullMs * (1 - jitter * draft.random());
  draft.set({ forkNotBeforeMs: Math.max(draft.state.forkNotBeforeMs, draft.nowMs + delayMs) });
}

/** A boot that succeeded closes the breaker at once, so that the rest can follow. */
export function noteReady(draft: Draft): void {
  if (draft.state.bootFailures === 0) return;
  const isEarly = draft.state.earlyDeaths > draft.state.config.backoff.free;
  draft.set({ bootFailures: 0, ...(!isEarly && { forkNotBeforeMs: draft.nowMs }) });
}
