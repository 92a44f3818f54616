import { scaled } from './copies.ts';
import {
  accept,
  closed,
  dispatch,
  nextSpreadMs,
  requeue,
  returned,
  shedAll,
  taken,
  withdraw,
} from './dispatch.ts';
import { Draft } from './draft.ts';
import { drain, kill } from './endings.ts';
import { forkNotBeforeMs, noteEnd } from './failures.ts';
import { forgive, hear, missedAtMs, nextDeadlineMs, retire, starve, watch } from './health.ts';
import type { Event, PolicyConfig, PolicyState, Step, WorkerState } from './model.ts';
import { nextRefillMs, staff } from './staffing.ts';
import { tallyOf } from './tally.ts';

/** Later than promised by more than this, and the primary was away: what workers said meanwhile is still unread. */
const AWAY_MS = 100;

/** No worker yet; the first `wake` forks them. `seed`: 32 bits, for jitter and stagger only. */
export function initialState(config: PolicyConfig, seed: number): PolicyState {
  return {
    config,
    goal: 'run',
    atMs: 0,
    wakeAtMs: 0,
    workers: [],
    nextWorkerId: 1,
    generation: 1,
    lastGeneration: 1,
    wantedGeneration: 1,
    reloadFrom: null,
    bootFailures: 0,
    deathAtMs: 0,
    earlyDeaths: 0,
    earlyDeathAtMs: 0,
    bootsNotBeforeMs: 0,
    deathsNotBeforeMs: 0,
    waiting: [],
    cursor: 0,
    random: seed | 0,
  };
}

/**
 * The whole policy: a pure function of what is known, what happened, and when (ms on any clock that only goes forward).
 * Commands are to be carried out in their order.
 */
export function transition(state: PolicyState, event: Event, nowMs: number): Step {
  const draft = new Draft(state, nowMs);
  const dueMs = state.wakeAtMs ?? Number.POSITIVE_INFINITY;
  const lateMs = nowMs - dueMs;
  if (lateMs > AWAY_MS) forgive(draft);
  route(draft, event);
  if (draft.state.goal !== 'run') finishStop(draft);
  else if (draft.isStaffDue || lateMs >= 0) {
    staff(draft);
    finishReload(draft);
  }
  dispatch(draft);
  const isRoutine = lateMs < 0 && !draft.isStaffDue && draft.state.waiting.length === 0;
  if (!isRoutine) draft.state.wakeAtMs = wakeMs(draft);
  // Mostly a connection is given or taken and nothing else: to give one adds a deadline.
  else if (draft.commands.length > 0) draft.state.wakeAtMs = Math.min(dueMs, missedAtMs(draft.state));
  return draft.done();
}

/** When something is due, in ms; null when only time passes by. `wakeAtMs` may be sooner, never later. */
export function nextWakeMs(state: PolicyState): number | null {
  return wakeMs({ state, tally: tallyOf(state) });
}

function wakeMs({ state, tally }: Pick<Draft, 'state' | 'tally'>): number | null {
  const notBeforeMs = forkNotBeforeMs(state);
  const forkMs = notBeforeMs > state.atMs ? notBeforeMs : Number.POSITIVE_INFINITY;
  const nextMs = Math.min(forkMs, nextRefillMs(state, tally), nextDeadlineMs(state), nextSpreadMs(state));
  return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
}

// oxlint-disable-next-line max-lines-per-function -- one case an event.
function route(draft: Draft, event: Event): void {
  switch (event.type) {
    case 'wake':
      // Before that, what shows that a worker is well may still be unread.
      return watch(draft);
    case 'beats':
      return hear(draft, event.beats);
    case 'connection':
      return accept(draft, event.connection);
    case 'closed':
      return closed(draft, event.listener);
    case 'reload':
      return reload(draft, event.config);
    case 'scale':
      return scale(draft, event.workers);
    case 'stop':
      return stop(draft);
    case 'force':
      return force(draft);
    default: {
      const worker = draft.worker(event.worker);
      // Gone already: its exit was seen before what it said last.
      if (worker !== undefined) ofWorker(draft, worker, event);
    }
  }
}

type WorkerEvent = Extract<Event, { readonly worker: number }>;

function ofWorker(draft: Draft, worker: WorkerState, event: WorkerEvent): void {
  switch (event.type) {
    case 'ready':
      return becomeReady(draft, worker);
    case 'listening':
      if (worker.listeners.includes(event.listener)) return;
      return listen(draft, worker, [...worker.listeners, event.listener]);
    case 'unlistened':
      return listen(
        draft,
        worker,
        worker.listeners.filter((listener) => listener !== event.listener),
      );
    case 'exit':
    case 'fork-failed':
      requeue(draft, worker.hands);
      draft.remove(worker.id);
      return noteEnd(draft, worker, null);
    case 'ipc-lost':
    case 'ipc-flood':
      return kill(draft, worker, event.type);
    case 'dying':
      return die(draft, worker);
    case 'starved':
      return starve(draft, worker);
    case 'unhealthy':
      return retire(draft, worker, 'unhealthy');
    case 'asked-to-retire':
      return retire(draft, worker, 'asked');
    case 'taken':
      return taken(draft, worker, event.connection, event.open);
    case 'returned':
      return returned(draft, worker, event.connection);
  }
}

function listen(draft: Draft, { id }: WorkerState, listeners: readonly string[]): void {
  draft.update(id, (own) => {
    own.listeners = listeners;
  });
}

/** Nothing that it has not taken will it ever take, and its place need not wait for its exit. */
function die(draft: Draft, worker: WorkerState): void {
  withdraw(draft, worker, () => true);
  if (worker.phase !== 'draining') kill(draft, worker, 'dying');
}

function becomeReady(draft: Draft, worker: WorkerState): void {
  if (worker.phase !== 'booting') return;
  const { nowMs } = draft;
  draft.update(worker.id, (own) => {
    own.phase = 'standby';
    own.sinceMs = nowMs;
    own.readyAtMs = nowMs;
    own.heardAtMs = nowMs;
  });
  // A boot that succeeded closes the breaker at once, so that the rest can follow.
  draft.state.bootFailures = 0;
}

function scale(draft: Draft, workers: number): void {
  const { config, reloadFrom } = draft.state;
  draft.set({ config: scaled(config, workers) });
  // A reload that is given up later does not undo this.
  if (reloadFrom !== null) {
    draft.set({ reloadFrom: { ...reloadFrom, config: scaled(reloadFrom.config, workers) } });
  }
}

function reload(draft: Draft, config: PolicyConfig): void {
  const { state } = draft;
  if (state.goal !== 'run') return;
  const generation = state.lastGeneration + 1;
  draft.set({
    config,
    generation,
    lastGeneration: generation,
    wantedGeneration: generation,
    reloadFrom: state.reloadFrom ?? {
      config: state.config,
      generation: state.generation,
      wantedGeneration: state.wantedGeneration,
    },
    // The user changed something: what failed before says nothing about it.
    bootFailures: 0,
    earlyDeaths: 0,
    bootsNotBeforeMs: draft.nowMs,
    deathsNotBeforeMs: draft.nowMs,
  });
}

function finishReload(draft: Draft): void {
  const { reloadFrom, wantedGeneration, config, workers } = draft.state;
  if (reloadFrom === null || draft.tally.serving < config.workers) return;
  if (workers.some((worker) => worker.generation < wantedGeneration)) return;
  draft.state.reloadFrom = null;
  draft.say({ type: 'reloaded' });
}

function stop(draft: Draft): void {
  if (draft.state.goal !== 'run') return;
  draft.state.goal = 'stop';
  for (const worker of draft.workers) {
    if (worker.phase === 'booting') kill(draft, worker, 'stop');
    else drain(draft, worker, 'stop');
  }
}

function force(draft: Draft): void {
  draft.state.goal = draft.state.goal === 'stopped' ? 'stopped' : 'stop';
  for (const worker of draft.workers) kill(draft, worker, 'force');
}

function finishStop(draft: Draft): void {
  shedAll(draft);
  if (draft.state.goal !== 'stop' || draft.workers.length > 0) return;
  draft.state.goal = 'stopped';
  draft.say({ type: 'stopped' });
}
