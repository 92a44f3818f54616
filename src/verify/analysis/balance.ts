import { contains, type Interval } from './interval.ts';
import { isFresh, KIND, type Rows } from './rows.ts';
import type { WorkerRows } from './worker-rows.ts';
import type { WorkerLife } from './workers.ts';

/** How evenly a span's requests and connections were spread over the slots. */
export interface Balance {
  readonly perSlot: readonly {
    readonly slot: number;
    readonly requests: number;
    readonly connections: number;
  }[];
  /** Standard deviation of the requests a slot, against their mean; `null` where no request names its worker. */
  readonly cv: number | null;
  /** Requests whose worker is known. */
  readonly samples: number;
}

export function balanceOver(
  span: Interval,
  rows: Rows,
  { workers, workerRows }: { readonly workers: readonly WorkerLife[]; readonly workerRows: WorkerRows },
): Balance {
  const { dueMs, port } = rows.samples.columns;
  const slots = [...new Set(workers.map((life) => life.slot))].sort((a, b) => a - b);
  const place = new Map(slots.map((slot, index) => [slot, index]));
  const placeOf = workers.map((life) => place.get(life.slot) ?? 0);
  const requests = slots.map(() => 0);
  const connections = slots.map(() => 0);
  const kept = new Set<number>();
  let samples = 0;
  for (let row = 0; row < rows.count; row++) {
    const worker = workerRows.workerOf[row] ?? -1;
    if (worker < 0 || rows.kind[row] === KIND.aborted || !contains(span, dueMs[row] ?? 0)) continue;
    const index = placeOf[worker] ?? 0;
    samples++;
    requests[index] = (requests[index] ?? 0) + 1;
    const connection = worker * 65_536 + (port[row] ?? 0);
    if (!isFresh(rows, row)) {
      if (kept.has(connection)) continue;
      kept.add(connection);
    }
    connections[index] = (connections[index] ?? 0) + 1;
  }
  // A slot above those asked for is a finding of its own, and no part of an even share while it is empty.
  const present = slots.filter((slot, index) => (requests[index] ?? 0) > 0 || served(workers, slot, span));
  const counts = present.map((slot) => requests[place.get(slot) ?? 0] ?? 0);
  return {
    perSlot: slots.map((slot, index) => ({
      slot,
      requests: requests[index] ?? 0,
      connections: connections[index] ?? 0,
    })),
    cv: samples === 0 ? null : variation(counts),
    samples,
  };
}

function served(workers: readonly WorkerLife[], slot: number, { fromMs, toMs }: Interval): boolean {
  return workers.some(
    (life) =>
      life.slot === slot &&
      life.listeningAtMs !== null &&
      life.listeningAtMs < toMs &&
      (life.exit === null || life.exit.atMs > fromMs),
  );
}

function variation(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  if (mean === 0) return 0;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length;
  return Math.sqrt(variance) / mean;
}
