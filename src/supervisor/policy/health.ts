import type { Copy } from './copies.ts';
import { withdraw } from './dispatch.ts';
import type { Draft } from './draft.ts';
import { kill } from './endings.ts';
import type { Hand, PolicyConfig, PolicyState, Reason, WorkerBeat, WorkerState } from './model.ts';

/** A worker that beats and yet leaves a connection untaken for so many `withdrawMs` has lost its channel for handles. */
const DEAF_WITHDRAWALS = 5;

/** One look that found it starved counts for so long; looks come several times as often. */
const STARVED_MS = 400;
/** However little time the machine gives it: a worker that is silent for so many `deadMs` is of no use to anybody. */
const STARVED_DEADS_MAX = 5;

/** It would run if the machine let it: to kill it for that would only make more work. */
export function starve(draft: Draft, worker: WorkerState): void {
  draft.update(worker.id, (own) => {
    own.starvedUntilMs = draft.nowMs + STARVED_MS;
  });
}

/** Beats: the worker lives, and says how it is. */
export function hear(draft: Draft, beats: readonly WorkerBeat[]): void {
  for (const beat of beats) {
    const worker = draft.worker(beat.worker);
    if (worker === undefined || worker.phase === 'ending') continue;
    draft.update(worker.id, (own) => {
      own.heardAtMs = Math.max(worker.heardAtMs, beat.atMs);
      own.suspect = false;
      own.open = beat.open;
      note(own, beyondLimit(draft.state.config, worker, beat), draft.nowMs);
    });
  }
}

function beyondLimit(config: PolicyConfig, worker: WorkerState, beat: WorkerBeat): Reason | null {
  const { limits } = config;
  if (limits.rssBytes !== null && beat.rssBytes >= limits.rssBytes) return 'memory';
  if (limits.heapShare !== null && (beat.heapShare >= limits.heapShare || beat.heapSoonShare >= 1))
    return 'heap';
  if (limits.requests !== null && beat.requests >= limits.requests * worker.limitShare) return 'requests';
  return null;
}

/**
 * The primary itself was away (stopped, a suspended machine, a long pause): what the workers said meanwhile is still
 * unread, or they were away too. So all that they are given time for begins anew.
 */
export function forgive(draft: Draft): void {
  const { nowMs } = draft;
  for (const worker of draft.workers) {
    draft.update(worker.id, (own) => {
      own.heardAtMs = Math.max(worker.heardAtMs, nowMs);
      own.hands = Array.from(worker.hands, ({ connection }) => ({ connection, atMs: nowMs }));
      if (worker.phase === 'booting' || worker.phase === 'draining') own.sinceMs = nowMs;
    });
  }
}

/** Holds every worker against its deadlines. */
export function watch(draft: Draft): void {
  const { config } = draft.state;
  for (const worker of draft.workers) {
    const reason = overdue(config, worker, draft.nowMs);
    if (reason !== null) kill(draft, worker, reason);
    else if (draft.nowMs >= suspectAtMs(config, worker)) suspect(draft, worker);
    if (worker.hands.length > 0) takeBack(draft, worker.id);
    if (draft.nowMs >= tooOldAtMs(config, worker)) retire(draft, worker, 'age');
  }
}

function suspect(draft: Draft, { id }: WorkerState): void {
  draft.update(id, (own) => {
    own.suspect = true;
  });
}

/** It shall be replaced, unless it is on its way out; the first reason for that stays. */
export function retire(draft: Draft, { id }: WorkerState, reason: Reason): void {
  draft.update(id, (own) => note(own, reason, draft.nowMs));
}

function note(own: Copy<WorkerState>, reason: Reason | null, nowMs: number): void {
  if (own.retire !== null || reason === null || isLeaving(own)) return;
  own.retire = reason;
  own.retireAtMs = nowMs;
}

function overdue(config: PolicyConfig, worker: WorkerState, nowMs: number): Reason | null {
  if (nowMs >= bootedByMs(config, worker)) return 'boot-deadline';
  if (nowMs >= deadAtMs(config, worker)) return 'hung';
  if (nowMs >= drainedByMs(config, worker)) return 'drain-deadline';
  return null;
}

/** What a suspect has not taken in time goes to another; so does what a deaf one leaves for much longer. */
function takeBack(draft: Draft, id: number): void {
  const worker = draft.worker(id);
  if (worker === undefined) return;
  const isDue = (hand: Hand): boolean => draft.nowMs >= takenByMs(draft.state.config, worker, hand);
  if (!worker.hands.some(isDue)) return;
  if (!worker.suspect) retire(draft, worker, 'deaf');
  withdraw(draft, worker, isDue);
}

/** When `watch` will next have something to say, in ms; Infinity when nothing is pending. */
export function nextDeadlineMs({ config, workers }: PolicyState): number {
  let next = NEVER;
  for (const worker of workers) {
    const deadlineMs = nextOfMs(config, worker);
    if (deadlineMs < next) next = deadlineMs;
  }
  return next;
}

function nextOfMs(config: PolicyConfig, worker: WorkerState): number {
  if (worker.phase === 'booting') return bootedByMs(config, worker);
  const hand = worker.hands[0];
  const handMs = hand === undefined ? NEVER : takenByMs(config, worker, hand);
  if (worker.phase === 'ending') return handMs;
  const silentMs = worker.suspect ? deadAtMs(config, worker) : suspectAtMs(config, worker);
  return Math.min(handMs, silentMs, drainedByMs(config, worker), tooOldAtMs(config, worker));
}

const NEVER = Number.POSITIVE_INFINITY;

function bootedByMs({ bootMs }: PolicyConfig, { phase, sinceMs }: WorkerState): number {
  return phase === 'booting' ? sinceMs + bootMs : NEVER;
}

function suspectAtMs({ suspectMs }: PolicyConfig, worker: WorkerState): number {
  return isWatched(worker) && !worker.suspect ? worker.heardAtMs + suspectMs : NEVER;
}

function deadAtMs({ deadMs }: PolicyConfig, worker: WorkerState): number {
  if (!isWatched(worker)) return NEVER;
  const { heardAtMs, starvedUntilMs } = worker;
  return Math.max(heardAtMs + deadMs, Math.min(starvedUntilMs, heardAtMs + deadMs * STARVED_DEADS_MAX));
}

function isWatched({ phase }: WorkerState): boolean {
  return phase === 'standby' || phase === 'serving' || phase === 'draining';
}

function isLeaving({ phase }: WorkerState): boolean {
  return phase === 'draining' || phase === 'ending';
}

function drainedByMs({ drainMs }: PolicyConfig, { phase, sinceMs }: WorkerState): number {
  return phase === 'draining' ? sinceMs + drainMs : NEVER;
}

function takenByMs({ withdrawMs }: PolicyConfig, { suspect }: WorkerState, { atMs }: Hand): number {
  return atMs + (suspect ? withdrawMs : withdrawMs * DEAF_WITHDRAWALS);
}

/** When a connection that is given now is missed, in ms. */
export function missedAtMs({ atMs, config }: PolicyState): number {
  return atMs + config.withdrawMs * DEAF_WITHDRAWALS;
}

function tooOldAtMs({ limits }: PolicyConfig, worker: WorkerState): number {
  const { readyAtMs, retire, limitShare } = worker;
  if (limits.ageMs === null || readyAtMs === null || retire !== null || isLeaving(worker)) return NEVER;
  return readyAtMs + limits.ageMs * limitShare;
}
