import { z } from 'zod';
import { flag, gotAllowed, list, oneKindOf, oneOf, real, strict, whole } from '../scenario/schema-parts.ts';
import type { PolicyConfig } from '../supervisor/policy/model.ts';
import type { Burst, Nature, Trouble, World } from './world.ts';

// A world as a file has it. The bounds are about those of the options: where settings could not be so, rules break without
// any fault of the policy. What must hold between them is in `world.ts`.

const DAY_MS = 86_400_000;

const ms = (min = 0) => real({ min, max: DAY_MS, why: 'ms, at most a day' });
const count = (min: number, max: number) => whole({ min, max, why: 'a count' });
const atMs = ms();
const forMs = ms();
const pick = count(0, 1_000_000);
/** The checks keep slots as the bits of one number. */
const workers = count(1, 29);
const victims = { atMs, pick, count: count(0, 1024) };

const RSS_BYTES_MIN = 60e6;
const HEAP_SHARE_MIN = 0.3;
const ofStart = 'more than every worker has from its start';

const config: z.ZodType<PolicyConfig> = strict({
  workers,
  standbys: count(0, 64),
  surge: count(1, 64),
  bootsMax: count(1, 1024),
  bootMs: real({ min: 1001, max: DAY_MS, why: 'ms, longer than a slow boot' }),
  suspectMs: ms(1),
  deadMs: ms(1),
  withdrawMs: ms(1),
  drainMs: ms(),
  backoff: strict({
    free: count(0, 1000),
    firstMs: ms(1),
    capMs: ms(1),
    jitter: share(1),
    stableMs: ms(),
  }),
  limits: strict({
    rssBytes: real({ min: RSS_BYTES_MIN, max: 1e15, why: `bytes, ${ofStart}` }).nullable(),
    rssTotalBytes: z.null().default(null),
    heapShare: real({ min: HEAP_SHARE_MIN, max: 1, why: `a share, ${ofStart}` }).nullable(),
    requests: real({ min: 1, max: 1e12, why: 'requests' }).nullable(),
    ageMs: ms(1).nullable(),
    stagger: share(0.9),
  }),
  balance: oneOf(['round-robin', 'least-connections', 'none']),
  handsMax: count(1, 1024),
  waitingMax: count(0, 1_000_000),
  spreadMs: ms(),
  stickyHoldMs: ms(),
  slotBound: flag(),
  reloadTries: count(1, 100),
});

const nature: z.ZodType<Nature> = strict({
  beatMs: ms(5),
  claimMs: ms(1),
  bootMsMin: ms(1),
  bootMsMax: real({ min: 1, max: 1000, why: 'ms, a boot that nobody gives up' }),
  takeMsMax: ms(1),
  exitMsMax: ms(1),
  timerLateMs: real({ max: 2, why: 'ms, what the checks allow for' }),
  listeners: z.literal([1, 2], { error: ({ input }) => gotAllowed(input, '1, 2') }),
  requestsPerSecond: real({ min: 1, max: 1e6, why: 'a rate' }),
  connectionMsMax: ms(2),
});

const burst: z.ZodType<Burst> = strict({
  count: count(0, 1000),
  overMs: ms(),
  listener: oneOf(['a', 'b']),
  sticky: oneOf(['no', 'key', 'cookie']),
  heldMs: ms().nullable(),
});

function share(max: number): z.ZodNumber {
  return real({ max, why: 'a share' });
}

const TROUBLES = [
  strict({ type: z.literal('die'), ...victims }),
  strict({ type: z.literal('hang'), ...victims, forMs: forMs.nullable() }),
  strict({ type: z.literal('starve'), ...victims, forMs }),
  strict({
    type: z.literal('freeze-at-give'),
    atMs,
    forMs: forMs.nullable(),
    how: oneOf(['before-check', 'after-check', 'floods']),
  }),
  strict({ type: z.literal('leak'), atMs, pick, of: oneOf(['rss', 'heap']), fullMs: ms(1) }),
  strict({
    type: z.literal(['ipc-lost', 'ipc-flood', 'deaf', 'asked-to-retire', 'unhealthy']),
    atMs,
    pick,
  }),
  strict({ type: z.literal('flap'), atMs, pick, forMs }),
  strict({ type: z.literal('unlisten'), ...victims, forMs }),
  strict({
    type: z.literal('boots'),
    atMs,
    forMs,
    how: oneOf(['slow', 'never-ready', 'crash', 'crash-soon', 'fork-fails', 'leaky']),
    share: share(1),
  }),
  strict({ type: z.literal('slow-exits'), atMs, forMs, exitMs: ms() }),
  strict({ type: z.literal(['stuck-drains', 'away', 'pause']), atMs, forMs }),
  strict({
    type: z.literal('reload'),
    atMs,
    fate: oneOf(['good', 'crash', 'never-ready']),
    // What is drawn; the rest of a config could not be held against the world's nature.
    config: strict({
      workers: workers.exactOptional(),
      surge: count(1, 64).exactOptional(),
      bootsMax: count(1, 1024).exactOptional(),
    }),
  }),
  strict({ type: z.literal('scale'), atMs, workers }),
  strict({ type: z.literal('burst'), atMs, burst }),
  strict({ type: z.literal(['stop', 'force']), atMs }),
] as const;

const types = TROUBLES.flatMap(({ shape }) => [...shape.type.values]);
const trouble: z.ZodType<Trouble> = oneKindOf('type', types, TROUBLES);

export const worldSchema: z.ZodType<World> = strict({
  version: z.literal(1, { error: ({ input }) => gotAllowed(input, '1') }),
  seed: whole({ max: Number.MAX_SAFE_INTEGER, why: 'a seed' }),
  seconds: whole({ min: 1, max: 3600, why: 'virtual seconds' }),
  config,
  nature,
  troubles: list(trouble, { max: 10_000, why: 'troubles' }),
});
