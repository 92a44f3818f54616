import type { Reason } from '../policy/model.ts';
import type { ServiceCounters } from '../settings.ts';

/** Counts since the supervisor started. */
export class Counters {
  forks = 0;
  connections = 0;
  regiven = 0;
  shed = 0;
  reloads = 0;
  reloadsAborted = 0;
  crashes = 0;
  readonly #ended: Partial<Record<Reason, number>> = {};

  ended(reason: Reason): void {
    this.#ended[reason] = (this.#ended[reason] ?? 0) + 1;
  }

  read(): ServiceCounters {
    const { forks, connections, regiven, shed, reloads, reloadsAborted, crashes } = this;
    return { forks, connections, regiven, shed, reloads, reloadsAborted, crashes, ended: { ...this.#ended } };
  }
}
