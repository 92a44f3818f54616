import { PHASES, type PhaseName } from '../model/phase.ts';
import type { Progress } from '../model/ports.ts';
import type { PhaseDurations } from '../model/scenario.ts';

/** All slots ready for this long: settled. */
export const SETTLED_MS = 1000;

/** What is planned to come after a phase, ms; settling is expected to take no longer than it must. */
export function laterMs(phases: PhaseDurations, phase: Progress['phase']): number {
  if (phase === 'stop' || phase === 'judge') return 0;
  const planned: Readonly<Record<PhaseName, number>> = {
    warmup: phases.warmupMs,
    baseline: phases.baselineMs,
    chaos: phases.chaosMs,
    settle: Math.min(SETTLED_MS, phases.settleMs),
    recovery: phases.recoveryMs,
  };
  const index = PHASES.findIndex((candidate) => candidate === phase);
  return PHASES.slice(index + 1).reduce((sum, later) => sum + planned[later], 0);
}
