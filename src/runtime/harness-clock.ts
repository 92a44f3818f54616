import { monotonicMs, runClock } from './clock.ts';
import { sleep } from './wait.ts';

/** Node's timers fire up to 1 ms early and some ms late: wake this much before, then spin. */
const SPIN_MS = 2;

/** So long before an exact moment nothing else is begun: a look at the process tree takes some ms on a busy machine. */
const QUIET_MS = 25;

/** The real clock of a run, with exact timers. */
export function harnessClock(zeroMs: number = monotonicMs()): {
  readonly zeroMs: number;
  now(): number;
  isQuiet(): boolean;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  until(atMs: number, signal?: AbortSignal): Promise<void>;
} {
  const clock = runClock(zeroMs);
  let dueMs = Number.POSITIVE_INFINITY;
  return {
    ...clock,
    sleep,
    isQuiet: () => clock.now() > dueMs - QUIET_MS,
    async until(atMs, signal) {
      dueMs = atMs;
      await sleep(atMs - clock.now() - SPIN_MS, signal);
      // Nothing can abort while we spin: the loop is ours alone.
      if (!signal?.aborted) while (clock.now() < atMs);
      dueMs = Number.POSITIVE_INFINITY;
    },
  };
}
