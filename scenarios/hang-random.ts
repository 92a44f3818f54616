import { blockEventLoop, defineScenario, every, freeze, resilienceObjectives } from 'cluster-chaos';

// One worker at a time hangs and does not exit: nobody notices unless the supervisor asks. Each hang lasts 9 s, and
// only a supervisor that ends it before that has recovered; our own heal at the end does not count.
export default defineScenario({
  description: 'Random workers hang; a supervisor must notice and replace them.',
  faults: [
    {
      name: 'freeze',
      fault: freeze({ hold: '9s' }),
      schedule: every('19s', { start: '0.5s', jitter: 0.02 }),
      window: { to: '-8s' },
    },
    {
      name: 'block',
      fault: blockEventLoop({ hold: '9s' }),
      schedule: every('19s', { start: '10s', jitter: 0.02 }),
      window: { to: '-8s' },
    },
  ],
  objectives: resilienceObjectives({ recoveryExcess: '9s' }),
});
