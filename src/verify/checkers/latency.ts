import { formatMs } from '../../base/format.ts';
import type { WindowName } from '../../model/phase.ts';
import type { Measurement } from '../../model/ports.ts';
import { type Analysis, spansOf } from '../analysis/analyse.ts';
import { quantileOfSorted } from '../analysis/quantiles.ts';
import { typicalP99 } from '../analysis/seconds.ts';
import type { Span } from '../analysis/windows.ts';
import { checker, NO_REQUESTS, noSuchWindow, unmeasured } from '../checker.ts';
import { loadLagExcuse } from './lag-excuse.ts';

const WINDOWS = ['chaos', 'run', 'baseline', 'recovery', 'fault'] as const;
/** Differences below these say more about a machine than about a server. */
const FLOOR_MS = 20;
const FLOOR_LAGS = 3;

const QUANTILES = [
  ['latency.p50', 0.5, 'the median'],
  ['latency.p90', 0.9, 'p90'],
  ['latency.p99', 0.99, 'p99'],
  ['latency.p999', 0.999, 'p99.9'],
  ['latency.max', 1, 'the longest'],
] as const;

export const latencyCheckers = [
  ...QUANTILES.map(([metric, p, name]) =>
    checker(
      metric,
      'ms',
      WINDOWS,
      `Due to answered, ${name}, exact; a timeout counts as long as it was waited for. With \`fault\` the worst episode.`,
      (analysis, window) => quantileOver(analysis, window, p),
      { ...(p === 1 ? { partial: 'grows' as const } : {}), excuse: loadLagExcuse },
    ),
  ),
  checker(
    'latency.ratio',
    'factor',
    ['recovery', 'chaos', 'run'],
    'p99 of the typical second against that of baseline, or 20 ms or thrice the load’s own lateness where that is more.',
    ratio,
    {
      excuse: (analysis, window, limit) => {
        const [span] = spansOf(analysis, window);
        const baseMs = span === undefined ? null : baseOf(analysis, span);
        return baseMs === null ? null : loadLagExcuse(analysis, window, limit * baseMs);
      },
    },
  ),
];

function quantileOver(analysis: Analysis, window: WindowName, p: number): Measurement {
  const spans = spansOf(analysis, window);
  if (spans.length === 0) return noSuchWindow(window);
  let worst: { value: number; samples: number; evidence: number[] } | null = null;
  for (const span of spans) {
    const sorted = analysis.waits.sorted(span);
    if (sorted.length === 0) continue;
    const value = quantileOfSorted(sorted, p);
    if (worst === null || value > worst.value) worst = { value, samples: sorted.length, evidence: [] };
  }
  return worst ?? NO_REQUESTS;
}

function ratio(analysis: Analysis, window: WindowName): Measurement {
  const [span] = spansOf(analysis, window);
  if (span === undefined) return noSuchWindow(window);
  const valueMs = typical(analysis, span);
  if (Number.isNaN(valueMs)) return NO_REQUESTS;
  const baseMs = baseOf(analysis, span);
  if (baseMs === null) return unmeasured('baseline has no answers to compare with');
  const samples = analysis.waits.sorted(span).length;
  const reason = `p99 of the typical second is ${formatMs(valueMs)} in ${window}, against ${formatMs(baseMs)}`;
  return { value: valueMs / baseMs, samples, evidence: [], reason };
}

/** What the window is compared with, ms: baseline, or what the machine's own noise is. */
function baseOf(analysis: Analysis, span: Span): number | null {
  const { baseline } = analysis.windows.spans;
  const baselineMs = baseline === null ? Number.NaN : typical(analysis, baseline);
  if (baseline === null || Number.isNaN(baselineMs)) return null;
  const lags = [baseline, span].map((it) => analysis.loadLag.typicalP99(it) ?? 0);
  return Math.max(baselineMs, FLOOR_MS, FLOOR_LAGS * Math.max(...lags));
}

/** At rates too low for a p99 each second, that of the whole span. */
function typical({ seconds, waits }: Analysis, span: Span): number {
  const value = typicalP99(seconds, span);
  return Number.isNaN(value) ? quantileOfSorted(waits.sorted(span), 0.99) : value;
}
