import type { ReportWorker } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { ms } from './numbers.ts';

/** A crash loop starts ten workers a second: the first of them tell its story. */
const WORKERS_MAX = 2000;

export function workerTable({ workers, workerRows }: Analysis): ReportWorker[] {
  return workers.slice(0, WORKERS_MAX).map((life, index) => ({
    slot: life.slot,
    generation: life.generation,
    pid: life.pid,
    spawnedAtMs: ms(life.spawnedAtMs),
    listeningAtMs: ms(life.listeningAtMs),
    exitedAtMs: ms(life.exit?.atMs),
    code: life.exit?.code ?? null,
    signal: life.exit?.signal ?? null,
    expected: life.exit?.expected ?? null,
    requests: workerRows.requests[index] ?? 0,
    p50Ms: ms(workerRows.p50Ms(index)),
  }));
}
