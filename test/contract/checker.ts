import { createHash } from 'node:crypto';
import type { Test } from 'tap';
import { type Objective, OPERATORS, type Operator } from '../../dist/model/objective.js';
import type { WindowName } from '../../dist/model/phase.js';
import type { Checker, JudgeInput, Measurement } from '../../dist/model/ports.js';
import type { ReportCheck } from '../../dist/model/report.js';
import { type Analysis, analyse } from '../../dist/verify/analysis/analyse.js';
import { evaluate } from '../../dist/verify/evaluate.js';

export interface CheckerCase {
  readonly checker: Checker<Analysis>;
  /** A whole run in which the checker has something to measure. */
  readonly run: () => JudgeInput;
  /** The same run without a single request and without what was seen of the target. */
  readonly nothing: () => JudgeInput;
  /** Whether 0 is right where nothing was seen, as it is for a count of things that are found or not. */
  readonly zeroOfNothing?: boolean;
}

/** At the limit itself. */
const AT_LIMIT: Readonly<Record<Operator, 'pass' | 'fail'>> = {
  '<': 'fail',
  '<=': 'pass',
  '>': 'fail',
  '>=': 'pass',
  '==': 'pass',
  '!=': 'fail',
};

/** What every checker must keep to. */
export function checkerContract(
  t: Test,
  { checker, run, nothing, zeroOfNothing = false }: CheckerCase,
): void {
  const { metric } = checker;
  const analysis = analyse(run());

  t.test(`${metric}: says what it is`, async (t) => {
    t.match(metric, /^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*$/);
    t.match(checker.summary, /^\S.*\.$/);
    t.ok(checker.windows.length > 0);
    t.equal(new Set(checker.windows).size, checker.windows.length, 'no window twice');
  });

  t.test(`${metric}: without samples it is inconclusive${zeroOfNothing ? ', or 0' : ''}`, async (t) => {
    const empty = analyse(nothing());
    for (const window of checker.windows) {
      const measured = checker.measure(empty, window);
      if (zeroOfNothing && measured.value === 0) continue;
      t.equal(measured.value, null, `@${window}`);
      t.ok((measured.reason ?? '').length > 0, 'and it says why');
    }
  });

  t.test(`${metric}: the limit itself, for each operator`, async (t) => {
    for (const window of checker.windows) {
      const measured = checker.measure(analysis, window);
      t.not(measured.value, null, `@${window}: ${measured.reason ?? ''}`);
      if (measured.value === null || !Number.isFinite(measured.value)) continue;
      for (const op of OPERATORS) atTheLimit(t, { checker, analysis, window, op, measured });
    }
  });

  t.test(`${metric}: the same evidence gives the same, and is left as it was`, async (t) => {
    const input = run();
    const before = fingerprint(input);
    const again = analyse(frozen(input));
    for (const window of checker.windows) {
      const first = checker.measure(again, window);
      t.same(checker.measure(again, window), first);
      t.same(checker.measure(analysis, window), first);
    }
    t.equal(fingerprint(input), before);
  });

  t.test(`${metric}: if it throws, it is inconclusive`, async (t) => {
    const throwing: Checker<Analysis> = {
      ...checker,
      measure: () => {
        throw new Error('no idea');
      },
    };
    const [window] = checker.windows;
    const check = judged({ checker: throwing, analysis, window, op: '==', limit: 0 });
    t.equal(check.verdict, 'inconclusive');
    t.match(check.reason, /no idea/);
  });

  t.test(`${metric}: what it measured has records of the journal behind it`, async (t) => {
    const known = new Set(run().journal.map((event) => event.seq));
    const measured = checker.measure(analysis, checker.windows[0]);
    if (measured.value === null) return;
    t.ok(measured.samples >= 0);
    t.ok(measured.evidence.every((seq) => known.has(seq)));
  });
}

interface LimitCase {
  readonly checker: Checker<Analysis>;
  readonly analysis: Analysis;
  readonly window: WindowName;
  readonly op: Operator;
  readonly measured: Extract<Measurement, { readonly value: number }>;
}

function atTheLimit(t: Test, { measured, ...facts }: LimitCase): void {
  const { value, low = value, high = value } = measured;
  const { verdict } = judged({ ...facts, limit: value });
  const name = `@${facts.window} ${facts.op} ${value}`;
  const isExact = low === high;
  // A broken limit may be excused; a met one may not, and with an interval the limit within it is nobody's failure.
  const wanted = AT_LIMIT[facts.op];
  if (isExact && wanted === 'pass') t.equal(verdict, 'pass', name);
  else if (isExact) t.not(verdict, 'pass', name);
  else if (low < value && value < high) t.not(verdict, 'fail', name);
  if (facts.op === '==' || facts.op === '!=') return;
  const upper = facts.op.startsWith('<');
  const met = judged({ ...facts, limit: upper ? high + 1 : low - 1 });
  t.equal(met.verdict, Number.isFinite(high) ? 'pass' : 'inconclusive', `${name}: a limit beyond`);
  const broken = judged({ ...facts, limit: upper ? low - 1 : high + 1 });
  if (Number.isFinite(high)) t.not(broken.verdict, 'pass', `${name}: a limit before`);
}

function judged({
  checker,
  analysis,
  ...rest
}: {
  readonly checker: Checker<Analysis>;
  readonly analysis: Analysis;
  readonly window: WindowName;
  readonly op: Operator;
  readonly limit: number;
}): ReportCheck {
  const { window, op, limit } = rest;
  const text = `${checker.metric}@${window} ${op} ${limit}`;
  const objective: Objective = { text, metric: checker.metric, window, op, limit, level: 'error' };
  return evaluate(objective, analysis, [checker]);
}

/** Changes with each bit of the evidence. */
function fingerprint({ journal, samples }: JudgeInput): string {
  const hash = createHash('sha1').update(JSON.stringify([journal, samples.bodies]));
  for (const column of Object.values(samples.columns)) {
    if (ArrayBuffer.isView(column)) hash.update(new Uint8Array(column.buffer));
  }
  return hash.digest('hex');
}

/** Deeply frozen, but for typed arrays, which can't be. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
