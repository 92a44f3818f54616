import type { Selector } from '../model/fault.ts';

/** All workers. */
export function all(): Selector {
  return { pick: 'all' };
}

/** `count` random workers, drawn from the seed when the plan is made. */
export function random(count = 1): Selector {
  return { pick: 'random', count };
}

/** These workers, by number from 1. */
export function slot(...slots: readonly [number, ...number[]]): Selector {
  return { pick: 'slot', slots };
}

/** The process that supervises the workers. */
export function primary(): Selector {
  return { pick: 'primary' };
}

/** The worker that was started last, at the moment of injection. */
export function lastStarted(): Selector {
  return { pick: 'last-started' };
}
