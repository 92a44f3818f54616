import { type Interval, lengthMs } from './interval.ts';
import type { LoadLag } from './load-lag.ts';
import { quantileOfSorted } from './quantiles.ts';
import { endOf, isFresh, KIND, type Rows } from './rows.ts';

/** A time between two right answers that is longer than chance makes it. */
export interface Silence extends Interval {
  /** Beyond the usual gap, ms. */
  readonly durationMs: number;
  readonly uncertaintyMs: number;
}

export interface Silences {
  readonly list: readonly Silence[];
  /** A shorter silence is not told from chance, ms. */
  readonly thresholdMs: number;
  /** The arrivals that silence was looked for in. */
  readonly witnesses: number;
}

/** No silence shorter than this is one, however quiet baseline was. */
const SILENCE_MIN_MS = 20;
/** Baseline's longest gap times this, and no more than `GAP_MARGIN_MS` above it, is what chance can do. */
const GAP_FACTOR = 3;
const GAP_MARGIN_MS = 250;

interface Gap extends Interval {
  /** Requests that were due in it, or waited through all of it. */
  demand: number;
  /** How late the load itself sent in it, ms. */
  lagMs: number;
}

/**
 * Finds where requests of one kind of connection, fresh or kept, were due and none was answered rightly.
 * `calm` is the span that shows which gaps are chance.
 * @returns `null` without such requests
 */
export function findSilences(
  { rows, loadLag }: { readonly rows: Rows; readonly loadLag: LoadLag },
  fresh: boolean,
  { run, calm }: { readonly run: Interval; readonly calm: Interval },
): Silences | null {
  const { ends, lastDueMs, witnesses } = answerTimes(rows, fresh, run);
  if (witnesses === 0) return null;
  const expectedMs = expectedGapMs(ends, calm);
  const floorMs = Math.max(SILENCE_MIN_MS, GAP_FACTOR * expectedMs);
  const gaps = longGaps(ends, { fromMs: run.fromMs, toMs: lastDueMs }, floorMs + expectedMs);
  countDemand(rows, fresh, gaps);
  for (const gap of gaps) gap.lagMs = loadLag.stallMs(gap);
  const beyondMs = (gap: Gap): number => lengthMs(gap) - expectedMs - gap.lagMs;
  let calmMs = 0;
  for (const gap of gaps) {
    if (gap.fromMs >= calm.fromMs && gap.toMs < calm.toMs) calmMs = Math.max(calmMs, beyondMs(gap));
  }
  const thresholdMs = Math.max(floorMs, Math.min(GAP_FACTOR * calmMs, calmMs + GAP_MARGIN_MS));
  const list = gaps
    .filter((gap) => gap.demand > 0 && beyondMs(gap) > thresholdMs)
    .map(
      (gap): Silence => ({
        fromMs: gap.fromMs,
        toMs: gap.toMs,
        durationMs: lengthMs(gap) - expectedMs,
        uncertaintyMs: expectedMs + gap.lagMs,
      }),
    );
  return { list, thresholdMs, witnesses };
}

/** The times of the right answers to what was due in the run, sorted. */
function answerTimes(
  rows: Rows,
  fresh: boolean,
  run: Interval,
): { readonly ends: Float64Array; readonly lastDueMs: number; readonly witnesses: number } {
  const { dueMs } = rows.samples.columns;
  const ends = new Float64Array(rows.count);
  let count = 0;
  let witnesses = 0;
  let lastDueMs = run.fromMs;
  let sorted = true;
  for (let row = 0; row < rows.count; row++) {
    const due = dueMs[row] ?? 0;
    if (isFresh(rows, row) !== fresh || due < run.fromMs || due >= run.toMs) continue;
    if (rows.kind[row] === KIND.aborted) continue;
    witnesses++;
    if (due > lastDueMs) lastDueMs = due;
    if (rows.kind[row] !== KIND.ok) continue;
    const end = endOf(rows, row);
    if (count > 0 && end < (ends[count - 1] ?? 0)) sorted = false;
    ends[count++] = end;
  }
  const found = ends.subarray(0, count);
  return { ends: sorted ? found : found.sort(), lastDueMs, witnesses };
}

/** The usual time between two answers: the median gap, or the mean where answers come in bursts. */
function expectedGapMs(ends: Float64Array, calm: Interval): number {
  const gaps = new Float64Array(ends.length);
  let count = 0;
  for (let i = 1; i < ends.length; i++) {
    const fromMs = ends[i - 1] ?? 0;
    const toMs = ends[i] ?? 0;
    if (fromMs >= calm.fromMs && toMs < calm.toMs) gaps[count++] = toMs - fromMs;
  }
  if (count === 0) return 0;
  return Math.max(quantileOfSorted(gaps.subarray(0, count).sort(), 0.5), lengthMs(calm) / count);
}

/** The gaps longer than `minMs`, the one before the first answer and the one after the last included. */
function longGaps(ends: Float64Array, span: Interval, minMs: number): Gap[] {
  const gaps: Gap[] = [];
  let fromMs = span.fromMs;
  for (let i = 0; i <= ends.length; i++) {
    const toMs = i < ends.length ? (ends[i] ?? 0) : Math.max(fromMs, span.toMs);
    if (toMs - fromMs > minMs) gaps.push({ fromMs, toMs, demand: 0, lagMs: 0 });
    fromMs = toMs;
  }
  return gaps;
}

/** Counts what was asked for in each gap: without demand, silence is no outage. */
function countDemand(rows: Rows, fresh: boolean, gaps: readonly Gap[]): void {
  if (gaps.length === 0) return;
  const { dueMs } = rows.samples.columns;
  for (let row = 0; row < rows.count; row++) {
    if (isFresh(rows, row) !== fresh || rows.kind[row] === KIND.aborted) continue;
    const due = dueMs[row] ?? 0;
    const index = gapAt(gaps, due);
    const gap = gaps[index];
    if (gap && due < gap.toMs) {
      gap.demand++;
      continue;
    }
    // In a closed loop nothing is due while all connections wait.
    const next = gaps[index + 1];
    if (next && endOf(rows, row) >= next.toMs) next.demand++;
  }
}

/** Index of the last gap that starts before a moment, -1 for none; gaps do not overlap. */
function gapAt(gaps: readonly Gap[], atMs: number): number {
  let low = 0;
  let high = gaps.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((gaps[mid]?.fromMs ?? 0) < atMs) low = mid + 1;
    else high = mid;
  }
  return low - 1;
}
