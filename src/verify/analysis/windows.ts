import { unreachable } from '../../base/errors.ts';
import type { PhaseName } from '../../model/phase.ts';
import type { Interval } from './interval.ts';
import type { JournalIndex } from './journal-index.ts';

export interface Phase extends Interval {
  readonly name: PhaseName;
  /** Whether it lasted as long as it was meant to; a run that is interrupted ends its phase early. */
  readonly complete: boolean;
}

export interface Span extends Interval {
  readonly complete: boolean;
}

export interface Windows {
  /** One of each name: baseline can be measured again, and the last one counts. */
  readonly phases: readonly Phase[];
  /** `run` is from the start of baseline to the end of recovery: warming up is judged by nobody. `null`: it never began. */
  readonly spans: Readonly<Record<'run' | 'baseline' | 'chaos' | 'recovery', Span | null>>;
  /** The first moment at which a fault could have been injected, ms. */
  readonly calmUntilMs: number;
}

/** A phase this much shorter than planned was still run to its end: timers and records take their time. */
const COMPLETE_SHARE = 0.95;

/** When which phase was; one whose end was never recorded lasts as long as the evidence does. */
export function findWindows(journal: JournalIndex, lastRowMs: number): Windows {
  const all: Phase[] = [];
  const starts = journal.of('phase.start');
  const evidenceEndMs = Math.max(journal.lastAtMs, lastRowMs);
  for (const [index, { phase, atMs }] of starts.entries()) {
    const end = journal.of('phase.end').find((event) => event.phase === phase && event.atMs >= atMs);
    const toMs = end?.atMs ?? starts[index + 1]?.atMs ?? evidenceEndMs;
    const complete = end !== undefined && toMs - atMs >= plannedMs(journal, phase) * COMPLETE_SHARE;
    all.push({ name: phase, fromMs: atMs, toMs, complete });
  }
  const phases = all.filter((phase, index) => !all.slice(index + 1).some(({ name }) => name === phase.name));
  const named = (name: PhaseName): Phase | null => phases.find((phase) => phase.name === name) ?? null;
  const baseline = named('baseline');
  const chaos = named('chaos');
  const recovery = named('recovery');
  const first = baseline ?? chaos ?? recovery;
  const last = phases.at(-1);
  const run =
    first && last ? { fromMs: first.fromMs, toMs: last.toMs, complete: recovery?.complete ?? false } : null;
  const calmUntilMs = chaos?.fromMs ?? baseline?.toMs ?? evidenceEndMs;
  return { phases, spans: { run, baseline, chaos, recovery }, calmUntilMs };
}

function plannedMs({ start, plan }: JournalIndex, phase: PhaseName): number {
  const { phases } = start.scenario;
  switch (phase) {
    case 'warmup':
    case 'settle':
      // They end when they have done what they are for.
      return 0;
    case 'baseline':
      return phases.baselineMs;
    case 'chaos':
      return plan.chaosMs;
    case 'recovery':
      return phases.recoveryMs;
    default:
      return unreachable(phase);
  }
}
