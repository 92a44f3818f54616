import type { Event, PolicyConfig, PolicyState, Step } from '../supervisor/policy/model.ts';
import { initialState, nextWakeMs, transition } from '../supervisor/policy/transition.ts';

/** The policy as the simulation calls it; mutation tests put broken ones in its place. */
export interface Policy {
  readonly initialState: (config: PolicyConfig, seed: number) => PolicyState;
  readonly transition: (state: PolicyState, event: Event, nowMs: number) => Step;
  readonly nextWakeMs: (state: PolicyState) => number | null;
}

export const POLICY: Policy = { initialState, transition, nextWakeMs };
