import type { Report } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { CAUSE, CAUSES } from '../analysis/attribution.ts';
import { contains } from '../analysis/interval.ts';
import { isFailure, KINDS } from '../analysis/rows.ts';

/** The failed requests of the judged part of the run. */
export function errorTable({ rows, attribution, windows }: Analysis): Report['errors'] {
  const { run } = windows.spans;
  const byKind = new Uint32Array(KINDS.length);
  const byCause = new Uint32Array(CAUSES.length);
  let total = 0;
  const { dueMs } = rows.samples.columns;
  for (let row = 0; row < rows.count; row++) {
    const kind = rows.kind[row] ?? 0;
    if (!isFailure(kind) || run === null || !contains(run, dueMs[row] ?? 0)) continue;
    const cause = attribution.cause[row] ?? 0;
    total++;
    byKind[kind] = (byKind[kind] ?? 0) + 1;
    byCause[cause] = (byCause[cause] ?? 0) + 1;
  }
  return {
    total,
    byKind: named(KINDS, byKind),
    byCause: named(CAUSES, byCause),
    unattributed: byCause[CAUSE.unattributed] ?? 0,
  };
}

/** The counts that are not 0, by name. */
function named(names: readonly string[], counts: Uint32Array): Record<string, number> {
  return Object.fromEntries(names.flatMap((name, i) => (counts[i] ? [[name, counts[i]]] : [])));
}
