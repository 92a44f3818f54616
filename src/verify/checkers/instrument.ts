import { formatMs } from '../../base/format.ts';
import type { Measurement } from '../../model/ports.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { quantile } from '../analysis/quantiles.ts';
import { checker, evidenceOf, listed, unmeasured } from '../checker.ts';

/** What must hold for the run itself to be worth anything. */
export const instrumentCheckers = [
  checker(
    'leftovers',
    'count',
    ['run'],
    'Processes that had to be killed after the stop’s grace, and ports that still listened.',
    leftovers,
    { partial: 'final' },
  ),
  checker(
    'faults.ineffective',
    'count',
    ['run'],
    'Faults without proof that they took effect; more than 0 is inconclusive, and not the server’s failure.',
    ineffective,
    { partial: 'grows' },
  ),
  checker(
    'fault.skew.p99',
    'ms',
    ['run'],
    'Planned to injected, p99 over the faults.',
    (analysis) => {
      const injected = analysis.faults.filter((fault) => fault.injectedAtMs !== null);
      if (injected.length === 0) return unmeasured('no fault was injected', 'look at the fault table');
      return {
        value: faultSkewP99(analysis) ?? 0,
        samples: injected.length,
        evidence: evidenceOf(injected.flatMap((fault) => fault.records.slice(0, 1))),
      };
    },
    { partial: 'grows' },
  ),
];

/** `null` where no fault was injected. */
export function faultSkewP99({ faults }: Analysis): number | null {
  const skews = faults.flatMap(({ injectedAtMs, plannedAtMs }) =>
    injectedAtMs === null ? [] : [Math.abs(injectedAtMs - plannedAtMs)],
  );
  return skews.length === 0 ? null : quantile(skews, 0.99);
}

function leftovers({ journal }: Analysis): Measurement {
  const event = journal.of('leftovers').at(-1);
  if (event === undefined) {
    return unmeasured('the run ended before anybody looked for what it left behind', 'see `chaos doctor`');
  }
  const known = new Set(event.processes.map((process) => process.pid));
  const stuck = event.stuck.filter((pid) => !known.has(pid));
  const things = [
    ...event.processes.map(({ pid, command }) => `process ${pid} (${command})`),
    ...stuck.map((pid) => `process ${pid}, even after SIGKILL`),
    ...event.ports.map((port) => `port ${port}`),
  ];
  const reason = things.length > 0 ? { reason: `left behind: ${listed(things)}` } : {};
  return { value: things.length, samples: 1, evidence: [event.seq], ...reason };
}

function ineffective({ faults, windows }: Analysis): Measurement {
  if (windows.spans.chaos === null) return unmeasured('the run has no chaos phase: no fault was injected');
  if (faults.length === 0) return unmeasured('no fault was planned', 'a run without faults proves nothing');
  const without = faults.filter((fault) => !fault.effective);
  const each = without.map(
    (fault) =>
      `${fault.id} at ${formatMs(fault.injectedAtMs ?? fault.plannedAtMs)}: ${fault.problem ?? 'no proof'}`,
  );
  return {
    value: without.length,
    samples: faults.length,
    evidence: evidenceOf(without.flatMap((fault) => fault.records)),
    ...(without.length > 0 ? { reason: listed(each) } : {}),
  };
}
