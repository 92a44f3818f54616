import { messageOf, unreachable } from '../base/errors.ts';
import { formatValue } from '../base/format.ts';
import type { Objective, Operator } from '../model/objective.ts';
import type { Checker, Measurement } from '../model/ports.ts';
import type { CheckUnit, ReportCheck } from '../model/report.ts';
import type { Verdict } from '../model/verdict.ts';
import { type Analysis, spansOf } from './analysis/analyse.ts';
import type { VerifyChecker } from './checker.ts';

type Measured = Extract<Measurement, { readonly value: number }>;

/** Broken, it says that the run proves nothing. */
const INSTRUMENT = 'faults.ineffective';

interface Ruling {
  readonly verdict: Verdict;
  readonly reason?: string;
}

/**
 * Judges one objective. Never throws: a checker that does is inconclusive, as is an unknown metric, a window that
 * the metric does not have, and a metric without a value.
 */
export function evaluate(
  objective: Objective,
  analysis: Analysis,
  checkers: readonly VerifyChecker[],
): ReportCheck {
  const checker = checkers.find((candidate) => candidate.metric === objective.metric);
  if (checker === undefined) return unjudged(objective, 'count', `unknown metric '${objective.metric}'`);
  const { unit } = checker;
  if (!checker.windows.includes(objective.window)) {
    const allowed = checker.windows.join(', ');
    return unjudged(
      objective,
      unit,
      `${objective.metric} is not measured over '${objective.window}' but over ${allowed}`,
    );
  }
  const measured = measure(checker, analysis, objective);
  if (measured.value === null) return unjudged(objective, unit, measured.reason);
  const { value, samples, evidence, low = value, high = value } = measured;
  const ruling = rule(objective, measured, { analysis, checker });
  const reason = ruling.reason ?? measured.reason;
  return {
    ...named(objective, unit),
    actual: finite(value),
    low: finite(low),
    high: finite(high),
    samples,
    verdict: ruling.verdict,
    ...(reason === undefined ? {} : { reason }),
    evidence: [...evidence],
  };
}

function measure(checker: Checker<Analysis>, analysis: Analysis, { window }: Objective): Measurement {
  try {
    const measured = checker.measure(analysis, window);
    if (measured.value !== null && Number.isNaN(measured.value)) {
      return {
        value: null,
        reason: `${checker.metric} came out as no number, which is a bug of its checker`,
      };
    }
    return measured;
  } catch (error) {
    return { value: null, reason: `the checker of ${checker.metric} failed: ${messageOf(error)}` };
  }
}

/**
 * A limit is broken if no value of the interval meets it, and met if all do. In between, the number itself decides
 * where the interval is one of sampling, and nothing where it is an error of measurement; see `VerifyChecker.strict`.
 */
function rule(
  objective: Objective,
  measured: Measured,
  { analysis, checker }: { readonly analysis: Analysis; readonly checker: VerifyChecker },
): Ruling {
  const { op, limit, window } = objective;
  const { value, low = value, high = value } = measured;
  if (checker.partial !== 'final' && spansOf(analysis, window).some((span) => !span.complete)) {
    return ruleCut(objective, measured, checker);
  }
  const sampled = checker.strict !== true && holds(op, value, limit);
  if (sampled || mustHold(op, { low, high, limit })) return { verdict: 'pass' };
  const excuse = excuseOf(checker, analysis, objective);
  if (excuse !== null) return { verdict: 'inconclusive', reason: excuse };
  // Faults that cannot be proven are the instrument's failure, not the server's.
  if (checker.metric === INSTRUMENT) return { verdict: 'inconclusive' };
  if (!canHold(op, { low, high, limit })) return { verdict: 'fail' };
  const span = `${formatValue(low, checker.unit)} to ${formatValue(high, checker.unit, 'any time')}`;
  const told = `the limit lies within what the measurement can tell apart (${span})`;
  return {
    verdict: 'inconclusive',
    reason: measured.reason === undefined ? told : `${measured.reason}; ${told}`,
  };
}

/** The window was cut short: what can only grow may be broken, or reached, already. */
function ruleCut({ op, limit, window }: Objective, measured: Measured, checker: VerifyChecker): Ruling {
  const { value, low = value } = measured;
  if (checker.partial === 'grows' && checker.metric !== INSTRUMENT) {
    const beyond = low > limit || (op === '<' && low === limit);
    const upper = op === '<' || op === '<=' || op === '==';
    if (beyond && upper) return { verdict: 'fail' };
    if (!upper && (beyond || (op === '>=' && low === limit))) return { verdict: 'pass' };
  }
  const ended = `the run ended before its ${window === 'run' ? 'last' : window} phase did`;
  return { verdict: 'inconclusive', reason: ended };
}

/** Why a broken limit says nothing; an excuse that throws is none. */
function excuseOf(checker: VerifyChecker, analysis: Analysis, { window, limit }: Objective): string | null {
  try {
    return checker.excuse?.(analysis, window, limit) ?? null;
  } catch (error) {
    return `the checker of ${checker.metric} failed: ${messageOf(error)}`;
  }
}

interface Range {
  readonly low: number;
  readonly high: number;
  readonly limit: number;
}

/** Whether a value meets the limit. */
export function holds(op: Operator, value: number, limit: number): boolean {
  switch (op) {
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '==':
      return value === limit;
    case '!=':
      return value !== limit;
    default:
      return unreachable(op);
  }
}

/** Whether any value of the interval meets the limit. */
function canHold(op: Operator, { low, high, limit }: Range): boolean {
  if (op === '==') return low <= limit && limit <= high;
  return holds(op, low, limit) || holds(op, high, limit);
}

/** Whether all values of the interval meet the limit. */
function mustHold(op: Operator, { low, high, limit }: Range): boolean {
  if (op === '!=') return limit < low || limit > high;
  return holds(op, low, limit) && holds(op, high, limit);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function named(
  { text, metric, window, op, limit, level }: Objective,
  unit: CheckUnit,
): Pick<ReportCheck, 'id' | 'metric' | 'window' | 'op' | 'limit' | 'unit' | 'level'> {
  return { id: text, metric, window, op, limit, unit, level };
}

function unjudged(objective: Objective, unit: CheckUnit, reason: string): ReportCheck {
  const nothing = { actual: null, low: null, high: null, samples: 0, evidence: [] };
  return { ...named(objective, unit), ...nothing, verdict: 'inconclusive', reason };
}
