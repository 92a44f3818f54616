import type { ReportPhase } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { lengthMs } from '../analysis/interval.ts';
import { quantileOfSorted } from '../analysis/quantiles.ts';
import { ms } from './numbers.ts';

export function phaseTable({ windows, waits }: Analysis): ReportPhase[] {
  return windows.phases.map((phase) => {
    const { requests, ok, failed } = waits.counts(phase);
    const sorted = waits.sorted(phase);
    const seconds = lengthMs(phase) / 1000;
    return {
      name: phase.name,
      fromMs: ms(phase.fromMs),
      toMs: ms(phase.toMs),
      requests,
      errors: failed,
      rps: seconds > 0 ? ms(ok / seconds) : 0,
      p50Ms: ms(quantileOfSorted(sorted, 0.5)),
      p90Ms: ms(quantileOfSorted(sorted, 0.9)),
      p99Ms: ms(quantileOfSorted(sorted, 0.99)),
      p999Ms: ms(quantileOfSorted(sorted, 0.999)),
      maxMs: ms(quantileOfSorted(sorted, 1)),
    };
  });
}
