import type { LoadHandle, TargetHandle } from '../model/ports.ts';
import type { LoadSpec } from '../model/scenario.ts';
import type { LoadWatch } from './load-watch.ts';
import type { HarnessPorts } from './ports.ts';

/** With a worker gone, the others take its share: a server that is busier than this could not, through no fault of its own. */
const BUSY_MAX = 0.5;
/** A server that keeps up answers within this at p99, whatever it does. */
const P99_MAX_MS = 500;
const ROUNDS_MAX = 5;
const RATE_MIN = 5;

export interface FindRateInput {
  readonly spec: LoadSpec;
  readonly warmupMs: number;
  readonly startRate: number;
  readonly cpus: number;
  readonly load: LoadHandle;
  readonly watch: LoadWatch;
  readonly target: TargetHandle;
  readonly signal: AbortSignal;
}

/**
 * Warms the server up. Where the scenario names no rate, lowers it until the server keeps up with room to spare, so
 * that a fault is measured and not an overload.
 * @returns the arrivals a second that the run goes on with
 */
export async function warmUp(input: FindRateInput, ports: HarnessPorts): Promise<number> {
  let rate = input.startRate;
  for (let round = 1; ; round++) {
    input.watch.reset();
    const before = cpuMs(input, ports);
    const startMs = ports.clock.now();
    await ports.clock.sleep(input.warmupMs, input.signal);
    if (!ratesItself(input.spec) || round === ROUNDS_MAX || input.signal.aborted) return rate;
    const busy = busyShare(before, cpuMs(input, ports), ports.clock.now() - startMs, input.cpus);
    const totals = input.watch.totals();
    const late = totals.backlog > rate / 4 || (totals.p99Ms ?? 0) > P99_MAX_MS;
    if (!late && busy <= BUSY_MAX) return rate;
    const byCpu = busy > 0 ? (rate * BUSY_MAX) / busy : rate;
    const lower = Math.min(byCpu * 0.9, late ? totals.rps / 2 : rate);
    if (rate <= RATE_MIN) return rate;
    rate = Math.max(RATE_MIN, Math.floor(lower));
    input.load.setRate(rate);
    const reason = `the workers were ${Math.round(busy * 100)} % busy${late ? ' and answered late' : ''}`;
    ports.record({ type: 'load.rate', ratePerSecond: rate, reason });
  }
}

/** Whether the run chooses its own rate. */
export function ratesItself(spec: LoadSpec): boolean {
  return spec.mode === 'open' && spec.ratePerSecond === null;
}

function cpuMs(input: FindRateInput, ports: HarnessPorts): ReadonlyMap<number, number> {
  const workers = input.target.workers();
  return new Map(workers.map((worker) => [worker.pid, ports.processes.inspect(worker)?.cpuMs ?? 0]));
}

/** The busier of: the busiest worker of one core, all workers of all cores. */
function busyShare(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
  elapsedMs: number,
  cpus: number,
): number {
  const shares = [...after].map(([pid, ms]) => (ms - (before.get(pid) ?? ms)) / Math.max(1, elapsedMs));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return Math.max(0, ...shares, total / cpus);
}
