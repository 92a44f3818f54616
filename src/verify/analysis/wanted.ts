import type { JournalIndex } from './journal-index.ts';
import type { Change } from './step-line.ts';

/** Before every record of a run. */
const EVER_MS = Number.MIN_SAFE_INTEGER;

/** How many workers the server should have: those that it started with, and from then on what it was asked for. */
export function wantedWorkers(journal: JournalIndex, slots: number): readonly Change[] {
  const changes: Change[] = [{ atMs: EVER_MS, by: slots }];
  const injects = journal.of('fault.inject');
  let last = slots;
  for (const { workers, faultId, atMs } of journal.of('workers.wanted')) {
    const by = workers - last;
    // Those that are to go have time to do so; one more is right from the moment at which it was asked for.
    const askedAtMs = injects.find((event) => event.faultId === faultId)?.atMs ?? atMs;
    changes.push({ atMs: by > 0 ? askedAtMs : atMs, by });
    last = workers;
  }
  return changes;
}
