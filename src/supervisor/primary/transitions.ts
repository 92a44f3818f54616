import type { Logger } from 'pino';
import type { PolicyState, WorkerState } from '../policy/model.ts';
import type { ServiceSettings } from '../settings.ts';
import type { WorkerProcess } from './worker-process.ts';

/**
 * One log line for each worker that became suspect, is to be retired, or changed its phase. Where one step does several of
 * these to a worker, in this order: it drains because it is to be replaced.
 *
 * @returns whether any did
 */
export function noteTransitions(seen: {
  readonly before: PolicyState;
  readonly after: PolicyState;
  readonly log: Logger;
  readonly processOf: (worker: number) => Pick<WorkerProcess, 'pid' | 'wish'> | undefined;
  readonly ready: ServiceSettings['ready'];
}): boolean {
  const { before, after, log, processOf, ready } = seen;
  let hasChanged = before.workers.length !== after.workers.length;
  for (const [at, worker] of after.workers.entries()) {
    // Nearly always: nobody before it came or went.
    if (before.workers[at] === worker) continue;
    const old = before.workers.find((candidate) => candidate.id === worker.id);
    if (old === worker) continue;
    const { pid = null, wish = null } = processOf(worker.id) ?? {};
    const facts = { worker: worker.id, pid, generation: worker.generation };
    // A step that drains or kills it takes its slot away too.
    const slot = worker.slot ?? old?.slot ?? null;
    if (old !== undefined && old.suspect !== worker.suspect) {
      hasChanged = true;
      log.warn({ ...facts, slot }, worker.suspect ? 'worker is silent' : 'worker is heard again');
    }
    if (worker.retire !== null && old?.retire === null) {
      const said = worker.retire === 'asked' && wish !== null ? { detail: wish } : {};
      log.info({ ...facts, slot, reason: worker.retire, ...said }, 'worker is to be replaced');
    }
    if (old?.phase !== worker.phase) {
      hasChanged = true;
      const why = worker.endReason === null ? {} : { reason: worker.endReason };
      const hint = worker.endReason === 'boot-deadline' ? { hint: NEVER_READY[ready] } : {};
      log[levelOf(worker)]({ ...facts, ...(slot !== null && { slot }), ...why, ...hint }, sentenceOf(worker));
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
  listening:
    'it never listened on TCP or a unix socket; an app that never does, as with UDP alone, needs --ready online',
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
