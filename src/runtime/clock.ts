import type { RunClock } from '../model/ports.ts';

/** CLOCK_MONOTONIC in ms: one clock for all processes of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A run's clock, 0 at `zeroMs` (default: now). */
export function runClock(zeroMs: number = monotonicMs()): RunClock {
  return { zeroMs, now: () => monotonicMs() - zeroMs };
}
