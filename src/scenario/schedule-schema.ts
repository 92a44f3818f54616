import { z } from 'zod';
import { unreachable } from '../base/errors.ts';
import { parseDuration } from '../base/units.ts';
import type { Schedule, ScheduledFault } from '../model/fault.ts';
import { DURATIONS, LIMITS } from './limits.ts';
import { duration, gotAllowed, list, oneKindOf, real, strict, whole } from './schema-parts.ts';

const at = strict({
  type: z.literal('at'),
  at: list(duration(DURATIONS.time), { min: 1, max: 1000, why: 'a denser schedule is every() or poisson()' }),
});

const every = strict({
  type: z.literal('every'),
  every: duration(DURATIONS.interval),
  start: duration(DURATIONS.time).optional(),
  jitter: real(LIMITS.jitter).default(0),
});

const poisson = strict({
  type: z.literal('poisson'),
  mean: duration(DURATIONS.interval),
  minGap: duration(DURATIONS.time).default(0),
}).superRefine(({ mean, minGap }, context) => {
  if (minGap < mean) return;
  const message = `got ${minGap} ms; allowed: less than the mean, ${mean} ms (the mean gap includes it)`;
  context.addIssue({ code: 'custom', path: ['minGap'], message });
});

const burst = strict({
  type: z.literal('burst'),
  at: duration(DURATIONS.time),
  count: whole(LIMITS.burst),
  spread: duration(DURATIONS.time).default(0),
});

/** `schedule` of a fault. */
export const scheduleSchema = oneKindOf(
  'type',
  ['at', 'every', 'poisson', 'burst'],
  [at, every, poisson, burst],
).transform((input): Schedule => {
  switch (input.type) {
    case 'at':
      return { type: 'at', atMs: [...input.at].sort((a, b) => a - b) };
    case 'every': {
      const { every: everyMs, start: startMs = everyMs, jitter } = input;
      return { type: 'every', everyMs, startMs, jitter };
    }
    case 'poisson':
      return { type: 'poisson', meanMs: input.mean, minGapMs: input.minGap };
    case 'burst':
      return { type: 'burst', atMs: input.at, count: input.count, spreadMs: input.spread };
    default:
      return unreachable(input);
  }
});

const TO = "a duration such as '28s', or '-2s' to count back from the end of the chaos phase";

/** `to` of a window; <= 0 counts back from the end. */
const windowEnd = z
  .union([z.string(), z.number()], { error: ({ input }) => gotAllowed(input, TO) })
  .transform((value, context) => {
    const text = String(value).trim();
    const back = text.startsWith('-');
    const ms = parseDuration(back ? text.slice(1) : text);
    if (ms !== undefined && ms <= DURATIONS.time.max) return back ? -Math.round(ms) : Math.round(ms);
    context.addIssue({ code: 'custom', message: gotAllowed(value, TO) });
    return z.NEVER;
  });

/** `window` of a fault. */
export const windowSchema = strict({
  from: duration(DURATIONS.time).default(0),
  to: windowEnd.optional(),
})
  .superRefine(({ from, to }, context) => {
    if (to === undefined || to < 0 || to > from) return;
    const message = `got ${to} ms; allowed: later than from, ${from} ms`;
    context.addIssue({ code: 'custom', path: ['to'], message });
  })
  .transform(({ from, to }): ScheduledFault['window'] => ({ fromMs: from, toMs: to ?? 0 }))
  .nullable()
  .default(null);
