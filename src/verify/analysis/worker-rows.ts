import { type Grouped, groupSorted, groupValues, quantileOfSorted } from './quantiles.ts';
import { endOf, isFresh, KIND, type Rows } from './rows.ts';
import type { WorkerLife } from './workers.ts';

/** A new worker compiles its code in its first second; how fast it is shows after that. */
const WARM_AFTER_MS = 1000;

/** What each worker answered; indexes are those of the workers. */
export interface WorkerRows {
  /** Index of the worker of a row, -1 where it is not known. */
  readonly workerOf: Int32Array;
  readonly requests: Uint32Array;
  /** When it gave its first right answer, ms; NaN for never. */
  readonly firstOkMs: Float64Array;
  /** Sent to answered, sorted, ms: without the time that the load itself was late. */
  readonly served: Grouped;
  /** As `served`, of requests on connections of their own, once the worker had listened for a second. */
  readonly servedFreshWarm: Grouped;
  p50Ms(worker: number): number | null;
}

export function rowsByWorker(rows: Rows, workers: readonly WorkerLife[]): WorkerRows {
  const { columns } = rows.samples;
  const { dueMs, sendDelayMs, latencyMs, worker: pidOf } = columns;
  const workerOf = findWorkers(rows, workers);
  const requests = new Uint32Array(workers.length);
  const firstOkMs = new Float64Array(workers.length).fill(Number.NaN);
  for (let row = 0; row < rows.count; row++) {
    const worker = workerOf[row] ?? -1;
    if (worker < 0 || pidOf[row] === 0) continue;
    requests[worker] = (requests[worker] ?? 0) + 1;
    if (rows.kind[row] !== KIND.ok) continue;
    const endMs = endOf(rows, row);
    if (!(endMs >= (firstOkMs[worker] ?? Number.NaN))) firstOkMs[worker] = endMs;
  }
  const ok = (row: number): boolean => rows.kind[row] === KIND.ok;
  const warmMs = Float64Array.from(workers, (life) =>
    life.respawned ? (life.listeningAtMs ?? Number.POSITIVE_INFINITY) + WARM_AFTER_MS : 0,
  );
  const serviceMs = (row: number): number => (latencyMs[row] ?? 0) - (sendDelayMs[row] ?? 0);
  const served = groupSorted(
    rows.count,
    workers.length,
    (row) => (ok(row) ? (workerOf[row] ?? -1) : -1),
    serviceMs,
  );
  const servedFreshWarm = groupSorted(
    rows.count,
    workers.length,
    (row) => {
      const worker = workerOf[row] ?? -1;
      return ok(row) && isFresh(rows, row) && (dueMs[row] ?? 0) >= (warmMs[worker] ?? 0) ? worker : -1;
    },
    serviceMs,
  );
  return {
    workerOf,
    requests,
    firstOkMs,
    served,
    servedFreshWarm,
    p50Ms(worker) {
      const value = quantileOfSorted(groupValues(served, worker), 0.5);
      return Number.isNaN(value) ? null : value;
    },
  };
}

function findWorkers(rows: Rows, workers: readonly WorkerLife[]): Int32Array {
  const { worker: pidOf, dueMs } = rows.samples.columns;
  const byPid = new Map<number, number[]>();
  for (const [index, { pid }] of workers.entries()) {
    const same = byPid.get(pid);
    if (same) same.push(index);
    else byPid.set(pid, [index]);
  }
  const found = new Int32Array(rows.count).fill(-1);
  for (let row = 0; row < rows.count; row++) {
    const pid = pidOf[row] ?? 0;
    if (pid === 0) continue;
    const same = byPid.get(pid);
    if (same === undefined) continue;
    let worker = same[0] ?? -1;
    // A pid that came back: the last process that had been started by then.
    for (const index of same) if ((workers[index]?.spawnedAtMs ?? 0) <= (dueMs[row] ?? 0)) worker = index;
    found[row] = worker;
  }
  return found;
}
