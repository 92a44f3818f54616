import type { Interval } from './interval.ts';
import { type Grouped, groupSorted, groupValues, median, quantileOfSorted } from './quantiles.ts';
import { endOf, KIND, type Rows } from './rows.ts';

export const SECOND_MS = 1000;
/** Too few answers for a p99 that means anything. */
const ANSWERS_MIN = 20;

/** What a row says about waiting: an answer's latency, and for who got none, the time waited in vain. */
export function waited(kind: number): boolean {
  return (
    kind === KIND.ok ||
    kind === KIND['wrong-status'] ||
    kind === KIND['wrong-body'] ||
    kind === KIND.timeout ||
    kind === KIND.expired
  );
}

/** The run second by second: one noisy second must not decide about a server, so what is typical is a median of these. */
export interface Seconds {
  readonly count: number;
  /** Right answers that arrived in the second. */
  readonly ok: Uint32Array;
  /** Sorted waits of the requests that were due in the second, ms. */
  readonly waits: Grouped;
}

export function bySecond(rows: Rows, endMs: number): Seconds {
  const count = Math.floor(endMs / SECOND_MS) + 1;
  const { dueMs, latencyMs } = rows.samples.columns;
  const ok = new Uint32Array(count);
  for (let row = 0; row < rows.count; row++) {
    if (rows.kind[row] !== KIND.ok) continue;
    const second = Math.floor(endOf(rows, row) / SECOND_MS);
    if (second < count) ok[second] = (ok[second] ?? 0) + 1;
  }
  const waits = groupSorted(
    rows.count,
    count,
    (row) => (waited(rows.kind[row] ?? 0) ? Math.floor((dueMs[row] ?? 0) / SECOND_MS) : -1),
    (row) => latencyMs[row] ?? 0,
  );
  return { count, ok, waits };
}

/** The seconds that lie wholly within a span. */
export function wholeSeconds({ fromMs, toMs }: Interval): number[] {
  const first = Math.ceil(fromMs / SECOND_MS);
  const last = Math.floor(toMs / SECOND_MS);
  return Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
}

/** The p99 of the typical second of a span: the median over its seconds; NaN without answers. */
export function typicalP99({ waits }: Seconds, span: Interval): number {
  const whole = wholeSeconds(span);
  const touched = whole.length > 0 ? whole : [Math.floor(span.fromMs / SECOND_MS)];
  return median(
    touched.map((second) => {
      const values = groupValues(waits, second);
      return values.length < ANSWERS_MIN ? Number.NaN : quantileOfSorted(values, 0.99);
    }),
  );
}
