import { ChaosError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import type { FaultKind } from '../model/ports.ts';
import { block } from './block.ts';
import { crashLoop } from './crash-loop.ts';
import { freeze } from './freeze.ts';
import { kill } from './kill.ts';
import { memorySpike } from './memory-spike.ts';
import { primaryKill } from './primary-kill.ts';
import { signal } from './signal.ts';

/**
 * The fault kinds that ship with the package and `extra` ones, by name.
 * @throws ChaosError 'usage' if two have the same name
 */
export function registry(extra: Iterable<FaultKind> = []): ReadonlyMap<string, FaultKind> {
  const kinds = new Map<string, FaultKind>();
  for (const kind of [kill, freeze, block, memorySpike, signal, crashLoop, primaryKill, ...extra]) {
    if (kinds.has(kind.kind)) {
      throw new ChaosError('usage', `there are two fault kinds named ${kind.kind}`, {
        hint: 'Give yours another name: a plan finds the kind by it.',
      });
    }
    kinds.set(kind.kind, kind);
  }
  return kinds;
}

export const builtinFaults: ReadonlyMap<string, FaultKind> = registry();

/**
 * The fault kind of that name.
 * @throws ChaosError 'usage' for an unknown name, with the nearest known
 */
export function faultKind(name: string, kinds: ReadonlyMap<string, FaultKind> = builtinFaults): FaultKind {
  const kind = kinds.get(name);
  if (kind) return kind;
  const names = [...kinds.keys()];
  const near = nearest(name, names);
  throw new ChaosError('usage', `unknown fault kind ${name}; known: ${names.join(', ')}`, {
    hint: near === undefined ? '`chaos faults` lists them.' : `Did you mean ${near}?`,
  });
}
