import type { ScenarioInput } from './inputs.ts';

// In the global registry: a scenario may come from another copy of this package than the one that reads it.
const DEFINED = Symbol.for('cluster-chaos.scenario');

/** A scenario made by `defineScenario`: plain data, with a mark that no JSON shows. */
export type DefinedScenario = ScenarioInput & { readonly [DEFINED]: true };

/**
 * Types a scenario for the editor and marks it for the loader. It checks nothing by itself: `chaos` does when it loads
 * the file, and then names everything that is wrong at once.
 */
export function defineScenario(input: ScenarioInput): DefinedScenario {
  return Object.defineProperty({ ...input }, DEFINED, { value: true }) as DefinedScenario;
}

/** Whether a value was made by `defineScenario`. */
export function isDefinedScenario(value: unknown): value is DefinedScenario {
  return typeof value === 'object' && value !== null && DEFINED in value;
}
