import { defineScenario, every, memorySpike, resilienceObjectives } from 'cluster-chaos';

// Memory grows in a worker. Below the limit nobody may notice; at the limit the worker dies and must be replaced.
export default defineScenario({
  description: 'Memory of random workers grows, below the heap limit and up to it.',
  target: {
    // At the default limit of some GB it would take a worker 10 s and all the memory of a small machine to die.
    env: { NODE_OPTIONS: '--max-old-space-size=160' },
  },
  faults: [
    {
      name: 'heap',
      fault: memorySpike({ where: 'heap', size: '48MB', hold: '3s' }),
      schedule: every('15s', { start: '1s', jitter: 0.04 }),
      window: { to: '-4s' },
    },
    {
      name: 'off-heap',
      fault: memorySpike({ where: 'off-heap', size: '64MB', hold: '3s' }),
      schedule: every('15s', { start: '5.5s', jitter: 0.04 }),
      window: { to: '-4s' },
    },
    {
      name: 'heap-limit',
      fault: memorySpike({ where: 'heap', size: 'limit', hold: '5s' }),
      schedule: every('15s', { start: '10s', jitter: 0.04 }),
      window: { to: '-4s' },
    },
  ],
  objectives: resilienceObjectives(),
});
