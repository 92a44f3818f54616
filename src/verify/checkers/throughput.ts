import type { WindowName } from '../../model/phase.ts';
import type { Measurement } from '../../model/ports.ts';
import { type Analysis, spansOf } from '../analysis/analyse.ts';
import { lengthMs } from '../analysis/interval.ts';
import { SECOND_MS, wholeSeconds } from '../analysis/seconds.ts';
import type { Span } from '../analysis/windows.ts';
import { checker, NO_REQUESTS, noSuchWindow, unmeasured } from '../checker.ts';

/** With fewer trusted seconds than this share of all, the load process is no witness. */
const TRUSTED_SHARE = 0.5;

const excuse = (analysis: Analysis, window: WindowName): string | null => {
  const lost = spansOf(analysis, window).some((span) => goodput(analysis, span) === null);
  return lost ? 'the harness lagged: its load process was late in most seconds of this window' : null;
};

export const throughputCheckers = [
  checker(
    'throughput.rps',
    'per-second',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Right answers a second, without the seconds in which the load process itself was late; with `fault` the worst episode.',
    perSecond,
    { excuse },
  ),
  checker(
    'throughput.ratio',
    'factor',
    ['recovery', 'chaos', 'run'],
    'Right answers a second, against baseline.',
    ratio,
    { excuse },
  ),
];

function perSecond(analysis: Analysis, window: WindowName): Measurement {
  const spans = spansOf(analysis, window);
  if (spans.length === 0) return noSuchWindow(window);
  const found = spans.map((span) => goodput(analysis, span)).filter((rate) => rate !== null);
  if (found.length === 0) return unmeasured('the harness lagged in most seconds of this window');
  const samples = spans.reduce((sum, span) => sum + analysis.waits.counts(span).requests, 0);
  return samples === 0 ? NO_REQUESTS : { value: Math.min(...found), samples, evidence: [] };
}

function ratio(analysis: Analysis, window: WindowName): Measurement {
  const [span] = spansOf(analysis, window);
  if (span === undefined) return noSuchWindow(window);
  const { requests } = analysis.waits.counts(span);
  if (requests === 0) return NO_REQUESTS;
  const { baseline } = analysis.windows.spans;
  const before = baseline === null ? null : goodput(analysis, baseline);
  if (baseline === null || before === null || before === 0)
    return unmeasured('baseline has no right answers to compare with');
  const after = goodput(analysis, span);
  if (after === null) return unmeasured('the harness lagged in most seconds of this window');
  // Late answers are counted in a later second, which may be the only one of the two to be trusted. So no more is held
  // against the server than was asked of it, and nothing that it made good within the window.
  const asked = (analysis.waits.counts(baseline).requests / lengthMs(baseline)) * SECOND_MS;
  const value = Math.max(after, mean(analysis, wholeSeconds(span))) / Math.min(before, asked);
  return { value, samples: requests, evidence: [] };
}

/**
 * Right answers a second over the whole seconds of a span; `null` where the load was too late to tell. A late load
 * takes answers from its second and gives them to the next, so neither counts.
 */
function goodput(analysis: Analysis, span: Span): number | null {
  const { loadLag, waits } = analysis;
  const whole = wholeSeconds(span);
  if (whole.length < 2) return (waits.counts(span).ok / Math.max(1, lengthMs(span))) * SECOND_MS;
  const trusted = whole.filter((second) => !loadLag.lagged(second) && !loadLag.lagged(second - 1));
  if (trusted.length < whole.length * TRUSTED_SHARE) return null;
  return mean(analysis, trusted);
}

/** Right answers a second in these seconds; 0 for none. */
function mean({ seconds }: Analysis, which: readonly number[]): number {
  return which.reduce((sum, second) => sum + (seconds.ok[second] ?? 0), 0) / Math.max(1, which.length);
}
