import { defineScenario, every, reload, resilienceObjectives } from 'cluster-chaos';

// The supervisor is asked to replace all its workers, as with each new release. There is no fault to blame: whatever
// request fails meanwhile, the reload has dropped it.
export default defineScenario({
  description: 'All workers are replaced under load, several times, and no request may fail.',
  faults: [
    {
      name: 'reload',
      fault: reload(),
      schedule: every('9s', { start: '1s', jitter: 0.05 }),
      window: { to: '-8s' },
    },
  ],
  objectives: ['errors.total == 0', ...resilienceObjectives({ recoveryExcess: null })],
});
