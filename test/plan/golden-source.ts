import type { FaultSpec } from '../../dist/model/fault.js';
import type { PlanSource } from '../../dist/plan/make-plan.js';

export const GOLDEN_SEED = 'gölden/1';
export const GOLDEN_WORKERS = 4;

const kill: FaultSpec = {
  kind: 'kill',
  params: { signal: 'SIGKILL', code: null },
  select: { pick: 'random', count: 1 },
  holdMs: null,
  expect: 'replaced',
};

/** Every schedule and every selector once. A change of its plan breaks the replay of all runs made so far. */
export const GOLDEN_SOURCE: PlanSource = {
  name: 'golden',
  phases: { chaosMs: 30_000 },
  faults: [
    {
      name: 'steady',
      fault: kill,
      schedule: { type: 'every', everyMs: 3000, startMs: 3000, jitter: 0.5 },
      window: { fromMs: 0, toMs: -1500 },
    },
    {
      name: 'rare',
      fault: { ...kill, params: { signal: 'exit', code: 1 }, select: { pick: 'random', count: 2 } },
      schedule: { type: 'poisson', meanMs: 6000, minGapMs: 500 },
      window: null,
    },
    {
      name: 'grow',
      fault: {
        kind: 'memory-spike',
        params: { where: 'heap', bytes: 48_000_000 },
        select: { pick: 'slot', slots: [2] },
        holdMs: 3000,
        expect: 'survives',
      },
      schedule: { type: 'at', atMs: [1000, 20_000, 31_000] },
      window: null,
    },
    {
      name: 'freeze-all',
      fault: { kind: 'freeze', params: {}, select: { pick: 'all' }, holdMs: 1000, expect: 'survives' },
      schedule: { type: 'burst', atMs: 25_000, count: 3, spreadMs: 1000 },
      window: { fromMs: 25_000, toMs: 26_000 },
    },
    {
      name: 'youngest',
      fault: { ...kill, select: { pick: 'last-started' } },
      schedule: { type: 'at', atMs: [15_000] },
      window: null,
    },
    {
      name: 'head',
      fault: { ...kill, select: { pick: 'primary' }, expect: 'any' },
      schedule: { type: 'at', atMs: [29_000] },
      window: null,
    },
  ],
};
