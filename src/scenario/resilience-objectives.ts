/**
 * The objectives of the shipped scenarios. They need no tuning: each follows from physics (a request in flight on a
 * killed worker is lost, no other), from what was asked for (N workers), or from the run's own baseline.
 *
 * @param options `recoveryExcess`: how long recovery may take beyond the server's own boot time, default 3 s; `null`
 * where no fault ends a worker, so that there is nothing to recover from
 */
export function resilienceObjectives(options: { readonly recoveryExcess?: string | null } = {}): string[] {
  const { recoveryExcess = '3s' } = options;
  return [
    'errors.unattributed == 0',
    'responses.wrong == 0',
    'outage.avoidable < 1s',
    ...(recoveryExcess === null ? [] : [`recovery.excess < ${recoveryExcess}`]),
    'workers.missing@recovery == 0',
    'workers.excess == 0',
    'workers.unexpectedExits == 0',
    'generations.silent == 0',
    'generations.slowdown < 3',
    'latency.ratio@recovery < 3',
    'throughput.ratio@recovery >= 0.95',
    'primary.exits == 0',
    'primary.fds.growth < 20',
    'primary.memory.growth < 32MB',
    'leftovers == 0',
  ];
}
