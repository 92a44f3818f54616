import { ChaosError, unreachable } from '../base/errors.ts';
import type { Schedule } from '../model/fault.ts';
import { drawExponential, type Rng } from './seeded-rng.ts';

/** Injections in one plan, at most: more would be one every 9 s for a whole day. */
export const PLANNED_FAULTS_MAX = 10_000;

/** An injection's number in its own stream, from 0, and its time. Both are kept when others are left out. */
export interface Arrival {
  readonly index: number;
  readonly atMs: number;
}

/**
 * When a schedule fires before `endMs`, in whole ms, in order. Each arrival draws from a stream of its own number, so
 * that its time does not depend on how many others there are.
 *
 * @throws ChaosError 'usage' with more than `PLANNED_FAULTS_MAX` arrivals
 */
export function scheduleTimes(schedule: Schedule, endMs: number, rng: Rng): readonly Arrival[] {
  const arrivals: Arrival[] = [];
  for (const atMs of times(schedule, endMs, rng)) {
    if (arrivals.length >= PLANNED_FAULTS_MAX) {
      throw new ChaosError('usage', `a plan holds at most ${PLANNED_FAULTS_MAX} injections`, {
        hint: 'Make the schedule sparser or the chaos phase shorter.',
      });
    }
    // `+ 0` makes a 0 of -0, which JSON would not keep.
    arrivals.push({ index: arrivals.length, atMs: Math.round(atMs) + 0 });
  }
  return arrivals;
}

function times(schedule: Schedule, endMs: number, rng: Rng): Iterable<number> {
  switch (schedule.type) {
    case 'at':
      return schedule.atMs;
    case 'every':
      return everyTimes(schedule, endMs, rng);
    case 'poisson':
      return poissonTimes(schedule, endMs, rng);
    case 'burst':
      return burstTimes(schedule);
    default:
      return unreachable(schedule);
  }
}

function* everyTimes(
  { everyMs, startMs, jitter }: Extract<Schedule, { type: 'every' }>,
  endMs: number,
  rng: Rng,
): Iterable<number> {
  // The last ones may be shifted from after the end to before it.
  const lastMs = endMs + (jitter * everyMs) / 2;
  for (let n = 0; startMs + n * everyMs <= lastMs; n++) {
    yield startMs + n * everyMs + (rng.fork(String(n)).next() - 0.5) * jitter * everyMs;
  }
}

function* poissonTimes(
  { meanMs, minGapMs }: Extract<Schedule, { type: 'poisson' }>,
  endMs: number,
  rng: Rng,
): Iterable<number> {
  // The minimal gap is part of the mean, so that `mean` is what it says.
  const drawnMs = meanMs - minGapMs;
  let atMs = 0;
  for (let n = 0; ; n++) {
    const gapMs = (n === 0 ? 0 : minGapMs) + drawnMs * drawExponential(rng.fork(String(n)));
    // Rounded up here, so that rounding never makes a gap smaller than the minimum.
    atMs = Math.ceil(atMs + gapMs);
    if (atMs >= endMs) return;
    yield atMs;
  }
}

function* burstTimes({ atMs, count, spreadMs }: Extract<Schedule, { type: 'burst' }>): Iterable<number> {
  const stepMs = count > 1 ? spreadMs / (count - 1) : 0;
  for (let n = 0; n < count; n++) yield atMs + n * stepMs;
}
