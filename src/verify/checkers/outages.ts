import { formatMs } from '../../base/format.ts';
import type { WindowName } from '../../model/phase.ts';
import type { Measurement } from '../../model/ports.ts';
import { type Analysis, spansOf } from '../analysis/analyse.ts';
import { contains } from '../analysis/interval.ts';
import type { Outage } from '../analysis/outages.ts';
import { checker, evidenceOf, NO_REQUESTS, noSuchWindow } from '../checker.ts';
import { loadLagExcuse } from './lag-excuse.ts';

const WINDOWS = ['run', 'baseline', 'chaos', 'recovery'] as const;
const READING = { partial: 'grows', strict: true, excuse: loadLagExcuse } as const;

export const outageCheckers = [
  checker(
    'outage.longest',
    'ms',
    WINDOWS,
    'The longest time without any right answer, on fresh or on kept connections, beyond the usual gap.',
    (analysis, window) => longest(analysis, window, (outage) => outage.durationMs),
    READING,
  ),
  checker(
    'outage.total',
    'ms',
    WINDOWS,
    'The time without any right answer, all outages together.',
    (analysis, window) =>
      overOutages(analysis, window, (outages) => {
        const value = outages.reduce((sum, outage) => sum + outage.durationMs, 0);
        const uncertainty = outages.reduce((sum, outage) => sum + outage.uncertaintyMs, 0);
        return { value, low: Math.max(0, value - uncertainty), high: value + uncertainty };
      }),
    READING,
  ),
  checker(
    'outage.count',
    'count',
    WINDOWS,
    'How often the service fell silent for longer than chance makes it in baseline.',
    (analysis, window) => overOutages(analysis, window, (outages) => ({ value: outages.length })),
    { partial: 'grows' },
  ),
  checker(
    'outage.avoidable',
    'ms',
    WINDOWS,
    'The longest silence in which a ready worker without a fault was there and could have answered.',
    (analysis, window) => longest(analysis, window, (outage) => outage.avoidableMs),
    READING,
  ),
];

type Ranged = { readonly value: number; readonly low?: number; readonly high?: number };

function overOutages(
  analysis: Analysis,
  window: WindowName,
  read: (outages: readonly Outage[]) => Ranged,
): Measurement {
  const [span] = spansOf(analysis, window);
  if (span === undefined) return noSuchWindow(window);
  if (analysis.waits.counts(span).requests === 0) return NO_REQUESTS;
  const outages = analysis.outages.list.filter((outage) => contains(span, outage.fromMs));
  const evidence = evidenceOf(outages.flatMap((outage) => analysis.faults[outage.fault]?.records ?? []));
  return { ...read(outages), samples: analysis.outages.witnesses, evidence };
}

function longest(analysis: Analysis, window: WindowName, lengthOf: (outage: Outage) => number): Measurement {
  let text: string | null = null;
  const found = overOutages(analysis, window, (outages) => {
    const worst = outages.reduce<Outage | null>((a, b) => (a && lengthOf(a) >= lengthOf(b) ? a : b), null);
    // What is shorter than the threshold is not seen.
    if (worst === null || lengthOf(worst) === 0) {
      return { value: 0, low: 0, high: analysis.outages.thresholdMs };
    }
    text = describe(analysis, worst, lengthOf(worst));
    const value = lengthOf(worst);
    return { value, low: Math.max(0, value - worst.uncertaintyMs), high: value + worst.uncertaintyMs };
  });
  return found.value === null || text === null ? found : { ...found, reason: text };
}

function describe({ faults }: Analysis, outage: Outage, ms: number): string {
  const on = outage.fresh ? 'new connections' : 'kept connections';
  const id = faults[outage.fault]?.id;
  const when =
    id === undefined ? `at ${formatMs(outage.fromMs)}` : `after ${id}, at ${formatMs(outage.fromMs)}`;
  return `${on} got no right answer for ${formatMs(ms)} ${when}`;
}
