import { type Interval, lengthMs } from './interval.ts';
import { median, quantile } from './quantiles.ts';
import { isFresh, type Rows } from './rows.ts';
import { SECOND_MS } from './seconds.ts';

/**
 * How late the load process itself was. Its witness is the most punctual request of each 20 ms, since when the process
 * stalls all are late, and when the server does only those that wait for a free connection. A closed loop has no
 * witness: there nothing is due before it is sent.
 */
export interface LoadLag {
  /** p99 over a span, ms; `null` without a witness. */
  p99(span: Interval): number | null;
  /** As `p99`, but of the typical second: one noisy second does not change it. */
  typicalP99(span: Interval): number | null;
  typicalP50(span: Interval): number | null;
  /** Whether the load process was so late in this second that it can't say how fast the server was. */
  lagged(second: number): boolean;
  /** How long of a silence may have been the load's own, ms. */
  stallMs(silence: Interval): number;
}

const SLICE_MS = 20;
const SLICES_A_SECOND = SECOND_MS / SLICE_MS;
/** A second in which the load was this late says more about the machine than about the server. */
const LAGGED_MS = 100;
/**
 * Once all connections wait for a silent server, requests are late through its fault. There are enough connections for
 * new ones to last a second; kept ones can be used up within a few slices.
 */
const TRUSTED_MS = 1000;
const TRUSTED_KEPT_MS = 3 * SLICE_MS;

export function measureLoadLag(rows: Rows, endMs: number): LoadLag {
  const { dueMs, sendDelayMs } = rows.samples.columns;
  const best = new Float32Array(Math.floor(endMs / SLICE_MS) + 1).fill(Number.NaN);
  let trustedMs = TRUSTED_KEPT_MS;
  for (let row = 0; row < rows.count; row++) {
    const delay = sendDelayMs[row] ?? Number.NaN;
    if (Number.isNaN(delay)) continue;
    if (isFresh(rows, row)) trustedMs = TRUSTED_MS;
    const slice = Math.floor((dueMs[row] ?? 0) / SLICE_MS);
    const known = best[slice] ?? Number.NaN;
    if (Number.isNaN(known) || delay < known) best[slice] = delay;
  }
  const slices = ({ fromMs, toMs }: Interval): Float32Array =>
    best.subarray(Math.max(0, Math.floor(fromMs / SLICE_MS)), Math.max(0, Math.ceil(toMs / SLICE_MS)));
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  const typical = (span: Interval, p: number): number | null => {
    const whole = slices(span);
    const seconds = Math.max(1, Math.floor(lengthMs(span) / SECOND_MS));
    const each = Array.from({ length: seconds }, (_, i) =>
      quantile(whole.subarray(i * SLICES_A_SECOND, (i + 1) * SLICES_A_SECOND), p),
    );
    return orNull(median(each));
  };
  return {
    p99: (span) => orNull(quantile(slices(span), 0.99)),
    typicalP99: (span) => typical(span, 0.99),
    typicalP50: (span) => typical(span, 0.5),
    lagged: (second) =>
      largest(slices({ fromMs: second * SECOND_MS, toMs: (second + 1) * SECOND_MS })) > LAGGED_MS,
    stallMs: ({ fromMs, toMs }) => largest(slices({ fromMs, toMs: Math.min(toMs, fromMs + trustedMs) })),
  };
}

/** The largest number; 0 without any. */
function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  return most;
}
