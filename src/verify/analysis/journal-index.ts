import { ChaosError } from '../../base/errors.ts';
import type { JournalEvent, JournalEventOf } from '../../model/journal.ts';
import type { Plan } from '../../model/plan.ts';

/** The journal, in the order in which things happened, and the records of which a run has one. */
export interface JournalIndex {
  readonly events: readonly JournalEvent[];
  readonly start: JournalEventOf<'run.start'>;
  /** The plan that was carried out. */
  readonly plan: Plan;
  readonly ready: JournalEventOf<'target.ready'> | null;
  /** `null`: the harness was killed. */
  readonly end: JournalEventOf<'run.end'> | null;
  /** When the last thing was recorded, ms. */
  readonly lastAtMs: number;
  of<T extends JournalEvent['type']>(...types: readonly T[]): readonly JournalEventOf<T>[];
}

/**
 * Indexes a journal, also one that breaks off.
 * @throws ChaosError 'usage' for a journal without its first record
 */
export function indexJournal(journal: readonly JournalEvent[]): JournalIndex {
  // What is seen late is written late, with the time at which it happened.
  const events = [...journal].sort((a, b) => a.atMs - b.atMs || a.seq - b.seq);
  const of = <T extends JournalEvent['type']>(...types: readonly T[]): readonly JournalEventOf<T>[] => {
    const wanted: ReadonlySet<string> = new Set(types);
    return events.filter((event) => wanted.has(event.type)) as unknown as JournalEventOf<T>[];
  };
  const start = of('run.start')[0];
  if (!start) {
    throw new ChaosError(
      'usage',
      'the journal does not hold the start of a run, so there is nothing to judge',
      {
        hint: 'The run was ended before it wrote anything: run the scenario again.',
      },
    );
  }
  return {
    events,
    start,
    plan: of('plan.changed').at(-1)?.plan ?? start.plan,
    ready: of('target.ready').at(-1) ?? null,
    end: of('run.end').at(-1) ?? null,
    lastAtMs: events.reduce((last, event) => Math.max(last, event.atMs), 0),
    of,
  };
}
