import t from 'tap';
import type { Evidence, JournalEntry } from '../../dist/model/journal.js';
import type { JudgeInput } from '../../dist/model/ports.js';
import { METRICS } from '../../dist/verify/catalogue.js';
import { CHECKERS } from '../../dist/verify/checkers/index.js';
import { checkerContract } from '../contract/checker.ts';
import { aRun, CHAOS_AT, toColumns } from './evidence-builder.ts';

/** Counts of what the journal tells: where it tells of none, there were none. */
const ZERO_OF_NOTHING = new Set(['workers.restarts', 'primary.exits', 'generations.silent']);

/** What faults on the supervisor itself leave in the journal. */
function told(kind: string, atMs: number, evidence: Evidence): readonly (readonly [number, JournalEntry])[] {
  const faultId = `${kind}-1`;
  const inject = {
    faultId,
    kind,
    slots: [],
    pids: [],
    plannedAtMs: atMs,
    expect: 'any',
    holdMs: null,
  } as const;
  return [
    [atMs, { type: 'fault.inject', ...inject }],
    [atMs + 100, { type: 'fault.effect', faultId, effective: true, evidence, reason: null }],
  ];
}

const run = (): JudgeInput =>
  aRun({
    row: (row) => void (row.dueMs === CHAOS_AT + 500 && (row.status = 404)),
    journal: [
      ...told('crash-loop', CHAOS_AT + 9000, { crashes: 7, crashesPer10s: 6 }),
      ...told('primary-kill', CHAOS_AT + 11_000, {
        orphans: 2,
        orphanPids: '7, 8',
        portHeld: true,
        withinMs: 2000,
      }),
    ],
  });

/** The phases of a run, and nothing in them. */
function nothing(): JudgeInput {
  const { journal, samples } = aRun({ faults: [] });
  const kept = new Set(['run.start', 'phase.start', 'phase.end', 'run.end']);
  return {
    journal: journal.filter((event) => kept.has(event.type)),
    samples: { columns: toColumns([]), bodies: samples.bodies },
  };
}

for (const checker of CHECKERS) {
  t.test(checker.metric, async (t) => {
    checkerContract(t, { checker, run, nothing, zeroOfNothing: ZERO_OF_NOTHING.has(checker.metric) });
  });
}

t.test('the catalogue holds each checker once', async (t) => {
  t.same(
    METRICS.map(({ metric }) => metric),
    CHECKERS.map(({ metric }) => metric),
  );
  t.equal(new Set(METRICS.map(({ metric }) => metric)).size, METRICS.length);
  t.ok(METRICS.length >= 33, `${METRICS.length} metrics`);
});
