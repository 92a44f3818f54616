/** Times in ms that apps give. Loaded by apps that run alone, too: it touches nothing. */
import type { AskOptions } from './bus.cts';
import type { HealthOptions } from './health.cts';

const ASK_MS = 5000;
const HEALTH_MS = 5000;
/** More often, the asking itself is the load. */
const HEALTH_MS_MIN = 10;
/** The longest that a timer of Node waits: a longer one ends after 1 ms. */
const MS_MAX = 2 ** 31 - 1;

/** @throws TypeError when it is no number, RangeError when it is not from `min` to 2^31-1 */
function checked(name: string, ms: unknown, min: number): number {
  const expected = `${name}: expected a time from ${min} to ${MS_MAX} ms`;
  if (typeof ms !== 'number') throw new TypeError(`${expected}, got ${typeof ms}`);
  if (!(ms >= min && ms <= MS_MAX)) throw new RangeError(`${expected}, got ${ms}`);
  return ms;
}

/** How long an answer is waited for, in ms. Throws as `checked` does. */
function timeoutMsOf(options: AskOptions | null | undefined): number {
  return checked('timeoutMs', options?.timeoutMs ?? ASK_MS, 1);
}

/** How often health is asked for, in ms. Throws as `checked` does. */
function everyMsOf(options: HealthOptions | null | undefined): number {
  return checked('everyMs', options?.everyMs ?? HEALTH_MS, HEALTH_MS_MIN);
}

const times = { timeoutMsOf, everyMsOf };
export type Times = typeof times;
module.exports = times;
