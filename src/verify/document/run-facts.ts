import type { Report } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { ms } from './numbers.ts';

/** What was run, and how to run it again. */
export function runFacts({ journal, slots, endMs }: Analysis): Report['run'] {
  const { start, plan, ready } = journal;
  const { scenario } = start;
  const { load } = scenario;
  const rate = journal.of('load.rate').at(-1)?.ratePerSecond ?? load.ratePerSecond;
  return {
    id: start.id,
    scenario: scenario.name,
    description: scenario.description,
    file: start.file,
    seed: plan.seed,
    planHash: plan.hash,
    startedAt: start.startedAt,
    durationMs: ms(journal.end?.atMs ?? endMs),
    command: start.command,
    replay: start.replay,
    target: journal.of('target.start').at(-1)?.command ?? scenario.target.command ?? 'the example server',
    origin: ready?.origin ?? scenario.target.url,
    workers: slots,
    ratePerSecond: load.mode === 'closed' ? null : rate,
    visibility: ready?.visibility ?? null,
    blind: ready ? [...ready.blind] : [],
    environment: { ...start.environment },
  };
}

export function leftovers({ journal }: Analysis): Report['leftovers'] {
  const event = journal.of('leftovers').at(-1);
  if (event === undefined) return { processes: [], ports: [] };
  const known = new Set(event.processes.map((process) => process.pid));
  const stuck = event.stuck
    .filter((pid) => !known.has(pid))
    .map((pid) => ({ pid, command: 'still there after SIGKILL' }));
  return {
    processes: [...event.processes.map((process) => ({ ...process })), ...stuck],
    ports: [...event.ports],
  };
}
