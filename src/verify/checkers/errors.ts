import { formatMs } from '../../base/format.ts';
import type { WindowName } from '../../model/phase.ts';
import type { Measurement } from '../../model/ports.ts';
import { type Analysis, spansOf } from '../analysis/analyse.ts';
import { CAUSE } from '../analysis/attribution.ts';
import { contains, type Interval } from '../analysis/interval.ts';
import { isFailure, KIND, KINDS } from '../analysis/rows.ts';
import type { Counts } from '../analysis/waits.ts';
import { wilson } from '../analysis/wilson.ts';
import { checker, NO_REQUESTS, noSuchWindow, plural, REQUEST_WINDOWS } from '../checker.ts';

export const errorCheckers = [
  checker(
    'availability',
    'share',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Share of the due requests that got the right answer; with `fault` the worst episode. Its interval is Wilson’s.',
    (analysis, window) => overCounts(analysis, window, ({ ok, requests }) => share(ok, requests), 'lowest'),
  ),
  checker(
    'errors.total',
    'count',
    ['run', ...REQUEST_WINDOWS],
    'Requests that failed: no whole answer, or a wrong one; with `fault` in the worst episode.',
    (analysis, window) => overCounts(analysis, window, ({ failed }) => ({ value: failed }), 'highest'),
    { partial: 'grows' },
  ),
  checker(
    'errors.ratio',
    'share',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Share of the due requests that failed; with `fault` in the worst episode.',
    (analysis, window) =>
      overCounts(analysis, window, ({ failed, requests }) => share(failed, requests), 'highest'),
  ),
  checker(
    'errors.unattributed',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Failed requests that no fault explains by what it must do to requests.',
    (analysis, window) =>
      countRows(analysis, window, (row, kind) => isFailure(kind) && isUnattributed(analysis, row)),
    { partial: 'grows' },
  ),
  checker(
    'responses.wrong',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Answers with a status or a body other than what was asked for, or than what baseline showed to be constant.',
    (analysis, window) =>
      countRows(
        analysis,
        window,
        (row, kind) =>
          kind === KIND['wrong-status'] ||
          kind === KIND['wrong-body'] ||
          (kind === KIND.gateway && isUnattributed(analysis, row)),
      ),
    { partial: 'grows' },
  ),
];

type Ranged = { readonly value: number; readonly low?: number; readonly high?: number };

function share(part: number, whole: number): Ranged {
  return { value: part / whole, ...wilson(part, whole) };
}

/** Measures each span that the window stands for, and takes the worst. */
function overCounts(
  analysis: Analysis,
  window: WindowName,
  read: (counts: Counts) => Ranged,
  worst: 'lowest' | 'highest',
): Measurement {
  const spans = spansOf(analysis, window);
  if (spans.length === 0) return noSuchWindow(window);
  const found = spans
    .map((span) => analysis.waits.counts(span))
    .filter((counts) => counts.requests > 0)
    .map((counts) => ({ ...read(counts), samples: counts.requests, evidence: [] }));
  if (found.length === 0) return NO_REQUESTS;
  const sign = worst === 'lowest' ? 1 : -1;
  return found.reduce((a, b) => (sign * b.value < sign * a.value ? b : a));
}

function isUnattributed({ attribution }: Analysis, row: number): boolean {
  return attribution.cause[row] === CAUSE.unattributed;
}

function countRows(
  analysis: Analysis,
  window: WindowName,
  counts: (row: number, kind: number) => boolean,
): Measurement {
  const [span] = spansOf(analysis, window);
  if (span === undefined) return noSuchWindow(window);
  const { requests } = analysis.waits.counts(span);
  if (requests === 0) return NO_REQUESTS;
  const found = summarise(analysis, span, counts);
  const reason = found.count === 0 ? {} : { reason: found.text };
  return { value: found.count, samples: requests, evidence: [], ...reason };
}

/** What these rows are, for people: `12 requests: 8 reset, 4 refused; the first at 12.3 s on slot 2`. */
function summarise(
  { rows, workers, workerRows }: Analysis,
  span: Interval,
  counts: (row: number, kind: number) => boolean,
): { readonly count: number; readonly text: string } {
  const { dueMs, status } = rows.samples.columns;
  const byKind = new Map<string, number>();
  let count = 0;
  let first = -1;
  for (let row = 0; row < rows.count; row++) {
    const kind = rows.kind[row] ?? 0;
    const due = dueMs[row] ?? 0;
    if (!counts(row, kind) || !contains(span, due)) continue;
    count++;
    const named = KINDS[kind] ?? 'other';
    const what = kind === KIND['wrong-status'] || kind === KIND.gateway ? `status ${status[row]}` : named;
    byKind.set(what, (byKind.get(what) ?? 0) + 1);
    if (first < 0 || due < (dueMs[first] ?? 0)) first = row;
  }
  const life = workers[workerRows.workerOf[first] ?? -1];
  const kinds = [...byKind].sort(([, a], [, b]) => b - a).map(([kind, n]) => `${n} ${kind}`);
  const where = life ? ` on slot ${life.slot}, generation ${life.generation}` : '';
  const text = `${plural(count, 'request')} (${kinds.join(', ')}), the first due at ${formatMs(dueMs[first] ?? 0)}${where}`;
  return { count, text };
}
