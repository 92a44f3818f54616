import { monotonicMs, runClock } from './clock.ts';
import { sleep } from './wait.ts';

/** Node's timers fire up to 1 ms early and some ms late: wake this much before, then spin. */
const SPIN_MS = 2;

/** The real clock of a run, with exact timers. */
export function harnessClock(zeroMs: number = monotonicMs()): {
  readonly zeroMs: number;
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  until(atMs: number, signal?: AbortSignal): Promise<void>;
} {
  const clock = runClock(zeroMs);
  return {
    ...clock,
    sleep,
    async until(atMs, signal) {
      await sleep(atMs - clock.now() - SPIN_MS, signal);
      if (signal?.aborted) return;
      // Nothing can abort while we spin: the loop is ours alone.
      while (clock.now() < atMs);
    },
  };
}
