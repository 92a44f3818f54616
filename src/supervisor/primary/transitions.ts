import type { Logger } from 'pino';
import type { PolicyState, WorkerState } from '../policy/model.ts';
import type { ServiceSettings } from '../settings.ts';

/** One log line for each worker that changed its phase, became suspect, or is to be retired. @returns whether any did */
export function noteTransitions(seen: {
  readonly before: PolicyState;
  readonly after: PolicyState;
  readonly log: Logger;
  readonly pidOf: (worker: number) => number | null;
  readonly ready: ServiceSettings['ready'];
}): boolean {
  const { before, after, log, pidOf, ready } = seen;
  let hasChanged = before.workers.length !== after.workers.length;
  for (const [at, worker] of after.workers.entries()) {
    // Nearly always: nobody before it came or went.
    if (before.workers[at] === worker) continue;
    const old = before.workers.find((candidate) => candidate.id === worker.id);
    if (old === worker) continue;
    const facts = { worker: worker.id, pid: pidOf(worker.id), generation: worker.generation };
    if (old?.phase !== worker.phase) {
      hasChanged = true;
      const hint = worker.endReason === 'boot-deadline' ? { hint: NEVER_READY[ready] } : {};
      log[levelOf(worker)]({ ...facts, ...detail(worker, old), ...hint }, sentenceOf(worker));
    }
    if (old !== undefined && old.suspect !== worker.suspect) {
      hasChanged = true;
      log.warn(
        { ...facts, slot: worker.slot },
        worker.suspect ? 'worker is silent' : 'worker is heard again',
      );
    }
    if (worker.retire !== null && old?.retire === null) {
      log.info({ ...facts, slot: worker.slot, reason: worker.retire }, 'worker is to be replaced');
    }
  }
  return hasChanged;
}

const SENTENCE: Readonly<Record<WorkerState['phase'], string>> = {
  booting: 'worker boots',
  standby: 'worker is ready',
  serving: 'worker serves',
  draining: 'worker drains',
  ending: 'worker is killed',
};

/** What a worker has not done that was killed at its boot deadline, and what to do. */
const NEVER_READY: Readonly<Record<ServiceSettings['ready'], string>> = {
  listening: 'it never listened on TCP; an app that never does, as with UDP alone, needs --ready online',
  online: 'its process did not start in time',
  signal: 'it never said that it is ready',
};

function sentenceOf({ phase, endReason }: WorkerState): string {
  return endReason === 'dying' ? 'worker is dying' : SENTENCE[phase];
}

function levelOf(worker: WorkerState): 'info' | 'warn' {
  const isTrouble =
    worker.phase === 'ending' && worker.endReason !== 'surplus' && worker.endReason !== 'stop';
  return isTrouble ? 'warn' : 'info';
}

function detail(worker: WorkerState, old: WorkerState | undefined): Readonly<Record<string, unknown>> {
  const slot = worker.slot ?? old?.slot ?? null;
  return {
    ...(slot !== null && { slot }),
    ...(worker.endReason !== null && { reason: worker.endReason }),
  };
}
