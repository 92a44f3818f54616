import type { Report } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { groupSorted, groupValues, quantileOfSorted } from '../analysis/quantiles.ts';
import { isFailure, KIND } from '../analysis/rows.ts';
import { waited } from '../analysis/seconds.ts';
import { ms } from './numbers.ts';

/** More points than this no screen shows, and the document would grow with the length of the run. */
const BUCKETS_MAX = 1200;
const BUCKET_STEPS_MS = [100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000];

/** The run over time, from its start, by when requests were due. */
export function timeSeries(analysis: Analysis): Report['series'] {
  const { rows, readiness, windows, endMs } = analysis;
  // What is still being stopped after the last phase is no part of the picture.
  const lastMs = windows.phases.at(-1)?.toMs ?? endMs;
  const bucketMs = bucketFor(lastMs);
  const count = Math.max(1, Math.ceil(lastMs / bucketMs));
  const requests = new Uint32Array(count);
  const errors = new Uint32Array(count);
  const { dueMs, latencyMs } = rows.samples.columns;
  const bucketOf = (row: number): number => Math.floor((dueMs[row] ?? 0) / bucketMs);
  for (let row = 0; row < rows.count; row++) {
    const kind = rows.kind[row] ?? 0;
    const bucket = bucketOf(row);
    if (kind === KIND.aborted || bucket >= count) continue;
    requests[bucket] = (requests[bucket] ?? 0) + 1;
    if (isFailure(kind)) errors[bucket] = (errors[bucket] ?? 0) + 1;
  }
  const waits = groupSorted(
    rows.count,
    count,
    (row) => (waited(rows.kind[row] ?? 0) ? bucketOf(row) : -1),
    (row) => latencyMs[row] ?? 0,
  );
  const each = Array.from({ length: count }, (_, bucket) => bucket);
  const quantiles = (p: number): (number | null)[] =>
    each.map((bucket) => ms(quantileOfSorted(groupValues(waits, bucket), p)));
  return {
    bucketMs,
    requests: [...requests],
    errors: [...errors],
    p50Ms: quantiles(0.5),
    p99Ms: quantiles(0.99),
    // The lowest of the bucket: a gap shorter than a bucket must still be seen.
    workersReady: each.map((bucket) =>
      readiness.listening.min({ fromMs: bucket * bucketMs, toMs: (bucket + 1) * bucketMs }),
    ),
  };
}

function bucketFor(lengthMs: number): number {
  const step = BUCKET_STEPS_MS.find((bucketMs) => lengthMs / bucketMs <= BUCKETS_MAX);
  return step ?? Math.ceil(lengthMs / BUCKETS_MAX / 60_000) * 60_000;
}
