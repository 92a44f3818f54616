import { formatValue } from '../base/format.ts';
import type { ReportCheck } from '../model/report.ts';
import { type Verdict, worstVerdict } from '../model/verdict.ts';
import type { Analysis } from './analysis/analyse.ts';
import { plural } from './checker.ts';

interface Judgement {
  readonly verdict: Verdict;
  /** One sentence for people. */
  readonly reason: string;
}

/**
 * The worst of the checks at level error. A run that never proved a steady state proves nothing at all; one that was
 * ended early, or had no fault or no load, can still have shown that something is broken, and never that all is well.
 */
export function overall(analysis: Analysis, checks: readonly ReportCheck[]): Judgement {
  const unsteady = neverSteady(analysis);
  if (unsteady !== null) return { verdict: 'inconclusive', reason: unsteady };
  const judged = checks.filter((check) => check.level === 'error');
  const verdict = worstVerdict(judged.map((check) => check.verdict));
  const broken = judged.find((check) => check.verdict === 'fail');
  if (broken) return { verdict: 'fail', reason: sentence(broken) };
  const empty = provesNothing(analysis);
  if (empty !== null) return { verdict: 'inconclusive', reason: empty };
  const open = judged.find((check) => check.verdict === 'inconclusive');
  if (verdict === 'inconclusive') {
    return { verdict, reason: open ? sentence(open) : 'no objective was there to be judged' };
  }
  const met = judged.length === 1 ? 'its objective' : `all ${judged.length} objectives`;
  return { verdict, reason: `${plural(injected(analysis), 'fault')} injected, ${met} met` };
}

function neverSteady({ journal }: Analysis): string | null {
  if (journal.end?.outcome === 'unhealthy') return journal.end.reason;
  const baseline = journal.of('steady').findLast((event) => event.phase === 'baseline');
  if (baseline && !baseline.proven) return `steady state was not proven in baseline: ${baseline.reason}`;
  return null;
}

/** Why this run can't show that all is well; `null` if it can. */
function provesNothing(analysis: Analysis): string | null {
  const { journal, rows } = analysis;
  const { end } = journal;
  if (end?.outcome === 'error') return `the run ended with an error: ${end.reason}`;
  if (end?.outcome === 'interrupted') return `the run was interrupted: ${end.reason}`;
  const loadError = journal.of('load.error')[0];
  if (loadError) return `the load failed: ${loadError.message}`;
  const dropped = journal.of('load.end').at(-1)?.dropped ?? 0;
  if (dropped > 0) return `${plural(dropped, 'request')} could not be recorded, so nothing was shown of them`;
  if (end === null) return 'the harness was ended before the run was over: what it had recorded is judged';
  if (rows.count === 0) return 'no request was sent, so nothing was shown';
  if (injected(analysis) === 0) return 'no fault was injected, so nothing was shown';
  return null;
}

function injected({ faults }: Analysis): number {
  return faults.filter((fault) => fault.injectedAtMs !== null).length;
}

function sentence({ id, metric, window, unit, actual, reason, verdict }: ReportCheck): string {
  if (verdict === 'inconclusive') return `${id} can’t be told: ${reason ?? 'no reason was given'}`;
  const measured = `${id} was broken: ${metric} was ${formatValue(actual, unit, 'never reached')} in ${window}`;
  return reason === undefined ? measured : `${reason} [${id}]`;
}
