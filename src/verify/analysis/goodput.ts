import type { Interval } from './interval.ts';
import { endOf, KIND, type Rows } from './rows.ts';

const BUCKET_MS = 100;
/** Three buckets in a row, so that one burst of late answers is not taken for the service being back. */
const BUCKETS_IN_A_ROW = 3;
/** Of baseline's rate. */
const BACK_SHARE = 0.9;

/** When right answers flowed at baseline's rate again. */
export interface Goodput {
  /** ms after `atMs`; 0 if it never fell, `null` if it never came back or baseline had none. */
  backAfterMs(atMs: number): number | null;
}

export function measureGoodput(rows: Rows, baseline: Interval | null, endMs: number): Goodput {
  const buckets = new Uint32Array(Math.floor(endMs / BUCKET_MS) + 1);
  let baselineOk = 0;
  for (let row = 0; row < rows.count; row++) {
    if (rows.kind[row] !== KIND.ok) continue;
    const atMs = endOf(rows, row);
    const bucket = Math.floor(atMs / BUCKET_MS);
    if (bucket < buckets.length) buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    if (baseline && atMs >= baseline.fromMs && atMs < baseline.toMs) baselineOk++;
  }
  const perBucket = baseline
    ? (baselineOk / Math.max(1, baseline.toMs - baseline.fromMs)) * BUCKET_MS
    : Number.NaN;
  // One answer of slack: at a low rate a bucket holds one more or one fewer by its place alone.
  const enough = Math.max(1, Math.min(perBucket * BACK_SHARE, perBucket - 1));
  return {
    backAfterMs(atMs) {
      if (!(perBucket > 0)) return null;
      let inARow = 0;
      // The last bucket is cut short by the end of the load.
      for (let bucket = Math.floor(atMs / BUCKET_MS); bucket < buckets.length - 1; bucket++) {
        inARow = (buckets[bucket] ?? 0) >= enough ? inARow + 1 : 0;
        if (inARow < BUCKETS_IN_A_ROW) continue;
        return Math.max(0, (bucket - BUCKETS_IN_A_ROW + 1) * BUCKET_MS - atMs);
      }
      return null;
    },
  };
}
