import type { Measurement } from '../../model/ports.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { quantile } from '../analysis/quantiles.ts';
import type { Recovery } from '../analysis/recovery.ts';
import { checker, evidenceOf, unmeasured } from '../checker.ts';

const WINDOWS = ['run', 'chaos', 'fault'] as const;
const READING = { partial: 'grows', strict: true } as const;

const QUANTILES = [
  ['recovery.p50', 0.5, 'the median over the faults'],
  ['recovery.p95', 0.95, 'p95 over the faults'],
  ['recovery.max', 1, 'the slowest fault'],
] as const;

export const recoveryCheckers = [
  ...QUANTILES.map(([metric, p, name]) =>
    checker(
      metric,
      'ms',
      WINDOWS,
      `Injection to replacement ready, ${name}; a hang that chaos had to heal itself was never recovered from.`,
      (analysis) => over(analysis, p, (ms) => ms),
      READING,
    ),
  ),
  checker(
    'recovery.excess',
    'ms',
    WINDOWS,
    'The slowest recovery, less the time that a worker took to boot, and that memory took to fill; never below 0.',
    (analysis) => {
      const bootMs = analysis.journal.ready?.bootMs ?? 0;
      return over(analysis, 1, (ms, { unavoidableMs }) => Math.max(0, ms - unavoidableMs - bootMs));
    },
    READING,
  ),
];

/** A fault not recovered from in the time of the evidence counts with the time it took at least, and with no upper end. */
function over(analysis: Analysis, p: number, read: (ms: number, recovery: Recovery) => number): Measurement {
  const demanded = analysis.faults.flatMap((fault, index) => {
    const recovery = analysis.recoveries[index];
    const counts = recovery && fault.expect === 'replaced' && fault.effective && fault.injectedAtMs !== null;
    return counts ? [{ fault, recovery }] : [];
  });
  if (demanded.length === 0) {
    return unmeasured('no fault that took effect demands a replacement', 'look at the fault table');
  }
  const lows = demanded.map(({ recovery }) => read(recovery.recoveryMs ?? recovery.atLeastMs, recovery));
  const isLost = ({ recovered }: Recovery): boolean => recovered !== true;
  const low = quantile(
    demanded.map(({ recovery }, i) =>
      recovery.recovered === false ? Number.POSITIVE_INFINITY : (lows[i] ?? 0),
    ),
    p,
  );
  const high = quantile(
    demanded.map(({ recovery }, i) => (isLost(recovery) ? Number.POSITIVE_INFINITY : (lows[i] ?? 0))),
    p,
  );
  const worst =
    demanded.find(({ recovery }) => recovery.recovered === false) ??
    demanded.find(({ recovery }) => isLost(recovery));
  return {
    value: low,
    low,
    high,
    samples: demanded.length,
    evidence: evidenceOf((worst ? [worst] : demanded).flatMap(({ fault }) => fault.records)),
    ...(worst?.recovery.reason ? { reason: worst.recovery.reason } : {}),
  };
}
