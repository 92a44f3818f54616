import { at, blockEventLoop, defineScenario, primaryKill, resilienceObjectives, slot } from 'cluster-chaos';

// The primary itself dies, once with all well and once while a worker hangs. Its workers must go too, and leave the
// port: then the server is started again, as systemd or Docker would, and is back as fast as it boots.
export default defineScenario({
  description: 'The primary is killed and started again; no worker may outlive it and keep the port.',
  faults: [
    { name: 'primary', fault: primaryKill(), schedule: at('1s', '15s') },
    {
      name: 'hang',
      fault: blockEventLoop({ hold: '5s', select: slot(1), expect: 'any' }),
      schedule: at('14.5s'),
    },
  ],
  objectives: ['primary.orphans == 0', 'outage.longest < 5s', ...resilienceObjectives()],
});
