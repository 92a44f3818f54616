import type { Broken } from './run-world.ts';
import { atOdds, type World } from './world.ts';

/** Plays a world; null when every rule held. */
export type Play = (world: World) => Broken | null;

export interface Shrunk {
  readonly world: World;
  readonly broken: Broken;
  /** Worlds played to get there. */
  readonly tries: number;
}

/** Enough for any world of this size; a bound all the same. */
const TRIES_MAX = 4000;

/**
 * The smallest world found that breaks the same rule: first with fewer troubles (delta debugging, Zeller and Hildebrandt
 * 2002), then with plainer numbers, until nothing more can go. The same world always shrinks to the same.
 */
export function shrink(world: World, broken: Broken, play: Play): Shrunk {
  const search = new Search(world, broken, play);
  for (let before = ''; before !== JSON.stringify(search.world); ) {
    before = JSON.stringify(search.world);
    search.dropTroubles();
    search.plainTroubles();
    search.plainConfig();
  }
  return { world: search.world, broken: search.broken, tries: search.tries };
}

class Search {
  world: World;
  broken: Broken;
  tries = 0;
  readonly #play: Play;

  constructor(world: World, broken: Broken, play: Play) {
    this.world = world;
    this.broken = broken;
    this.#play = play;
    // What comes later cannot have mattered.
    this.#accept({ ...world, troubles: world.troubles.filter(({ atMs }) => atMs <= broken.atMs) });
  }

  #accept(world: World): boolean {
    if (this.tries >= TRIES_MAX) return false;
    this.tries++;
    const broken = this.#play(world);
    if (broken?.rule !== this.broken.rule) return false;
    this.world = world;
    this.broken = broken;
    return true;
  }

  /** Ever smaller chunks are left out, as long as the rule still breaks. */
  dropTroubles(): void {
    for (let size = this.world.troubles.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < this.world.troubles.length; ) {
        const { troubles } = this.world;
        const left = [...troubles.slice(0, at), ...troubles.slice(at + size)];
        if (!this.#accept({ ...this.world, troubles: left })) at += size;
      }
    }
  }

  plainTroubles(): void {
    for (let at = 0; at < this.world.troubles.length; at++) {
      const trouble = this.world.troubles[at];
      if (trouble === undefined) continue;
      for (const path of numbersIn(trouble)) this.#plain(['troubles', at, ...path]);
    }
  }

  plainConfig(): void {
    for (const part of ['config', 'nature'] as const) {
      for (const path of numbersIn(this.world[part])) {
        // These two guard each other: a world in which they do not is none that can be.
        if (path.at(-1) === 'claimMs' || path.at(-1) === 'withdrawMs') continue;
        this.#plain([part, ...path]);
      }
    }
  }

  /** Tries plainer values for one number; times keep their order. */
  #plain(path: Path): void {
    const value = at(this.world, path);
    if (typeof value !== 'number') return;
    for (const plainer of plainerThan(value)) {
      const world = put(this.world, path, plainer) as World;
      if (isSane(world) && this.#accept(world)) return;
    }
  }
}

type Path = readonly (string | number)[];

/** Paths of all numbers in a value. */
function numbersIn(value: unknown): readonly Path[] {
  if (typeof value === 'number') return [[]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    numbersIn(part).map((path) => [Array.isArray(value) ? Number(key) : key, ...path]),
  );
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<string | number, unknown>)[key], value);
}

function put(value: unknown, [key, ...rest]: Path, leaf: number): unknown {
  if (key === undefined) return leaf;
  const copy = Array.isArray(value) ? value.slice() : { ...(value as object) };
  const parts = copy as Record<string | number, unknown>;
  parts[key] = put(parts[key], rest, leaf);
  return copy;
}

/** From plainest: 0, 1, then rounder, then half. */
function plainerThan(value: number): readonly number[] {
  const round = [1000, 100, 10, 1].map((unit) => Math.floor(value / unit) * unit);
  return [0, 1, 2, ...round, Math.floor(value / 2)].filter(
    (plainer, index, all) => plainer < value && plainer >= 0 && all.indexOf(plainer) === index,
  );
}

const RSS_MIN = 60e6;
const HEAP_MIN = 0.3;

/** Numbers that no settings could have would break rules of their own. */
function isSane(world: World): boolean {
  const { config, nature, troubles } = world;
  return (
    config.workers >= 1 &&
    config.surge >= 1 &&
    config.bootsMax >= 1 &&
    config.handsMax >= 1 &&
    config.reloadTries >= 1 &&
    config.bootMs > 1000 &&
    config.backoff.firstMs >= 1 &&
    config.limits.stagger < 1 &&
    // Above what every worker has from its start, else each is replaced for ever.
    (config.limits.rssBytes ?? RSS_MIN) >= RSS_MIN &&
    (config.limits.heapShare ?? HEAP_MIN) >= HEAP_MIN &&
    nature.beatMs >= 5 &&
    nature.takeMsMax >= 1 &&
    nature.bootMsMin >= 1 &&
    nature.exitMsMax >= 1 &&
    nature.listeners >= 1 &&
    nature.requestsPerSecond >= 1 &&
    nature.connectionMsMax >= 2 &&
    troubles.every((trouble) => trouble.type !== 'scale' || trouble.workers >= 1) &&
    troubles.every((trouble) => trouble.type !== 'leak' || trouble.fullMs >= 1) &&
    troubles.every((trouble) => trouble.type !== 'reload' || (trouble.config.workers ?? 1) >= 1) &&
    atOdds(world) === null
  );
}
