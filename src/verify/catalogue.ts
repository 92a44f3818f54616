import type { WindowName } from '../model/phase.ts';
import type { CheckUnit } from '../model/report.ts';

/** What an objective can be about. */
export interface Metric {
  readonly metric: string;
  /** One sentence. */
  readonly summary: string;
  readonly unit: CheckUnit;
  /** Where it can be measured; the first is the default. */
  readonly windows: readonly [WindowName, ...WindowName[]];
}

const metric = (
  name: string,
  unit: CheckUnit,
  windows: readonly [WindowName, ...WindowName[]],
  summary: string,
): Metric => ({ metric: name, summary, unit, windows });

/** Every metric that an objective may name. */
export const METRICS: readonly Metric[] = [
  metric(
    'availability',
    'share',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Share of the due requests that got the right answer.',
  ),
  metric('errors.total', 'count', ['run', 'baseline', 'chaos', 'recovery', 'fault'], 'Requests that failed.'),
  metric(
    'errors.ratio',
    'share',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Share of the due requests that failed.',
  ),
  metric(
    'errors.unattributed',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Failed requests that no fault explains.',
  ),
  metric(
    'responses.wrong',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Answers with a wrong status or a wrong body.',
  ),
  metric(
    'outage.longest',
    'ms',
    ['run', 'baseline', 'chaos', 'recovery'],
    'The longest time without any right answer.',
  ),
  metric(
    'outage.total',
    'ms',
    ['run', 'baseline', 'chaos', 'recovery'],
    'The time without any right answer, all outages together.',
  ),
  metric(
    'outage.count',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Times that the service fell silent.',
  ),
  metric(
    'outage.avoidable',
    'ms',
    ['run', 'baseline', 'chaos', 'recovery'],
    'The longest silence while a ready worker without a fault was there.',
  ),
  metric('recovery.p50', 'ms', ['run'], 'Injection to replacement ready, the median over the faults.'),
  metric('recovery.p95', 'ms', ['run'], 'Injection to replacement ready, p95 over the faults.'),
  metric('recovery.max', 'ms', ['run'], 'Injection to replacement ready, the slowest fault.'),
  metric(
    'recovery.excess',
    'ms',
    ['run'],
    'The slowest recovery, less the time that a worker takes to boot.',
  ),
  metric(
    'latency.p50',
    'ms',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Due to answered, the median.',
  ),
  metric('latency.p90', 'ms', ['chaos', 'run', 'baseline', 'recovery', 'fault'], 'Due to answered, p90.'),
  metric('latency.p99', 'ms', ['chaos', 'run', 'baseline', 'recovery', 'fault'], 'Due to answered, p99.'),
  metric('latency.p999', 'ms', ['chaos', 'run', 'baseline', 'recovery', 'fault'], 'Due to answered, p99.9.'),
  metric(
    'latency.max',
    'ms',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Due to answered, the longest.',
  ),
  metric(
    'latency.ratio',
    'factor',
    ['recovery', 'chaos', 'run'],
    'Typical p99 of a second, against that of baseline.',
  ),
  metric(
    'throughput.rps',
    'per-second',
    ['chaos', 'run', 'baseline', 'recovery', 'fault'],
    'Right answers a second.',
  ),
  metric(
    'throughput.ratio',
    'factor',
    ['recovery', 'chaos', 'run'],
    'Right answers a second, against baseline.',
  ),
  metric(
    'workers.ready',
    'count',
    ['recovery', 'baseline', 'chaos', 'run'],
    'The fewest workers that were ready at any time of the window.',
  ),
  metric(
    'workers.missing',
    'count',
    ['recovery', 'baseline', 'chaos', 'run'],
    'Slots without a ready worker at the end of the window.',
  ),
  metric(
    'workers.excess',
    'count',
    ['run', 'chaos', 'recovery'],
    'Workers beyond one a slot, for longer than a second.',
  ),
  metric(
    'workers.restarts',
    'count',
    ['run', 'chaos', 'recovery'],
    'Workers that were started after the first ones.',
  ),
  metric(
    'workers.unexpectedExits',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Exits of workers that nobody asked for.',
  ),
  metric(
    'generations.silent',
    'count',
    ['run'],
    'Respawned workers that listened for 3 s or more and never answered.',
  ),
  metric(
    'generations.slowdown',
    'factor',
    ['run'],
    'Median latency of the slowest respawned worker, against baseline.',
  ),
  metric('primary.exits', 'count', ['run'], 'Exits of the primary that nobody asked for.'),
  metric(
    'primary.fds.growth',
    'count',
    ['run'],
    'File descriptors that the primary gained, less one for each killed worker.',
  ),
  metric(
    'primary.memory.growth',
    'bytes',
    ['run'],
    'Resident memory that the primary gained from baseline to recovery.',
  ),
  metric(
    'balance.cv',
    'factor',
    ['baseline', 'chaos', 'recovery', 'run'],
    'Spread of requests over the slots: deviation against mean.',
  ),
  metric('leftovers', 'count', ['run'], 'Processes and ports that were still there after the stop.'),
  metric('faults.ineffective', 'count', ['run'], 'Faults without proof that they took effect.'),
  metric('fault.skew.p99', 'ms', ['run'], 'Planned to injected, p99 over the faults.'),
];
