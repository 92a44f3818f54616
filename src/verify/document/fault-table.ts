import type { ReportFault } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { ms } from './numbers.ts';

/** The document is bounded; a plan with more faults than this is judged by all, and shows the first. */
const FAULTS_MAX = 1000;

export function faultTable(analysis: Analysis): ReportFault[] {
  const { faults, recoveries, attribution } = analysis;
  const errors = new Uint32Array(faults.length);
  for (const fault of attribution.fault) if (fault >= 0) errors[fault] = (errors[fault] ?? 0) + 1;
  return faults.slice(0, FAULTS_MAX).map((fault, index): ReportFault => {
    const recovery = recoveries[index];
    const steps = recovery?.steps;
    return {
      id: fault.id,
      kind: fault.kind,
      slots: [...fault.slots],
      pids: [...fault.pids],
      plannedAtMs: ms(fault.plannedAtMs),
      injectedAtMs: ms(fault.injectedAtMs),
      skewMs: fault.injectedAtMs === null ? null : ms(fault.injectedAtMs - fault.plannedAtMs),
      healedAtMs: ms(fault.healedAtMs),
      effective: fault.effective,
      expect: fault.expect,
      recovered: recovery?.recovered ?? null,
      recoveryMs: ms(recovery?.recoveryMs),
      reason: recovery?.reason ?? fault.problem,
      evidence: { ...fault.evidence },
      errors: errors[index] ?? 0,
      recovery: {
        noticedMs: ms(steps?.noticedMs),
        exitMs: ms(steps?.exitMs),
        forkMs: ms(steps?.forkMs),
        onlineMs: ms(steps?.onlineMs),
        listeningMs: ms(steps?.listeningMs),
        firstResponseMs: ms(steps?.firstResponseMs),
        goodputMs: ms(steps?.goodputMs),
      },
    };
  });
}
