import { at, defineScenario, resilienceObjectives, scale } from 'cluster-chaos';

// Two workers more, one by one, and two fewer again. Nobody may notice: new ones serve only when they are ready, and
// those that leave finish what they have.
export default defineScenario({
  description: 'The number of workers goes up and down under load, and no request may fail.',
  faults: [
    { name: 'up', fault: scale({ by: 1 }), schedule: at('1s', '8s') },
    { name: 'down', fault: scale({ by: -1 }), schedule: at('15s', '22s') },
  ],
  objectives: ['errors.total == 0', ...resilienceObjectives({ recoveryExcess: null })],
});
