import type { Draft } from './draft.ts';
import { noteEnd } from './failures.ts';
import type { Phase, Reason, WorkerState } from './model.ts';

/** SIGKILL, once: what it has in hand is withdrawn in time, or when its exit is seen. */
export function kill(draft: Draft, worker: WorkerState, reason: Reason): void {
  if (worker.phase === 'ending') return;
  leave(draft, worker, 'ending', reason);
  draft.say({ type: 'kill', worker: worker.id, reason });
  noteEnd(draft, worker, reason);
}

/** Nothing new for it; it ends by itself when it has finished. */
export function drain(draft: Draft, worker: WorkerState, reason: Reason): void {
  if (worker.phase === 'ending' || worker.phase === 'draining') return;
  leave(draft, worker, 'draining', reason);
  draft.say({ type: 'drain', worker: worker.id, reason, graceMs: draft.state.config.drainMs });
  noteEnd(draft, worker, reason);
}

function leave(draft: Draft, { id }: WorkerState, phase: Phase, reason: Reason): void {
  draft.update(id, (own) => {
    own.phase = phase;
    own.slot = null;
    own.sinceMs = draft.nowMs;
    own.endReason = reason;
  });
}
