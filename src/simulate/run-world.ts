import { unreachable } from '../base/errors.ts';
import type { Command, Event } from '../supervisor/policy/model.ts';
import { befall } from './befall.ts';
import { hashed } from './draw.ts';
import type { Item } from './item.ts';
import { Machine } from './machine.ts';
import { POLICY, type Policy } from './policy-port.ts';
import { Primary } from './primary.ts';
import type { Offered } from './process.ts';
import { Violation } from './violation.ts';
import type { Burst, Trouble, World } from './world.ts';

export interface RunOptions {
  readonly policy?: Policy;
  /** Deliver every beat, as the real primary does, instead of only those that say something new. */
  readonly isExact?: boolean;
  /** Hold each state that the policy is given and returns against its JSON: slow. */
  readonly isStrict?: boolean;
  readonly onStep?: (seen: {
    readonly event: Event;
    readonly commands: readonly Command[];
    readonly atMs: number;
  }) => void;
}

export interface Broken {
  readonly rule: string;
  readonly message: string;
  readonly atMs: number;
  /** Which call of `transition`, from 1. */
  readonly step: number;
}

export interface Outcome {
  readonly broken: Broken | null;
  readonly steps: number;
  readonly virtualMs: number;
  readonly forks: number;
  readonly connections: number;
  /** Troubles that found something to befall, by type. */
  readonly troubles: ReadonlyMap<Trouble['type'], number>;
}

/** More steps than any world needs: a policy that wakes itself for ever. */
const STEPS_MAX = 400_000;

/** Plays a world to its end, or to the first rule that does not hold. */
export function runWorld(world: World, options: RunOptions = {}): Outcome {
  const machine: Machine = new Machine(world, () => primary, options.isExact ?? false);
  const primary: Primary = new Primary(options.policy ?? POLICY, machine, {
    isStrict: options.isStrict ?? false,
    ...(options.onStep && { onStep: options.onStep }),
  });
  const troubles = new Map<Trouble['type'], number>();
  let broken: Broken | null = null;
  try {
    play(machine, primary, troubles);
    primary.checks.end(primary.state);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    broken = { rule: error.rule, message: error.message, atMs: machine.nowMs, step: primary.steps };
  }
  return {
    broken,
    steps: primary.steps,
    virtualMs: machine.nowMs,
    forks: machine.processes.length,
    connections: machine.offered.length,
    troubles,
  };
}

function play(machine: Machine, primary: Primary, troubles: Map<Trouble['type'], number>): void {
  const endMs = machine.world.seconds * 1000;
  const { timerLateMs } = machine.world.nature;
  while (primary.steps < STEPS_MAX) {
    const itemMs = machine.calendar.nextMs;
    const wakeMs = Math.max(machine.nowMs, primary.wakeMs + timerLateMs, primary.awayUntilMs);
    const nextMs = Math.min(itemMs, wakeMs);
    if (nextMs > endMs && !primary.isAway && primary.checks.isSettled(primary.state)) return;
    if (nextMs === Number.POSITIVE_INFINITY) return;
    machine.nowMs = nextMs;
    primary.checks.time(primary.state);
    if (itemMs <= wakeMs) {
      const item = machine.calendar.take();
      if (item !== undefined) happen(item, machine, primary, troubles);
    } else primary.wake();
  }
  throw new Violation('busy', `more than ${STEPS_MAX} steps`);
}

function happen(
  item: Item,
  machine: Machine,
  primary: Primary,
  troubles: Map<Trouble['type'], number>,
): void {
  switch (item.type) {
    case 'trouble': {
      const { type } = item.trouble;
      if (befall(item.trouble, machine, primary)) troubles.set(type, (troubles.get(type) ?? 0) + 1);
      return;
    }
    case 'arrive':
      return arrive(item, machine, primary);
    case 'booted':
      return machine.booted(item.process);
    case 'listen':
      return machine.listen(item.process);
    case 'die':
      return machine.end(item.process);
    case 'turn':
      return machine.channels.turn(item.process);
    case 'told':
      return machine.pulse.told(item.process);
    case 'resume':
      return machine.resume(item.process);
    case 'look':
      return machine.look(item.process);
    case 'unflap':
      return machine.pulse.unflap(item.process);
    case 'dying':
      return machine.dying(item.process);
    case 'gone':
      return machine.gone(item.process);
    case 'cut':
      return machine.cutOff(item.process);
    case 'flood':
      return machine.flood(item.process);
    case 'failed':
      return primary.deliver({ type: 'fork-failed', worker: item.process.id });
    case 'beat':
      return machine.pulse.beat(item.process, item.round);
    case 'close':
      return machine.channels.close(item.connection);
    case 'back':
      return primary.back();
    case 'swept':
      return machine.sweep();
    default:
      return unreachable(item);
  }
}

/** Keys that clients come back with; few, so that they do come back. */
const KEYS = 12;

function arrive(item: Extract<Item, { type: 'arrive' }>, machine: Machine, primary: Primary): void {
  const { burst, index, startMs } = item;
  const { offered, nowMs } = machine;
  // Nobody accepts any more; one may have been on its way.
  if (index >= burst.count || (primary.state.goal !== 'run' && index > 0)) return;
  const id = offered.length;
  const { key, slot } = identity(burst, machine.world.seed, id, machine.world.config.workers);
  const connection: Offered = {
    id,
    listener: burst.listener,
    key,
    slot,
    sinceMs: nowMs,
    heldMs: burst.heldMs,
    fate: 'waits',
    taker: null,
    lastGivenTo: null,
    lastGivenAtMs: 0,
    leftTo: null,
    doubled: false,
  };
  offered.push(connection);
  // Accepted when the primary is there to do it; until then it waits in the kernel's queue.
  primary.offer({ id, listener: burst.listener, key, slot, sinceMs: nowMs });
  if (index + 1 < burst.count) {
    const nextMs = startMs + Math.floor(((index + 1) * burst.overMs * 4) / burst.count) / 4;
    machine.calendar.add(nextMs, { type: 'arrive', burst, index: index + 1, startMs });
  }
}

function identity(
  burst: Burst,
  seed: number,
  id: number,
  workers: number,
): { readonly key: number | null; readonly slot: number | null } {
  if (burst.sticky === 'no') return { key: null, slot: null };
  const client = Math.floor(hashed(seed, id, 11) * KEYS);
  const key = Math.floor(hashed(seed, client, 12) * 4_294_967_296);
  if (burst.sticky === 'key') return { key, slot: null };
  return { key: client % 2 === 0 ? key : null, slot: 1 + Math.floor(hashed(seed, id, 13) * (workers + 1)) };
}
