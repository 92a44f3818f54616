import { crashLoop, defineScenario, every, resilienceObjectives } from 'cluster-chaos';

// A worker dies, and every worker that is started in its place crashes at boot, as after a bad deployment. The others
// must go on as if nothing were: each useless boot takes CPU time from them. Once boots succeed again, the supervisor
// must find out soon.
export default defineScenario({
  description: 'Boots crash for a while: the others serve on, and the worker comes back afterwards.',
  faults: [
    {
      name: 'crash-loop',
      fault: crashLoop({ hold: '5s' }),
      schedule: every('9s', { start: '1s', jitter: 0.05 }),
      window: { to: '-9s' },
    },
  ],
  objectives: [
    'crashloop.forksPer10s <= 10',
    'availability@chaos >= 99.5%',
    'latency.ratio@chaos < 3',
    ...resilienceObjectives({ recoveryExcess: '3s' }),
  ],
});
