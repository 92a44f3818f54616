import type { PolicyConfig } from '../supervisor/policy/model.ts';

/** All that decides what happens in one simulated world; plain JSON, so that it can be kept and played again. */
export interface World {
  readonly version: 1;
  /** For the policy's own draws and for how long things take in this world. */
  readonly seed: number;
  readonly seconds: number;
  readonly config: PolicyConfig;
  readonly nature: Nature;
  /** In order of time. */
  readonly troubles: readonly Trouble[];
}

/** What is normal in a world. Where a range is given, each worker and connection has its own value. */
export interface Nature {
  readonly beatMs: number;
  /** A worker drops connections unread that are older than this. Below the policy's `withdrawMs`. */
  readonly claimMs: number;
  readonly bootMsMin: number;
  readonly bootMsMax: number;
  /** From being given a connection to taking it. */
  readonly takeMsMax: number;
  /** From the end of a process to the primary's notice of it. */
  readonly exitMsMax: number;
  /** By how much the primary's timers are late. */
  readonly timerLateMs: number;
  /** Each worker listens on 'a', or on 'a' and 'b'. */
  readonly listeners: 1 | 2;
  readonly requestsPerSecond: number;
  /** How long a connection stays, but for those that are held. */
  readonly connectionMsMax: number;
}

/** `pick`: which of those it could befall when it comes; so an event keeps its meaning when others are left out. */
export type Trouble =
  /** SIGKILL from outside, a crash, out of memory. */
  | { readonly type: 'die'; readonly atMs: number; readonly pick: number; readonly count: number }
  /** The event loop stands still; `null`: for ever. */
  | {
      readonly type: 'hang';
      readonly atMs: number;
      readonly pick: number;
      readonly count: number;
      readonly forMs: number | null;
    }
  /** The machine gives it no time; the primary sees that in the process table. */
  | {
      readonly type: 'starve';
      readonly atMs: number;
      readonly pick: number;
      readonly count: number;
      readonly forMs: number;
    }
  /**
   * Whoever is given the next connection stands still at once: before it looks at the connection's age, after it did and
   * took it and before it said so, or in the midst of flooding its channel.
   */
  | {
      readonly type: 'freeze-at-give';
      readonly atMs: number;
      readonly forMs: number | null;
      readonly how: 'before-check' | 'after-check' | 'floods';
    }
  | {
      readonly type: 'leak';
      readonly atMs: number;
      readonly pick: number;
      readonly of: 'rss' | 'heap';
      readonly fullMs: number;
    }
  | {
      readonly type: 'ipc-lost' | 'ipc-flood' | 'deaf' | 'asked-to-retire' | 'unhealthy';
      readonly atMs: number;
      readonly pick: number;
    }
  /** Its beats are late, about as late as makes it a suspect. */
  | { readonly type: 'flap'; readonly atMs: number; readonly pick: number; readonly forMs: number }
  /** It closes its server, and listens again later. */
  | {
      readonly type: 'unlisten';
      readonly atMs: number;
      readonly pick: number;
      readonly count: number;
      readonly forMs: number;
    }
  /** For a while, boots (some, or all) end so. */
  | {
      readonly type: 'boots';
      readonly atMs: number;
      readonly forMs: number;
      readonly how: BootFate;
      readonly share: number;
    }
  /** For a while, exits are seen late (a process in uninterruptible sleep). */
  | { readonly type: 'slow-exits'; readonly atMs: number; readonly forMs: number; readonly exitMs: number }
  /** For a while, drains that begin never end. */
  | { readonly type: 'stuck-drains'; readonly atMs: number; readonly forMs: number }
  /** The primary alone is stopped, or busy: what it is told waits unread. */
  | { readonly type: 'away'; readonly atMs: number; readonly forMs: number }
  /** The whole machine stands still, and the clock goes on. */
  | { readonly type: 'pause'; readonly atMs: number; readonly forMs: number }
  | {
      readonly type: 'reload';
      readonly atMs: number;
      readonly fate: 'good' | 'crash' | 'never-ready';
      readonly config: Partial<PolicyConfig>;
    }
  | { readonly type: 'scale'; readonly atMs: number; readonly workers: number }
  | { readonly type: 'burst'; readonly atMs: number; readonly burst: Burst }
  | { readonly type: 'stop' | 'force'; readonly atMs: number };

/** `crash-soon`: it gets ready and dies soon after. `fork-fails`: there is never a process. */
export type BootFate = 'slow' | 'never-ready' | 'crash' | 'crash-soon' | 'fork-fails' | 'leaky';

export interface Burst {
  readonly count: number;
  /** From the first to the last. */
  readonly overMs: number;
  readonly listener: 'a' | 'b';
  /** Clients that come back with the same key, and with a cookie that names a slot. */
  readonly sticky: 'no' | 'key' | 'cookie';
  /** Held open for so long; null: as usual. */
  readonly heldMs: number | null;
}

/**
 * The shortest life that limits on requests and age must leave each worker, in ms: in less time than it takes to replace
 * all others, one by one and each after a drain to its deadline, no policy could keep up with them.
 */
export function lifeMsMin({ config, nature, troubles }: World): number {
  let workers = config.workers;
  for (const trouble of troubles) {
    if (trouble.type === 'scale') workers = Math.max(workers, trouble.workers);
    if (trouble.type === 'reload') workers = Math.max(workers, trouble.config.workers ?? 0);
  }
  return (workers + config.standbys + 1) * (nature.bootMsMax + config.drainMs + nature.exitMsMax);
}

/** A worker's shortest life under its limits on requests and age, in ms. */
export function lifeMs({ config: { limits }, nature }: World): number {
  const requestsMs = ((limits.requests ?? Number.POSITIVE_INFINITY) / nature.requestsPerSecond) * 1000;
  return Math.min(requestsMs, limits.ageMs ?? Number.POSITIVE_INFINITY) * (1 - limits.stagger);
}

/** What must hold between a world's numbers; where it does not, rules break without any fault of the policy. */
const BETWEEN: readonly (readonly [what: string, holds: (world: World) => boolean])[] = [
  [
    'config.suspectMs must be at least 3 times nature.beatMs',
    ({ config, nature }) => config.suspectMs >= 3 * nature.beatMs,
  ],
  ['config.deadMs must be more than config.suspectMs', ({ config }) => config.deadMs > config.suspectMs],
  [
    'config.withdrawMs must be at most config.suspectMs',
    ({ config }) => config.withdrawMs <= config.suspectMs,
  ],
  [
    'config.backoff.firstMs must be at most config.backoff.capMs',
    ({ config }) => config.backoff.firstMs <= config.backoff.capMs,
  ],
  [
    'config.limits must let a worker live for as long as it takes to replace all others',
    // Drawn worlds are often just there, give or take the rounding.
    (world) => lifeMs(world) >= lifeMsMin(world) * (1 - 1e-9),
  ],
  ['nature.takeMsMax must be less than nature.claimMs', ({ nature }) => nature.takeMsMax < nature.claimMs],
  ['nature.bootMsMin must be at most nature.bootMsMax', ({ nature }) => nature.bootMsMin <= nature.bootMsMax],
  [
    'config.standbys must be 0 with config.slotBound',
    ({ config }) => config.standbys === 0 || !config.slotBound,
  ],
  [
    'a burst on b needs nature.listeners 2',
    ({ nature, troubles }) =>
      nature.listeners === 2 || !troubles.some((it) => it.type === 'burst' && it.burst.listener === 'b'),
  ],
  [
    "a burst with config.balance 'none' must have count 0: the primary sees no connection",
    ({ config, troubles }) =>
      config.balance !== 'none' || !troubles.some((it) => it.type === 'burst' && it.burst.count > 0),
  ],
  [
    'troubles must be in order of their atMs',
    ({ troubles }) =>
      troubles.every(({ atMs }, index) => index === 0 || atMs >= (troubles[index - 1]?.atMs ?? 0)),
  ],
];

/** The first thing that does not hold between a world's numbers; null when all does. */
export function atOdds(world: World): string | null {
  return BETWEEN.find(([, holds]) => !holds(world))?.[0] ?? null;
}
