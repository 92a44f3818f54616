import type { PolicyConfig } from '../supervisor/policy/model.ts';
import type { Dice } from './draw.ts';
import type { BootFate, Burst, Nature, Trouble } from './world.ts';

type Make = (dice: Dice, atMs: number, config: PolicyConfig, nature: Nature) => Trouble;

/** What may befall a world, and how often beside the others. */
const TROUBLES: readonly (readonly [weight: number, make: Make])[] = [
  [30, burst],
  [
    12,
    (dice, atMs, { workers }) => ({
      type: 'die',
      atMs,
      pick: dice.whole(0, 99),
      count: howMany(dice, workers),
    }),
  ],
  [
    10,
    (dice, atMs, { workers, deadMs }) => ({
      type: 'hang',
      atMs,
      pick: dice.whole(0, 99),
      count: howMany(dice, workers),
      forMs: dice.chance(0.3) ? null : dice.whole(50, 2 * deadMs),
    }),
  ],
  [
    1,
    (dice, atMs, { workers, deadMs }) => ({
      type: 'starve',
      atMs,
      pick: dice.whole(0, 99),
      count: howMany(dice, workers),
      forMs: dice.whole(300, 6 * deadMs),
    }),
  ],
  [
    7,
    (dice, atMs, { deadMs }) => ({
      type: 'freeze-at-give',
      atMs,
      forMs: dice.chance(0.3) ? null : dice.whole(20, 2 * deadMs),
      how: dice.of('before-check', 'before-check', 'after-check', 'after-check', 'floods'),
    }),
  ],
  [
    4,
    (dice, atMs) => ({
      type: 'leak',
      atMs,
      pick: dice.whole(0, 99),
      of: dice.of('rss', 'heap'),
      fullMs: dice.whole(100, 8000),
    }),
  ],
  [
    8,
    (dice, atMs) => ({
      type: dice.of('ipc-lost', 'ipc-flood', 'deaf', 'deaf', 'asked-to-retire', 'unhealthy'),
      atMs,
      pick: dice.whole(0, 99),
    }),
  ],
  [3, (dice, atMs) => ({ type: 'flap', atMs, pick: dice.whole(0, 99), forMs: dice.whole(500, 4000) })],
  [
    4,
    (dice, atMs) => ({
      type: 'unlisten',
      atMs,
      pick: dice.whole(0, 99),
      count: dice.of(1, 99, 99),
      forMs: dice.whole(10, 2000),
    }),
  ],
  [
    7,
    (dice, atMs) => ({
      type: 'boots',
      atMs,
      forMs: dice.whole(500, 12_000),
      how: dice.of<BootFate>('slow', 'never-ready', 'crash', 'crash', 'crash-soon', 'fork-fails', 'leaky'),
      share: dice.of(0.3, 1, 1),
    }),
  ],
  [
    3,
    (dice, atMs) => ({
      type: 'slow-exits',
      atMs,
      forMs: dice.whole(100, 5000),
      exitMs: dice.whole(50, 3000),
    }),
  ],
  [3, (dice, atMs) => ({ type: 'stuck-drains', atMs, forMs: dice.whole(100, 5000) })],
  [6, (dice, atMs) => ({ type: 'away', atMs, forMs: howLong(dice) })],
  [3, (dice, atMs) => ({ type: 'pause', atMs, forMs: howLong(dice) })],
  [6, reload],
  [4, (dice, atMs) => ({ type: 'scale', atMs, workers: dice.whole(1, 16) })],
];

const WEIGHT = TROUBLES.reduce((sum, [weight]) => sum + weight, 0);

export function makeTrouble(dice: Dice, atMs: number, config: PolicyConfig, nature: Nature): Trouble {
  let left = dice.next() * WEIGHT;
  for (const [weight, make] of TROUBLES) {
    left -= weight;
    if (left < 0) return make(dice, atMs, config, nature);
  }
  return burst(dice, atMs, config, nature);
}

/** One, several, or all. */
function howMany(dice: Dice, workers: number): number {
  return dice.of(1, 1, 1, dice.whole(1, workers), 99);
}

/** Too short to be noticed, just noticed, or long. */
function howLong(dice: Dice): number {
  return dice.of(dice.whole(5, 150), dice.whole(100, 1500), dice.whole(1000, 8000));
}

function burst(dice: Dice, atMs: number, { balance }: PolicyConfig, { listeners }: Nature): Trouble {
  const what: Burst = {
    // The operating system balances, and the primary sees no connection.
    count: balance === 'none' ? 0 : dice.of(1, 2, 4, 8, 12),
    overMs: dice.of(0, 5, 50, 1000),
    listener: listeners === 2 && dice.chance(0.5) ? 'b' : 'a',
    sticky: dice.chance(0.6) ? 'no' : dice.of('key', 'cookie'),
    heldMs: dice.chance(0.15) ? dice.whole(2000, 30_000) : null,
  };
  return { type: 'burst', atMs, burst: what };
}

function reload(dice: Dice, atMs: number): Trouble {
  const config: Partial<PolicyConfig> = {
    ...(dice.chance(0.3) && { workers: dice.whole(2, 16) }),
    ...(dice.chance(0.2) && { surge: dice.whole(1, 2), bootsMax: dice.whole(1, 4) }),
  };
  return { type: 'reload', atMs, fate: dice.of('good', 'good', 'crash', 'never-ready'), config };
}
