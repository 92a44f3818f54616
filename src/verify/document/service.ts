import type { Report, ReportOutage } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { balanceOver } from '../analysis/balance.ts';
import { contains, lengthMs } from '../analysis/interval.ts';
import { quantile } from '../analysis/quantiles.ts';
import { isFresh, type Rows } from '../analysis/rows.ts';
import { wilson } from '../analysis/wilson.ts';
import type { Span } from '../analysis/windows.ts';
import { faultSkewP99 } from '../checkers/instrument.ts';
import { ms } from './numbers.ts';

const OUTAGES_MAX = 500;

/** How available the service was over the judged part of the run, by request and by time. */
export function availability({ windows, waits, outages, rows }: Analysis): Report['availability'] {
  const { run } = windows.spans;
  const { requests, ok, failed } = run ? waits.counts(run) : { requests: 0, ok: 0, failed: 0 };
  if (run === null || requests === 0) {
    return { requests, ok, failed, ratio: null, low: null, high: null, byTime: null };
  }
  // New connections are what a new user makes; a load without any is judged by what it has.
  const fresh = anyFresh(rows);
  const silentMs = outages.list
    .filter((outage) => outage.fresh === fresh)
    .reduce((sum, outage) => sum + outage.durationMs, 0);
  const byTime = Math.max(0, 1 - silentMs / Math.max(1, lengthMs(run)));
  return { requests, ok, failed, ratio: ok / requests, ...wilson(ok, requests), byTime };
}

export function outageList({ outages, faults }: Analysis): ReportOutage[] {
  return outages.list.slice(0, OUTAGES_MAX).map((outage) => ({
    fromMs: ms(outage.fromMs),
    toMs: ms(outage.toMs),
    durationMs: ms(outage.durationMs),
    uncertaintyMs: ms(outage.uncertaintyMs),
    faultId: faults[outage.fault]?.id ?? null,
    avoidable: outage.avoidable,
  }));
}

/** In baseline: later a supervisor has new workers, which the kept connections of others do not reach. */
export function balance(analysis: Analysis): Report['balance'] {
  const span = analysis.windows.spans.baseline;
  if (span === null) return { perSlot: [], cv: null };
  const { perSlot, cv } = balanceOver(span, analysis.rows, analysis);
  return { perSlot: [...perSlot], cv };
}

/** How far the instrument itself can be trusted. */
export function instrument(analysis: Analysis): Report['harness'] {
  const { journal, windows, rows } = analysis;
  const { baseline, chaos } = windows.spans;
  return {
    loadLagMsP99: baseline === null ? null : ms(sendDelayP99(rows, baseline)),
    faultSkewMsP99: ms(faultSkewP99(analysis)),
    probeLagMsP99: chaos === null ? null : ms(sendDelayP99(rows, chaos)),
    droppedSamples: journal.of('load.end').at(-1)?.dropped ?? 0,
    priority: journal.of('harness').at(-1)?.priority ?? null,
  };
}

/** How late requests were sent: those on connections of their own, which wait for none to come free; else all. */
function sendDelayP99(rows: Rows, span: Span): number {
  const { dueMs, sendDelayMs } = rows.samples.columns;
  const fresh = anyFresh(rows);
  const values = new Float32Array(rows.count);
  let count = 0;
  for (let row = 0; row < rows.count; row++) {
    if ((fresh && !isFresh(rows, row)) || !contains(span, dueMs[row] ?? 0)) continue;
    values[count++] = sendDelayMs[row] ?? Number.NaN;
  }
  return quantile(values.subarray(0, count), 0.99);
}

function anyFresh(rows: Rows): boolean {
  for (let row = 0; row < rows.count; row++) if (isFresh(rows, row)) return true;
  return false;
}
