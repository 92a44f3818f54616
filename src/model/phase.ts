/**
 * The parts of a run, in order. Faults are injected only in `chaos`; `settle` is the time that the supervisor is
 * given to finish its last recovery before `recovery` is measured.
 */
export const PHASES = ['warmup', 'baseline', 'chaos', 'settle', 'recovery'] as const;
export type PhaseName = (typeof PHASES)[number];

/** What an objective may be judged over: the whole run, one phase, or each fault's own episode. */
export const WINDOWS = ['run', 'baseline', 'chaos', 'recovery', 'fault'] as const;
export type WindowName = (typeof WINDOWS)[number];
