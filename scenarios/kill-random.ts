import { defineScenario, every, kill, resilienceObjectives } from 'cluster-chaos';

// Workers die at random under load. Two kinds of death, since a supervisor may restart on signals only, or on exit
// codes only; their schedules leave at least 0.5 s between any two.
export default defineScenario({
  description: 'Random workers are killed under load; each must be replaced, and nobody else may notice.',
  faults: [
    {
      name: 'sigkill',
      fault: kill(),
      schedule: every('3s', { jitter: 0.5 }),
      // The last one early enough to be recovered from within the chaos phase.
      window: { to: '-1.5s' },
    },
    {
      name: 'exit',
      fault: kill({ signal: 'exit', code: 1 }),
      schedule: every('9s', { start: '4.5s', jitter: 0.05 }),
      window: { to: '-1.5s' },
    },
  ],
  objectives: resilienceObjectives(),
});
