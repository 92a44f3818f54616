import type { Duration, ScheduleInput } from './inputs.ts';

/** At these times: `at('2s', '10s')`. */
export function at(...times: readonly [Duration, ...Duration[]]): ScheduleInput {
  return { type: 'at', at: times };
}

/**
 * Again and again: `every('3s', { jitter: 0.5 })`.
 *
 * `start` is the time of the first (default: one interval). `jitter`, 0..1, shifts each by up to half of that share of
 * the interval to either side.
 */
export function every(
  interval: Duration,
  options: { readonly start?: Duration; readonly jitter?: number } = {},
): ScheduleInput {
  return { type: 'every', every: interval, ...options };
}

/** Independent arrivals, on average one each `mean` and never two within `minGap` (default 0). */
export function poisson(options: { readonly mean: Duration; readonly minGap?: Duration }): ScheduleInput {
  return { type: 'poisson', ...options };
}

/** `count` injections spread evenly over `spread` (default 0: all at once) from `at`. */
export function burst(options: {
  readonly at: Duration;
  readonly count: number;
  readonly spread?: Duration;
}): ScheduleInput {
  return { type: 'burst', ...options };
}
