import type { Backoff, Command, PolicyConfig, PolicyState, Reason } from '../../supervisor/policy/model.ts';
import type { Process } from '../process.ts';
import { violated } from '../violation.ts';
import { isFresh, isScaledAway, type Known, type Seen, SLACK_MS } from './known.ts';

/** While all slots are served, the reserve is refilled so long after the last took its place. */
const REFILL_AFTER_MS = 250;

type Fork = Extract<Command, { readonly type: 'fork' }>;

/** Ends that say nothing about whether the app works. */
const HARMLESS: ReadonlySet<Reason | null> = new Set([
  'surplus',
  'stop',
  'force',
  'generation',
  'requests',
  'age',
]);

/** Forks: never too many, never too soon, never for nothing, and never too late. */
export class ForkChecks {
  readonly #known: Known;
  #bootFailures = 0;
  #deathAtMs = Number.NEGATIVE_INFINITY;
  #earlyDeaths = 0;
  #earlyDeathAtMs = Number.NEGATIVE_INFINITY;
  /** What failed boots and early deaths each allow, with all jitter and with none. */
  #boots = { notBeforeMs: 0, latestMs: 0 };
  #deaths = { notBeforeMs: 0, latestMs: 0 };
  /** Times of forks since something got ready or the user did something. */
  #forkedAtMs: number[] = [];
  /** Workers are missing, and only time stands against a fork. */
  #dueMs = Number.POSITIVE_INFINITY;
  #shares: number[] = [];
  #loop: { readonly config: PolicyConfig | null; readonly forksMax: number } = { config: null, forksMax: 0 };
  /** In this step. */
  #hasForked = false;

  constructor(known: Known) {
    this.#known = known;
  }

  /** A step begins. */
  before(): void {
    const { nowMs, lateMs } = this.#known;
    if (lateMs <= 0 && nowMs > this.#dueMs + SLACK_MS) {
      violated('idle-shortage', `workers are missing and nothing stood against a fork at ${this.#dueMs} ms`);
    }
  }

  reloaded(): void {
    this.#bootFailures = 0;
    this.#earlyDeaths = 0;
    this.#boots = { notBeforeMs: 0, latestMs: 0 };
    this.#deaths = { notBeforeMs: 0, latestMs: 0 };
    this.#forkedAtMs = [];
  }

  /** Who boots for a slot that is no more ends, and does not count; who boots in its place does. */
  scaled(): void {
    this.#forkedAtMs = [];
  }

  booted(): void {
    this.#forkedAtMs = [];
    this.#bootFailures = 0;
  }

  /** A worker ends, of itself (null) or by command. @returns whether that is one more boot that failed */
  ended(process: Process, reason: Reason | null, generation: number): boolean {
    if (process.endReason !== null || HARMLESS.has(reason)) return false;
    if (process.readyAtMs === null) return this.#bootFailed(process, generation);
    this.#died(process);
    return false;
  }

  #bootFailed(process: Process, generation: number): boolean {
    if (process.generation !== generation) return false;
    this.#bootFailures++;
    this.#boots = windowOf(this.#known.config.backoff, this.#bootFailures, this.#known.nowMs);
    return true;
  }

  #died(process: Process): void {
    const { nowMs, config } = this.#known;
    const { backoff } = config;
    const soonMs = backoff.stableMs + backoff.capMs;
    // It began before the last cause of death, and says nothing new about those that are forked since.
    if (process.forkedAtMs < this.#deathAtMs && nowMs - this.#deathAtMs <= soonMs) return;
    // Who must go goes on serving until somebody takes its place: that is no longer life.
    const diedAtMs = process.retiredAtMs ?? nowMs;
    this.#deathAtMs = diedAtMs;
    if (diedAtMs - (process.servingAtMs ?? process.readyAtMs ?? diedAtMs) >= backoff.stableMs) return;
    this.#earlyDeaths = nowMs - this.#earlyDeathAtMs > soonMs ? 1 : this.#earlyDeaths + 1;
    this.#earlyDeathAtMs = nowMs;
    const beyond = this.#earlyDeaths - backoff.free;
    if (beyond > 0) this.#deaths = windowOf(backoff, beyond, nowMs);
  }

  /** The next fork is of another generation, of which no boot failed; who died early may be of that. */
  reloadAborted(): void {
    this.#bootFailures = 0;
    this.#boots = { notBeforeMs: 0, latestMs: 0 };
    this.#forkedAtMs = [];
  }

  fork(command: Fork, booting: number): void {
    const { nowMs, config } = this.#known;
    const { boots, deaths } = { boots: this.#boots, deaths: this.#deaths };
    const soonestMs = Math.max(boots.notBeforeMs, deaths.notBeforeMs);
    if (nowMs < soonestMs - 1e-6) {
      violated(
        'back-off',
        `worker ${command.worker} is forked ${soonestMs - nowMs} ms before the back-off allows`,
      );
    }
    const boundMax = this.#bootFailures > 0 ? 1 : config.bootsMax;
    if (booting > boundMax) {
      violated('boots-max', `${booting} workers boot, ${boundMax} may (${this.#bootFailures} boots failed)`);
    }
    this.#hasForked = true;
    this.#forkedAtMs.push(nowMs);
    const { length } = this.#forkedAtMs;
    if (this.#bootFailures === 0 || (this.#forkedAtMs[0] ?? nowMs) <= nowMs - 10_000) return;
    if (this.#loop.config !== config) this.#loop = { config, forksMax: crashLoopForksMax(config) };
    const { forksMax } = this.#loop;
    if (length > forksMax)
      violated('fork-rate', `${length} forks within 10 s of a crash loop, at most ${forksMax}`);
  }

  after({ after, before }: Seen): void {
    const { nowMs, config } = this.#known;
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (after.workers === before.workers && after.config === before.config) {
      if (after.atMs !== nowMs) return;
    }
    if (after.goal !== 'run') return;
    let have = 0;
    let live = 0;
    let booting = 0;
    let slots = 0;
    let serving = 0;
    let refillMs = 0;
    for (const worker of after.workers) {
      if (!isScaledAway(worker)) live++;
      if (worker.phase === 'booting') booting++;
      if (worker.phase === 'serving') {
        have++;
        if (isFresh(after, worker)) serving++;
        const servingAtMs = this.#known.machine.processes[worker.id]?.servingAtMs ?? 0;
        refillMs = Math.max(refillMs, servingAtMs + REFILL_AFTER_MS);
      } else if ((worker.phase === 'booting' || worker.phase === 'standby') && isFresh(after, worker)) have++;
      if (worker.phase !== 'draining' && worker.phase !== 'ending' && worker.slot !== null) {
        slots |= 1 << worker.slot;
      }
    }
    if (serving < config.workers || config.slotBound) refillMs = 0;
    if (this.#hasForked && nowMs < refillMs - 1e-6)
      violated('refill', `a fork for the reserve ${refillMs - nowMs} ms before it is time`);
    const isShort = config.slotBound
      ? slots !== (1 << (config.workers + 1)) - 2
      : have < config.workers + config.standbys;
    if (this.#hasForked && !config.slotBound) this.#isNeeded(after, have);
    this.#hasForked = false;
    if (live >= config.workers + config.standbys + config.surge) return;
    if (!isShort || booting >= (this.#bootFailures > 0 ? 1 : config.bootsMax)) return;
    this.#dueMs = Math.max(this.#boots.latestMs, this.#deaths.latestMs, refillMs);
    if (nowMs >= this.#dueMs + 1e-6) {
      violated('idle-shortage', `${have} workers of ${config.workers} + ${config.standbys}, and no fork`);
    }
  }

  /** Nobody is forked who is not missed. */
  #isNeeded(after: PolicyState, have: number): void {
    const { workers, standbys } = after.config;
    const isReplacing = after.workers.some((worker) => worker.phase === 'serving' && !isFresh(after, worker));
    const wanted = workers + (isReplacing ? Math.max(1, standbys) : standbys);
    if (have > wanted) {
      violated('fork-for-nothing', `${have} workers are there or on their way, ${wanted} are wanted`);
    }
  }

  /** Each worker's share of the limits is its own. */
  share(limitShare: number): void {
    const { stagger } = this.#known.config.limits;
    if (!(limitShare <= 1 && limitShare >= 1 - stagger - 1e-9)) {
      violated('stagger', `a worker got ${limitShare} of its limits, stagger is ${stagger}`);
    }
    this.#shares.push(limitShare);
    if (stagger !== 0 && this.#shares.length === 4 && new Set(this.#shares).size <= 1) {
      violated('stagger', 'four workers got the same share of their limits: they would end together');
    }
  }
}

interface Window {
  readonly notBeforeMs: number;
  readonly latestMs: number;
}

function windowOf({ firstMs, capMs, jitter }: Backoff, failures: number, nowMs: number): Window {
  const fullMs = Math.min(capMs, firstMs * 2 ** (failures - 1));
  return { notBeforeMs: nowMs + fullMs * (1 - jitter), latestMs: nowMs + fullMs };
}

/** All that boot at first fail, then one at a time, each later than the one before by the back-off less all jitter. */
export function crashLoopForksMax({ bootsMax, backoff }: PolicyConfig): number {
  const { firstMs, capMs, jitter } = backoff;
  let forks = bootsMax;
  let atMs = 0;
  for (let failures = bootsMax; atMs <= 10_000; failures++) {
    atMs += Math.max(1, Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 30)) * (1 - jitter));
    forks++;
  }
  return forks;
}
