import type { TracedStep } from './describe.ts';
import { makeWorld } from './make-world.ts';
import { POLICY, type Policy } from './policy-port.ts';
import { type Broken, type Outcome, runWorld } from './run-world.ts';
import { type Shrunk, shrink } from './shrink.ts';
import type { World } from './world.ts';

/** One world in so many has its states held against their JSON, one in so many gets every beat: both are slow. */
const STRICT_EVERY = 1021;
const EXACT_EVERY = 5003;

/** Sums over worlds. */
export interface Totals {
  readonly worlds: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly forks: number;
  readonly connections: number;
  /** By type: how many found something to befall. */
  readonly troubles: Readonly<Record<string, number>>;
}

export const NOTHING: Totals = {
  worlds: 0,
  virtualMs: 0,
  steps: 0,
  forks: 0,
  connections: 0,
  troubles: {},
};

/** Plays the world of a seed as strictly as its turn is. */
export function playSeed(seed: number, seconds: number, policy: Policy = POLICY): Outcome {
  return runWorld(makeWorld(seed, seconds), { policy, ...howStrict(seed) });
}

function howStrict(seed: number): { readonly isStrict: boolean; readonly isExact: boolean } {
  return { isStrict: seed % STRICT_EVERY === 1, isExact: seed % EXACT_EVERY === 2 };
}

export function addTotals(a: Totals, b: Totals): Totals {
  const troubles: Record<string, number> = { ...a.troubles };
  for (const [type, count] of Object.entries(b.troubles)) troubles[type] = (troubles[type] ?? 0) + count;
  return {
    worlds: a.worlds + b.worlds,
    virtualMs: a.virtualMs + b.virtualMs,
    steps: a.steps + b.steps,
    forks: a.forks + b.forks,
    connections: a.connections + b.connections,
    troubles,
  };
}

/** Plays seeds `from` to `until - 1`, and stops at the first that breaks a rule. */
export function playSeeds(range: {
  readonly from: number;
  readonly until: number;
  readonly seconds: number;
  readonly policy?: Policy;
}): { readonly totals: Totals; readonly brokenSeed: number | null } {
  const sums = { worlds: 0, virtualMs: 0, steps: 0, forks: 0, connections: 0 };
  const troubles: Record<string, number> = {};
  let brokenSeed: number | null = null;
  for (let seed = range.from; seed < range.until && brokenSeed === null; seed++) {
    const outcome = playSeed(seed, range.seconds, range.policy);
    sums.worlds++;
    sums.virtualMs += outcome.virtualMs;
    sums.steps += outcome.steps;
    sums.forks += outcome.forks;
    sums.connections += outcome.connections;
    for (const [type, count] of outcome.troubles) troubles[type] = (troubles[type] ?? 0) + count;
    if (outcome.broken !== null) brokenSeed = seed;
  }
  return { totals: { ...sums, troubles }, brokenSeed };
}

/** Plays a world again, and keeps what the policy was told and did. */
export function traceWorld(
  world: World,
  policy: Policy = POLICY,
): { readonly outcome: Outcome; readonly trace: readonly TracedStep[] } {
  const trace: TracedStep[] = [];
  const outcome = runWorld(world, {
    policy,
    ...howStrict(world.seed),
    onStep: (step) => void trace.push(step),
  });
  return { outcome, trace };
}

/** Makes the world of a seed that broke a rule as small as it gets. */
export function shrinkWorld(world: World, broken: Broken, policy: Policy = POLICY): Shrunk {
  const strictly = howStrict(world.seed);
  return shrink(world, broken, (smaller) => runWorld(smaller, { policy, ...strictly }).broken);
}
