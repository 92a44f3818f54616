import { isBreakerOpen } from '../policy/tally.ts';
import type { ServiceStatus, WorkerStatus } from '../settings.ts';
import { nowMs } from './now.ts';
import type { Service } from './service.ts';

/** What a service looks like now. */
export function statusOf(service: Service): ServiceStatus {
  const { settings, state } = service;
  const count = (phase: string): number => state.workers.filter((worker) => worker.phase === phase).length;
  return {
    name: settings.name,
    entry: settings.entry,
    goal: state.goal,
    generation: state.generation,
    reloading: state.reloadFrom !== null,
    workersWanted: state.config.workers,
    serving: count('serving'),
    standbys: count('standby'),
    waiting: state.waiting.length,
    listeners: [...new Set(state.workers.flatMap((worker) => addressesOf(service, worker.id)))].sort(),
    bootFailures: state.bootFailures,
    breakerOpen: isBreakerOpen(state, nowMs()),
    counters: service.counters.read(),
    workers: state.workers.map((worker) => workerStatus(service, worker)),
  };
}

function workerStatus(service: Service, worker: Service['state']['workers'][number]): WorkerStatus {
  const process = service.workers.get(worker.id);
  const now = nowMs();
  return {
    worker: worker.id,
    pid: process?.pid ?? null,
    slot: worker.slot,
    generation: worker.generation,
    phase: worker.phase,
    suspect: worker.suspect,
    retire: worker.retire,
    ageMs: Math.round(now - worker.forkedAtMs),
    silentMs: Math.max(0, Math.round(now - worker.heardAtMs)),
    beat: process?.beat ?? null,
  };
}

function addressesOf(service: Service, id: number): readonly string[] {
  const addresses = service.workers.get(id)?.addresses ?? new Map<string, never>();
  return [...addresses].map(([key, { address, port }]) =>
    // Of an abstract socket, as ss(8) shows it.
    port === undefined
      ? key.replace('\0', '@')
      : `${address?.includes(':') ? `[${address}]` : (address ?? '*')}:${port}`,
  );
}
