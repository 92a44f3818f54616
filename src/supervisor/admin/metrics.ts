import type * as Prom from 'prom-client';
import { ChaosError } from '../../base/errors.ts';
import type { Phase } from '../policy/model.ts';
import type { ServiceStatus, SupervisorStatus, WorkerStatus } from '../settings.ts';

type PromClient = Pick<typeof Prom, 'Counter' | 'Gauge' | 'Registry'>;

const PHASES: readonly Phase[] = ['booting', 'standby', 'serving', 'draining', 'ending'];

interface Metric<T> {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
  /** One value for each set of labels. */
  readonly of: (from: T) => readonly (readonly [value: number, ...labels: string[]])[];
}

const one = (value: number): readonly (readonly [number])[] => [[value]];

const SERVICE_METRICS: readonly Metric<ServiceStatus>[] = [
  {
    name: 'chaos_workers',
    help: 'Workers by phase',
    type: 'gauge',
    labels: ['phase'],
    of: ({ workers }) =>
      PHASES.map((phase) => [workers.filter((worker) => worker.phase === phase).length, phase]),
  },
  gauge('chaos_workers_wanted', 'Workers that shall serve', (s) => s.workersWanted),
  gauge(
    'chaos_workers_suspect',
    'Workers that are silent and get no new connections',
    (s) => s.workers.filter((worker) => worker.suspect).length,
  ),
  gauge('chaos_generation', 'Generation of the next fork', (s) => s.generation),
  gauge('chaos_reloading', '1 while a reload is in progress', (s) => Number(s.reloading)),
  gauge('chaos_waiting_connections', 'Connections that wait in the primary', (s) => s.waiting),
  gauge('chaos_boot_failures', 'Boots failed in a row', (s) => s.bootFailures),
  gauge('chaos_breaker_open', '1 while the crash-loop breaker slows forks down', (s) =>
    Number(s.breakerOpen),
  ),
  counter('chaos_forks_total', 'Workers forked', (s) => s.counters.forks),
  counter('chaos_connections_total', 'Connections accepted', (s) => s.counters.connections),
  counter('chaos_regiven_total', 'Connections given to another worker', (s) => s.counters.regiven),
  counter('chaos_shed_total', 'Connections closed because too many waited', (s) => s.counters.shed),
  counter('chaos_reloads_total', 'Reloads done', (s) => s.counters.reloads),
  counter('chaos_reloads_aborted_total', 'Reloads given up', (s) => s.counters.reloadsAborted),
  {
    name: 'chaos_worker_ends_total',
    help: 'Workers that ended or were told to, by reason; crash: nobody asked for it',
    type: 'counter',
    labels: ['reason'],
    of: ({ counters }) => [
      [counters.crashes, 'crash'],
      ...Object.entries(counters.ended).map(([reason, count]) => [count, reason] as const),
    ],
  },
];

const SLOT_METRICS: readonly Metric<WorkerStatus>[] = [
  slot('chaos_worker_generation', 'Generation of the worker in the slot', 'gauge', (w) => w.generation),
  slot('chaos_worker_age_seconds', 'Age of the worker in the slot', 'gauge', (w) => w.ageMs / 1000),
  slot('chaos_worker_resident_bytes', 'Resident memory', 'gauge', (w) => w.beat?.rssBytes),
  slot('chaos_worker_heap_used_bytes', 'Used heap of V8', 'gauge', (w) => w.beat?.heapUsedBytes),
  slot('chaos_worker_heap_limit_bytes', 'Heap limit of V8', 'gauge', (w) => w.beat?.heapLimitBytes),
  slot(
    'chaos_worker_utilisation',
    'Share of time the event loop was busy',
    'gauge',
    (w) => w.beat?.utilisation,
  ),
  slot('chaos_worker_cpu_seconds_total', 'CPU time used since it started', 'counter', (w) =>
    w.beat === null ? undefined : w.beat.cpuMs / 1000,
  ),
  slot(
    'chaos_worker_loop_delay_seconds',
    'By how much a beat was late at most in the last 5 to 10 s',
    'gauge',
    (w) => (w.beat === null ? undefined : w.beat.loopDelayMs / 1000),
  ),
  slot('chaos_worker_open_connections', 'Connections that it holds', 'gauge', (w) => w.beat?.open),
  slot(
    'chaos_worker_connections_total',
    'Connections taken since it started',
    'counter',
    (w) => w.beat?.taken,
  ),
  slot('chaos_worker_requests_total', 'Requests since it started', 'counter', (w) => w.beat?.requests),
];

/**
 * Loads prom-client, which only metrics need.
 *
 * @throws ChaosError 'usage' when it is not installed
 */
export async function metricsRenderer(): Promise<
  (status: SupervisorStatus) => Promise<{ readonly text: string; readonly type: string }>
> {
  const prom = await loadPromClient();
  return async (status) => {
    const registry = registryOf(prom, status);
    return { text: await registry.metrics(), type: registry.contentType };
  };
}

async function loadPromClient(): Promise<PromClient> {
  try {
    const loaded = await import('prom-client');
    return loaded.default;
  } catch (error) {
    throw new ChaosError('usage', 'metrics need the package prom-client, which cannot be loaded', {
      hint: 'npm install prom-client',
      cause: error,
    });
  }
}

/** The status document holds every number already: each scrape gets a registry of its own, so nothing is kept twice. */
function registryOf(prom: PromClient, status: SupervisorStatus): Prom.Registry {
  const registry = new prom.Registry();
  const write = <T>(metrics: readonly Metric<T>[], shared: readonly string[]) =>
    metrics.map((metric) => {
      const config = {
        name: metric.name,
        help: metric.help,
        labelNames: [...shared, ...metric.labels],
        registers: [registry],
      };
      const made = metric.type === 'gauge' ? new prom.Gauge(config) : new prom.Counter(config);
      return (from: T, ...common: readonly string[]): void => {
        for (const [value, ...labels] of metric.of(from)) {
          (made as Pick<Prom.Gauge, 'labels'>).labels(...common, ...labels).inc(value);
        }
      };
    });
  write([UPTIME], []).forEach((set) => set(status));
  const services = write(SERVICE_METRICS, ['service']);
  const slots = write(SLOT_METRICS, ['service', 'slot']);
  for (const service of status.services) {
    for (const set of services) set(service, service.name);
    // A slot has one serving worker; one that drains has given its slot away.
    for (const worker of service.workers.filter(({ phase, slot }) => phase === 'serving' && slot !== null)) {
      for (const set of slots) set(worker, service.name, String(worker.slot));
    }
  }
  return registry;
}

const UPTIME: Metric<SupervisorStatus> = {
  name: 'chaos_uptime_seconds',
  help: 'Since the supervisor started',
  type: 'gauge',
  labels: [],
  of: (status) => one(status.uptimeMs / 1000),
};

function gauge(name: string, help: string, value: (from: ServiceStatus) => number): Metric<ServiceStatus> {
  return { name, help, type: 'gauge', labels: [], of: (from) => one(value(from)) };
}

function counter(name: string, help: string, value: (from: ServiceStatus) => number): Metric<ServiceStatus> {
  return { name, help, type: 'counter', labels: [], of: (from) => one(value(from)) };
}

function slot(
  name: string,
  help: string,
  type: 'gauge' | 'counter',
  value: (from: WorkerStatus) => number | undefined,
): Metric<WorkerStatus> {
  return {
    name,
    help,
    type,
    labels: [],
    of: (from) => {
      const found = value(from);
      return found === undefined ? [] : one(found);
    },
  };
}
