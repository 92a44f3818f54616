import { copyOfConfig } from '../supervisor/policy/copies.ts';
import type { Balance, PolicyConfig } from '../supervisor/policy/model.ts';
import { Dice } from './draw.ts';
import { makeTrouble } from './make-trouble.ts';
import { lifeMs, lifeMsMin, type Nature, type Trouble, type World } from './world.ts';

/** Troubles come in the first part of a world; the rest is for getting well. */
const TROUBLED_SHARE = 0.6;

/** The world of a seed. */
export function makeWorld(seed: number, seconds: number): World {
  const dice = new Dice(seed);
  const config = makeConfig(dice);
  const nature = makeNature(dice, config);
  const hasStop = dice.chance(0.15);
  const untilMs = Math.floor(seconds * 1000 * (hasStop ? dice.next() : TROUBLED_SHARE));
  const troubles: Trouble[] = [];
  for (let left = dice.whole(12, 28); left > 0; left--) {
    const atMs =
      dice.chance(0.3) && troubles.length > 0 ? near(dice, troubles, untilMs) : dice.whole(0, untilMs);
    troubles.push(makeTrouble(dice, atMs, config, nature));
  }
  if (hasStop) {
    const how = dice.of('stop', 'stop', 'force', 'both');
    if (how !== 'force') troubles.push({ type: 'stop', atMs: untilMs });
    if (how !== 'stop') troubles.push({ type: 'force', atMs: untilMs + dice.whole(0, 500) });
    if (dice.chance(0.3)) troubles.push(tooLate(dice, untilMs));
    if (dice.chance(0.3) && config.balance !== 'none') troubles.push(...allSilent(untilMs - 600));
    // Some are on their way out by then.
    const atMs = Math.max(0, untilMs - 200);
    troubles.push({ type: 'stuck-drains', atMs, forMs: 200 }, { type: 'asked-to-retire', atMs, pick: 0 });
  }
  troubles.sort((a, b) => a.atMs - b.atMs);
  return withLife({ version: 1, seed, seconds, config, nature, troubles });
}

/** Asked for once it stops, or has stopped: a stop stays a stop. */
function tooLate(dice: Dice, stopAtMs: number): Trouble {
  const atMs = stopAtMs + dice.of(dice.whole(1, 500), dice.whole(1, 9000));
  return dice.of<Trouble>(
    { type: 'stop', atMs },
    { type: 'reload', atMs, fate: 'good', config: {} },
    { type: 'scale', atMs, workers: dice.whole(1, 16) },
  );
}

/** One takes a connection and cannot say so yet, and nobody else can take it, until after the stop. */
function allSilent(fromMs: number): readonly Trouble[] {
  const atMs = Math.max(0, fromMs);
  return [
    { type: 'freeze-at-give', atMs, forMs: 900, how: 'after-check' },
    {
      type: 'burst',
      atMs,
      burst: { count: 1, overMs: 0, listener: 'a', sticky: 'no', heldMs: null },
    },
    { type: 'hang', atMs: atMs + 1, pick: 0, count: 99, forMs: 900 },
  ];
}

/** With limits on requests and age that workers can live by. */
function withLife(world: World): World {
  const config = copyOfConfig(world.config);
  const { rssBytes, rssTotalBytes, heapShare, stagger, ...life } = config.limits;
  const factor = Math.max(1, lifeMsMin(world) / lifeMs(world));
  const requests = life.requests === null ? null : life.requests * factor;
  const ageMs = life.ageMs === null ? null : life.ageMs * factor;
  config.limits = { rssBytes, rssTotalBytes, heapShare, requests, ageMs, stagger };
  return { ...world, config };
}

/** Close to one before: troubles seldom come alone. */
function near(dice: Dice, troubles: readonly Trouble[], untilMs: number): number {
  const other = troubles[dice.whole(0, troubles.length - 1)];
  return Math.min(untilMs, (other?.atMs ?? 0) + dice.whole(0, 400));
}

function makeConfig(dice: Dice): PolicyConfig {
  const slotBound = dice.chance(0.15);
  const suspectMs = dice.of(150, 250, 250, 400);
  const capMs = dice.of(500, 1000, 1700, 2000);
  return {
    workers: dice.chance(0.75) ? dice.whole(2, 5) : dice.whole(2, 16),
    standbys: slotBound ? 0 : dice.of(0, 1, 1, 1, 2),
    surge: dice.of(1, 1, 2),
    bootsMax: dice.of(1, 2, 2, 4, 8),
    bootMs: dice.of(1500, 2500, 4000),
    suspectMs,
    deadMs: suspectMs * dice.of(2, 4, 4),
    withdrawMs: suspectMs * dice.of(0.6, 0.8, 0.8, 1),
    drainMs: dice.of(0, 500, 1000, 2000, 3000),
    backoff: {
      free: dice.whole(0, 4),
      firstMs: Math.min(capMs, dice.of(50, 100, 500, 1000)),
      capMs,
      jitter: dice.of(0, 0.1, 0.3),
      stableMs: dice.of(500, 1000, 3000),
    },
    limits: {
      rssBytes: dice.chance(0.5) ? 100e6 : null,
      rssTotalBytes: null,
      heapShare: dice.chance(0.5) ? 0.8 : null,
      requests: dice.chance(0.15) ? dice.whole(1000, 4000) : null,
      ageMs: dice.chance(0.15) ? dice.whole(15_000, 40_000) : null,
      stagger: dice.of(0, 0.2, 0.5),
    },
    balance: dice.of<Balance>('round-robin', 'round-robin', 'least-connections', 'none'),
    handsMax: dice.of(1, 1, 2, 16),
    waitingMax: dice.of(0, 5, 30, 4096, 4096),
    spreadMs: dice.of(0, 300, 500, 500, 1500),
    stickyHoldMs: dice.of(0, 500, 2000),
    slotBound,
    reloadTries: dice.whole(1, 4),
  };
}

function makeNature(dice: Dice, { suspectMs, withdrawMs }: PolicyConfig): Nature {
  const bootMsMin = dice.of(20, 50, 50, 200);
  return {
    beatMs: suspectMs / 5,
    claimMs: Math.floor(withdrawMs * dice.of(0.5, 0.8)),
    bootMsMin,
    bootMsMax: bootMsMin * dice.of(1, 2, 5),
    takeMsMax: dice.of(1, 3, 10),
    exitMsMax: dice.of(2, 10),
    timerLateMs: dice.of(0, 0, 1, 2),
    listeners: dice.of(1, 1, 2),
    requestsPerSecond: 100,
    connectionMsMax: dice.of(20, 300, 2000),
  };
}
