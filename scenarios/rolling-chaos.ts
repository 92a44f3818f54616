import {
  blockEventLoop,
  defineScenario,
  every,
  freeze,
  kill,
  memorySpike,
  resilienceObjectives,
  slot,
} from 'cluster-chaos';

// Kills, hangs and memory spikes, overlapping: while one worker hangs, another dies or grows. Faults that overlap name
// different slots, so that no fault ends the victim of another and every one can be judged by itself. Two workers are
// enough. The pattern repeats every 30 s, for longer runs.
export default defineScenario({
  description: 'Kills, hangs and memory spikes that overlap.',
  target: { env: { NODE_OPTIONS: '--max-old-space-size=160' } },
  faults: [
    {
      name: 'freeze',
      fault: freeze({ hold: '9s', select: slot(1) }),
      schedule: every('30s', { start: '0.5s', jitter: 0.02 }),
      window: { to: '-10s' },
    },
    {
      name: 'heap',
      fault: memorySpike({ size: '48MB', hold: '3s', select: slot(2) }),
      schedule: every('30s', { start: '2s', jitter: 0.02 }),
      window: { to: '-4s' },
    },
    {
      name: 'kill-beside-freeze',
      fault: kill({ select: slot(2) }),
      schedule: every('30s', { start: '7.5s', jitter: 0.02 }),
      window: { to: '-1.5s' },
    },
    {
      name: 'kill',
      fault: kill(),
      schedule: every('30s', { start: '11.5s', jitter: 0.02 }),
      window: { to: '-1.5s' },
    },
    {
      name: 'block',
      fault: blockEventLoop({ hold: '9s', select: slot(2) }),
      schedule: every('30s', { start: '14s', jitter: 0.02 }),
      window: { to: '-10s' },
    },
    {
      name: 'off-heap',
      fault: memorySpike({ where: 'off-heap', size: '64MB', hold: '3s', select: slot(1) }),
      schedule: every('30s', { start: '15.5s', jitter: 0.02 }),
      window: { to: '-4s' },
    },
    {
      name: 'exit-beside-block',
      fault: kill({ signal: 'exit', code: 1, select: slot(1) }),
      schedule: every('30s', { start: '20.5s', jitter: 0.02 }),
      window: { to: '-1.5s' },
    },
    {
      name: 'heap-limit',
      fault: memorySpike({ size: 'limit', hold: '5s', select: slot(1) }),
      schedule: every('30s', { start: '24.5s', jitter: 0.02 }),
      window: { to: '-4s' },
    },
    {
      name: 'kill-beside-limit',
      fault: kill({ signal: 'SIGTERM', select: slot(2) }),
      schedule: every('30s', { start: '26s', jitter: 0.02 }),
      window: { to: '-1.5s' },
    },
  ],
  objectives: resilienceObjectives({ recoveryExcess: '9s' }),
});
