import type { Objective } from '../model/objective.ts';
import type { JudgeInput } from '../model/ports.ts';
import { REPORT_VERSION, type Report } from '../model/report.ts';
import { analyse } from './analysis/analyse.ts';
import { CHECKERS } from './checkers/index.ts';
import { errorTable } from './document/errors.ts';
import { eventList } from './document/events.ts';
import { faultTable } from './document/fault-table.ts';
import { phaseTable } from './document/phase-table.ts';
import { leftovers, runFacts } from './document/run-facts.ts';
import { timeSeries } from './document/series.ts';
import { availability, balance, instrument, outageList } from './document/service.ts';
import { workerTable } from './document/worker-table.ts';
import { evaluate } from './evaluate.ts';
import { overall } from './verdict.ts';

/** Added to every run: a fault without proof of its effect makes the run inconclusive. */
const ALWAYS: Objective = {
  text: 'faults.ineffective == 0',
  metric: 'faults.ineffective',
  window: 'run',
  op: '==',
  limit: 0,
  level: 'error',
};

/**
 * Judges a run from its journal and samples: pure, and also for a journal that breaks off, of which what is broken is
 * broken, and what can't be told any more is inconclusive.
 *
 * @throws ChaosError 'usage' for a journal without its first record
 */
export function judge(input: JudgeInput): Report {
  const analysis = analyse(input);
  const asked = input.objectives ?? analysis.journal.start.scenario.objectives;
  const objectives = asked.some(({ metric }) => metric === ALWAYS.metric) ? asked : [...asked, ALWAYS];
  const checks = objectives.map((objective) => evaluate(objective, analysis, CHECKERS));
  return {
    version: REPORT_VERSION,
    ...overall(analysis, checks),
    run: runFacts(analysis),
    checks,
    availability: availability(analysis),
    outages: outageList(analysis),
    errors: errorTable(analysis),
    faults: faultTable(analysis),
    workers: workerTable(analysis),
    phases: phaseTable(analysis),
    balance: balance(analysis),
    series: timeSeries(analysis),
    events: eventList(analysis),
    leftovers: leftovers(analysis),
    harness: instrument(analysis),
  };
}
