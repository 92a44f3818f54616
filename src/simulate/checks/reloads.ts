import type { PolicyState } from '../../supervisor/policy/model.ts';
import { violated } from '../violation.ts';
import type { Known, Seen } from './known.ts';

/** A boot under ordinary conditions, an exit, and what else adds up, generously. */
const ORDINARY_MS = 1000;

/** How long the policy may need once no trouble comes any more. */
export const boundMs = {
  /** All drain, then all are killed. */
  stop: ({ config, machine }: Known): number => config.drainMs + machine.world.nature.exitMsMax + 100,
  /**
   * What hung is dead, what never gets ready is given up, and so is a reload to it; then, at worst one by one, each worker
   * is replaced, and each drain runs into its deadline, or its replacement waits for the back-off: who had to go early counts
   * as an early death.
   */
  whole: ({ config, machine }: Known): number => {
    const { deadMs, bootMs, backoff, drainMs, workers, standbys, reloadTries } = config;
    const { bootMsMax, exitMsMax } = machine.world.nature;
    const oneMs = bootMsMax + Math.max(drainMs, backoff.capMs) + exitMsMax;
    return (
      deadMs + (reloadTries + 2) * (bootMs + backoff.capMs) + (workers + standbys + 2) * oneMs + ORDINARY_MS
    );
  },
} as const;

/** A reload ends once, reloaded or aborted, and aborts only when the new generation fails. */
export class ReloadChecks {
  readonly #known: Known;
  #failures = 0;

  constructor(known: Known) {
    this.#known = known;
  }

  after(seen: Seen): void {
    const { after } = seen;
    const { reloadSinceMs, nowMs, machine, config } = this.#known;
    this.#acted(seen);
    if (after.goal !== 'run') return;
    if ((after.reloadFrom !== null) !== (reloadSinceMs !== null)) {
      violated(
        'reload-ends',
        reloadSinceMs === null ? 'a reload goes on that ended' : 'a reload is over untold',
      );
    }
    if (reloadSinceMs === null) return;
    if (this.#failures >= config.reloadTries)
      violated('reload-ends', `${this.#failures} boots failed in a row, and the reload goes on`);
    const isLate = nowMs > Math.max(reloadSinceMs, machine.troubledUntilMs) + boundMs.whole(this.#known);
    if (isLate) violated('reload-ends', `a reload runs for ${nowMs - reloadSinceMs} ms`);
  }

  /** What the user asked for; a reload once it stops is none. */
  #acted({ event, before, after }: Seen): void {
    if (event.type === 'scale' && after.config.workers !== event.workers)
      violated('acted', `scaled to ${event.workers}, and ${after.config.workers} workers are wanted`);
    if (event.type !== 'reload') return;
    const isRunning = before.goal === 'run';
    if ((after.generation !== before.generation) !== isRunning)
      violated('acted', `a reload, goal ${before.goal}, and forks are of generation ${after.generation}`);
    if (after.config !== (isRunning ? event.config : before.config))
      violated('acted', `a reload, goal ${before.goal}, and the settings are others`);
  }

  /** Another generation begins, or a worker of this one got ready. */
  booted(): void {
    this.#failures = 0;
  }

  /** Counted before the policy sees it. */
  bootFailed(): void {
    this.#failures++;
  }

  ended(how: 'reloaded' | 'reload-aborted', after: PolicyState): void {
    const known = this.#known;
    if (known.reloadSinceMs === null) {
      violated('reload-ends', `${how}, and no reload was in progress`);
    }
    known.reloadSinceMs = null;
    if (how === 'reloaded') {
      const isWhole =
        after.workers.every((worker) => worker.generation >= after.wantedGeneration) &&
        after.workers.filter((worker) => worker.phase === 'serving').length >= after.config.workers;
      if (!isWhole) {
        violated('reload-ends', 'reloaded, and old workers are left or some are missing');
      }
      return;
    }
    if (this.#failures < known.config.reloadTries) {
      violated('reload-ends', `a reload is given up after ${this.#failures} failed boots in a row`);
    }
  }
}
