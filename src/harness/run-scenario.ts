import { ChaosError, messageOf } from '../base/errors.ts';
import type { PhaseName } from '../model/phase.ts';
import type { Plan } from '../model/plan.ts';
import type { LeftoverReport, LoadHandle, Progress, TargetHandle, TargetReady } from '../model/ports.ts';
import { RATE_DEFAULT, WORKERS_DEFAULT } from '../model/scenario.ts';
import { ratesItself, warmUp } from './find-rate.ts';
import { Injector } from './injector.ts';
import { LoadWatch } from './load-watch.ts';
import type { HarnessPorts, RunInput } from './ports.ts';
import { Teardown } from './teardown.ts';
import { laterMs, SETTLED_MS } from './time-left.ts';

/** How a run ended; the verdict is for the judge. `error` is an operating error, told apart by its reason. */
export type RunOutcome =
  | {
      readonly type: 'completed' | 'unhealthy' | 'interrupted';
      readonly reason: string;
      readonly hint?: string;
    }
  | { readonly type: 'error'; readonly reason: string; readonly error: unknown };

export interface RunResult {
  readonly outcome: RunOutcome;
  readonly leftovers: LeftoverReport | null;
  /** Faults that could not be healed. */
  readonly unhealed: readonly string[];
}

/** A baseline that a noisy moment spoilt is measured again, at most this often in all. */
const BASELINE_TRIES = 3;
const RECOVERY_TRIES = 3;
const PROGRESS_MS = 250;
const SETTLE_LOOK_MS = 50;

/**
 * One run, from start to stop:
 *  1. start the target, the agent preloaded, and wait until all its workers answer;
 *  2. plan again if it runs another number of workers than planned for;
 *  3. start the load, warm up, and find a rate that the server sustains;
 *  4. baseline: prove steady state, or stop here, with no fault injected;
 *  5. chaos: fire the plan;
 *  6. heal everything, once;
 *  7. settle, then recovery: measure steady state again;
 *  8. stop the load, then the target; prove that no process and no port is left.
 * Never rejects: every end is an outcome, and has been healed and stopped.
 */
export async function runScenario(input: RunInput, ports: HarnessPorts): Promise<RunResult> {
  const run = new Run(input, ports);
  let outcome: RunOutcome;
  try {
    outcome = await run.phases();
  } catch (error) {
    outcome = toOutcome(error);
  }
  await run.teardown.run();
  for (const { name, error } of run.teardown.errors) {
    ports.record({ type: 'log', level: 'error', message: `${name} failed: ${messageOf(error)}` });
    outcome = { type: 'error', reason: `${name} failed: ${messageOf(error)}`, error };
  }
  ports.record({ type: 'run.end', outcome: outcome.type, reason: outcome.reason });
  return { outcome, leftovers: run.leftovers, unhealed: run.unhealed };
}

class Run {
  readonly teardown = new Teardown();
  leftovers: LeftoverReport | null = null;
  readonly #input: RunInput;
  readonly #ports: HarnessPorts;
  readonly #watch = new LoadWatch();
  readonly #stop = new AbortController();
  #stopReason: RunOutcome | null = null;
  #target: TargetHandle | null = null;
  #injector: Injector | null = null;
  #phase: Progress['phase'] = 'start';
  #phaseEndMs = 0;
  #workers = 0;
  #rate = 0;

  constructor(input: RunInput, ports: HarnessPorts) {
    this.#input = input;
    this.#ports = ports;
  }

  get unhealed(): readonly string[] {
    return this.#injector?.unhealed ?? [];
  }

  async phases(): Promise<RunOutcome> {
    const { scenario } = this.#input;
    this.#onAbort();
    this.#showProgress();
    const target = await this.#startTarget();
    const ready = await target.ready(this.#stop.signal);
    this.#workers = ready.workers;
    const plan = this.#planFor(ready);
    const load = await this.#startLoad(ready);
    const { phases } = scenario;

    await this.#during('warmup', phases.warmupMs, () => this.#warmUp(load, target));
    const baseline = await this.#baseline(load, phases.baselineMs);
    if (!baseline.proven)
      return { type: 'unhealthy', reason: `steady state was not proven: ${baseline.reason}` };

    const injector = new Injector(this.#ports, target, {
      workers: ready.workers,
      signal: this.#stop.signal,
    });
    this.#injector = injector;
    this.teardown.push('healing', () => injector.healAll());
    this.teardown.push('exact timers', async () => this.#ports.exactTimers(false));
    this.#ports.exactTimers(true);
    await this.#during('chaos', phases.chaosMs, async (startMs) => {
      await injector.fire(plan.faults, startMs, this.#stop.signal);
      await this.#ports.clock.sleep(startMs + phases.chaosMs - this.#ports.clock.now(), this.#stop.signal);
    });
    this.#ports.exactTimers(false);
    await injector.healAll();

    await this.#during('settle', Math.min(SETTLED_MS, phases.settleMs), () =>
      this.#settle(target, phases.settleMs),
    );
    await this.#recovery(load, phases.recoveryMs);
    return this.#stopReason ?? { type: 'completed', reason: 'all phases were run' };
  }

  async #startTarget(): Promise<TargetHandle> {
    const { scenario } = this.#input;
    this.teardown.push('stopping the target', async () => {
      this.#phase = 'stop';
      this.#phaseEndMs = 0;
      this.leftovers = (await this.#target?.stop()) ?? null;
    });
    const target = await this.#ports.target.start(scenario.target, {
      ...this.#ports.targetContext,
      clock: this.#ports.clock,
      record: this.#ports.record,
      guardian: this.#ports.guardian,
      workers: scenario.target.workers ?? WORKERS_DEFAULT,
      probePath: scenario.load.requests[0]?.path ?? '/',
    });
    this.#target = target;
    void target.ended.then(() => {
      this.#end({ type: 'completed', reason: 'the server under test ended before the run did' });
    });
    return target;
  }

  #planFor(ready: TargetReady): Plan {
    const { plan, replan } = this.#input;
    if (ready.workers === plan.workers) return plan;
    const changed = replan(ready.workers);
    const reason = `planned for ${plan.workers} workers, the server runs ${ready.workers}`;
    this.#ports.record({ type: 'plan.changed', plan: changed, reason });
    return changed;
  }

  async #startLoad(ready: TargetReady): Promise<LoadHandle> {
    const spec = this.#input.scenario.load;
    const ratePerSecond = spec.ratePerSecond ?? RATE_DEFAULT;
    let load: LoadHandle | null = null;
    this.teardown.push('stopping the load', async () => {
      this.#phase = 'stop';
      this.#phaseEndMs = 0;
      const summary = await load?.stop();
      if (summary) this.#ports.record({ type: 'load.end', ...summary });
    });
    load = await this.#ports.load.start(spec, {
      ...this.#ports.loadContext,
      clock: this.#ports.clock,
      origin: ready.origin,
      ratePerSecond,
      onProgress: (progress) => this.#watch.add(progress),
    });
    if (spec.mode === 'open') this.#ports.record({ type: 'load.rate', ratePerSecond, reason: 'start' });
    void load.failed.then((message) => {
      this.#ports.record({ type: 'load.error', message });
      this.#end({ type: 'error', reason: `the load process failed: ${message}`, error: new Error(message) });
    });
    return load;
  }

  async #warmUp(load: LoadHandle, target: TargetHandle): Promise<void> {
    const { scenario, cpus } = this.#input;
    this.#rate = await warmUp(
      {
        spec: scenario.load,
        warmupMs: scenario.phases.warmupMs,
        startRate: scenario.load.ratePerSecond ?? RATE_DEFAULT,
        cpus,
        load,
        watch: this.#watch,
        target,
        signal: this.#stop.signal,
      },
      this.#ports,
    );
  }

  async #baseline(
    load: LoadHandle,
    ms: number,
  ): Promise<{ readonly proven: boolean; readonly reason: string }> {
    for (let n = 1; ; n++) {
      await this.#during('baseline', ms, () => this.#sleep(ms));
      if (this.#stopReason) throw new Stopped(this.#stopReason);
      await load.flush();
      const steady = this.#ports.steadyState('baseline');
      if (steady.proven || n === BASELINE_TRIES) {
        this.#ports.record({ type: 'steady', phase: 'baseline', ...steady });
        return steady;
      }
      this.#warn(`baseline is measured again: ${steady.reason}`);
      if (ratesItself(this.#input.scenario.load)) this.#lowerRate(load);
    }
  }

  /** What is lastingly worse than baseline is so each time; a noisy moment of the machine is not. */
  async #recovery(load: LoadHandle, ms: number): Promise<void> {
    for (let n = 1; n <= RECOVERY_TRIES && !this.#stop.signal.aborted; n++) {
      await this.#during('recovery', ms, () => this.#sleep(ms));
      await load.flush();
      const steady = this.#ports.steadyState('recovery');
      if (steady.proven || n === RECOVERY_TRIES) {
        this.#ports.record({ type: 'steady', phase: 'recovery', ...steady });
        return;
      }
      this.#warn(`recovery is measured again: ${steady.reason}`);
    }
  }

  #warn(message: string): void {
    this.#ports.record({ type: 'log', level: 'warn', message });
  }

  /** A server that was steady at a rate while warming up and is not any more gets room. */
  #lowerRate(load: LoadHandle): void {
    this.#rate = Math.max(1, Math.floor(this.#rate / 2));
    load.setRate(this.#rate);
    this.#ports.record({
      type: 'load.rate',
      ratePerSecond: this.#rate,
      reason: 'the baseline was not steady',
    });
  }

  async #settle(target: TargetHandle, atMostMs: number): Promise<void> {
    const { clock } = this.#ports;
    const end = clock.now() + atMostMs;
    let sinceMs: number | null = null;
    while (clock.now() < end && !this.#stop.signal.aborted) {
      const ready = target.workers().filter((worker) => worker.state === 'ready').length;
      sinceMs = ready === (this.#injector?.workersWanted ?? this.#workers) ? (sinceMs ?? clock.now()) : null;
      if (sinceMs !== null && clock.now() - sinceMs >= SETTLED_MS) return;
      await this.#sleep(SETTLE_LOOK_MS);
    }
  }

  /** Runs a phase between its two journal records; a stopped run skips it. */
  async #during(phase: PhaseName, ms: number, work: (startMs: number) => Promise<void>): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#phase = phase;
    const startMs = this.#ports.clock.now();
    this.#phaseEndMs = startMs + ms;
    this.#ports.record({ type: 'phase.start', phase }, startMs);
    await work(startMs);
    this.#ports.record({ type: 'phase.end', phase });
  }

  #sleep(ms: number): Promise<void> {
    return this.#ports.clock.sleep(ms, this.#stop.signal);
  }

  /** The first reason to stop wins. */
  #end(outcome: RunOutcome): void {
    this.#stopReason ??= outcome;
    this.#stop.abort();
  }

  #onAbort(): void {
    const { signal } = this.#input;
    const end = (): void => this.#end({ type: 'interrupted', reason: 'interrupted' });
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }

  #showProgress(): void {
    const done = new AbortController();
    this.teardown.push('the live view', async () => done.abort());
    const show = async (): Promise<void> => {
      while (!done.signal.aborted) {
        this.#ports.onProgress(this.#progress());
        await this.#ports.clock.sleep(PROGRESS_MS, done.signal);
      }
    };
    void show();
  }

  #progress(): Progress {
    const { clock } = this.#ports;
    return {
      phase: this.#phase,
      elapsedMs: clock.now(),
      leftMs: Math.max(0, this.#phaseEndMs - clock.now()) + laterMs(this.#input.scenario.phases, this.#phase),
      rps: this.#watch.rps,
      errors: this.#watch.failed,
      workersReady: this.#target?.workers().filter((worker) => worker.state === 'ready').length ?? 0,
      workers: this.#workers,
      lastFault: this.#injector?.lastFault ?? null,
    };
  }
}

/** Leaves the phases early with an outcome that is already known. */
class Stopped extends Error {
  readonly outcome: RunOutcome;

  constructor(outcome: RunOutcome) {
    super(outcome.reason);
    this.outcome = outcome;
  }
}

function toOutcome(error: unknown): RunOutcome {
  if (error instanceof Stopped) return error.outcome;
  if (error instanceof ChaosError && error.reason === 'unhealthy')
    return { type: 'unhealthy', reason: error.message };
  if (error instanceof ChaosError && error.reason === 'interrupted')
    return { type: 'interrupted', reason: error.message };
  return { type: 'error', reason: messageOf(error), error };
}
