import { withdraw } from './dispatch.ts';
import type { Draft } from './draft.ts';
import type { PolicyConfig, PolicyState, Reason, WorkerBeat, WorkerState } from './model.ts';

/** A worker that beats and yet leaves a connection untaken for so many `withdrawMs` has lost its channel for handles. */
const DEAF_WITHDRAWALS = 5;

/** Beats: the worker lives, and says how it is. */
export function hear(draft: Draft, beats: readonly WorkerBeat[]): void {
  for (const beat of beats) {
    const worker = draft.worker(beat.worker);
    if (worker === undefined || worker.phase === 'ending') continue;
    const heardAtMs = Math.max(worker.heardAtMs, beat.atMs);
    draft.update(worker.id, { heardAtMs, suspect: false, open: beat.open });
    if (worker.retire === null && worker.phase !== 'draining') {
      const retire = beyondLimit(draft.state.config, worker, beat);
      if (retire !== null) draft.update(worker.id, { retire });
    }
  }
}

function beyondLimit(config: PolicyConfig, worker: WorkerState, beat: WorkerBeat): Reason | null {
  const { limits } = config;
  if (limits.rssBytes !== null && beat.rssBytes >= limits.rssBytes) return 'memory';
  if (limits.heapShare !== null && beat.heapShare >= limits.heapShare) return 'heap';
  if (limits.requests !== null && beat.requests >= limits.requests * worker.limitShare) return 'requests';
  return null;
}

/**
 * The primary itself was away (stopped, a suspended machine, a long pause): what the workers said meanwhile is still
 * unread, so their silence is not theirs.
 */
export function forgive(draft: Draft, awayMs: number): void {
  for (const worker of draft.workers) {
    const heardAtMs = Math.min(worker.heardAtMs + awayMs, draft.nowMs);
    const forkedAtMs = Math.min(worker.forkedAtMs + awayMs, draft.nowMs);
    draft.update(worker.id, { heardAtMs, ...(worker.phase === 'booting' && { forkedAtMs }) });
  }
}

/** Holds every worker against its deadlines. */
export function watch(draft: Draft): void {
  const { config } = draft.state;
  for (const worker of draft.workers) {
    const reason = overdue(config, worker, draft.nowMs);
    if (reason !== null) {
      withdraw(draft, worker, () => true);
      draft.kill(worker, reason);
      continue;
    }
    if (isWatched(worker) && !worker.suspect && draft.nowMs - worker.heardAtMs >= config.suspectMs) {
      draft.update(worker.id, { suspect: true });
    }
    takeBack(draft, worker.id);
    tooOld(draft, worker);
  }
}

function isWatched(worker: WorkerState): boolean {
  return worker.phase === 'standby' || worker.phase === 'serving' || worker.phase === 'draining';
}

function overdue(config: PolicyConfig, worker: WorkerState, nowMs: number): Reason | null {
  if (worker.phase === 'booting') return nowMs - worker.forkedAtMs >= config.bootMs ? 'boot-deadline' : null;
  if (!isWatched(worker)) return null;
  if (nowMs - worker.heardAtMs >= config.deadMs) return 'hung';
  if (worker.phase === 'draining' && nowMs - worker.sinceMs >= config.drainMs) return 'drain-deadline';
  return null;
}

/** What a suspect has not taken for `withdrawMs` goes to another; so does what a deaf one leaves for much longer. */
function takeBack(draft: Draft, id: number): void {
  const worker = draft.worker(id);
  if (worker === undefined || worker.hands.length === 0) return;
  const { withdrawMs } = draft.state.config;
  const patienceMs = worker.suspect ? withdrawMs : withdrawMs * DEAF_WITHDRAWALS;
  const isDue = (atMs: number): boolean => draft.nowMs - atMs >= patienceMs;
  if (!worker.hands.some((hand) => isDue(hand.atMs))) return;
  if (!worker.suspect && worker.retire === null) draft.update(id, { retire: 'deaf' });
  withdraw(draft, worker, (hand) => isDue(hand.atMs));
}

function tooOld(draft: Draft, worker: WorkerState): void {
  const { ageMs } = draft.state.config.limits;
  if (ageMs === null || worker.readyAtMs === null || worker.retire !== null) return;
  if (draft.nowMs - worker.readyAtMs >= ageMs * worker.limitShare) draft.update(worker.id, { retire: 'age' });
}

/** When `watch` will next have something to say, in ms; Infinity when nothing is pending. */
export function nextDeadlineMs({ config, workers }: PolicyState): number {
  let next = Number.POSITIVE_INFINITY;
  const at = (ms: number): void => {
    if (ms < next) next = ms;
  };
  for (const worker of workers) {
    if (worker.phase === 'booting') at(worker.forkedAtMs + config.bootMs);
    if (!isWatched(worker)) continue;
    at(worker.heardAtMs + (worker.suspect ? config.deadMs : config.suspectMs));
    if (worker.phase === 'draining') at(worker.sinceMs + config.drainMs);
    const [hand] = worker.hands;
    if (hand !== undefined) {
      at(hand.atMs + config.withdrawMs * (worker.suspect ? 1 : DEAF_WITHDRAWALS));
    }
    const { ageMs } = config.limits;
    if (ageMs !== null && worker.readyAtMs !== null && worker.retire === null) {
      at(worker.readyAtMs + ageMs * worker.limitShare);
    }
  }
  return next;
}
