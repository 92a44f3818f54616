import { builtinFaults } from '../faults/registry.ts';
import type { JudgeInput } from '../model/ports.ts';
import type { Report } from '../model/report.ts';
import { judge } from '../verify/judge.ts';

/** Judges a run; the document also says how its fault kinds are drawn, so that presentation needs nothing else. */
export function judgeRun(input: JudgeInput): Report {
  const report = judge(input);
  const used = new Set(report.faults.map((fault) => fault.kind));
  const faultKinds = Object.fromEntries(
    [...builtinFaults.values()].filter(({ kind }) => used.has(kind)).map(({ kind, band }) => [kind, band]),
  );
  return { ...report, faultKinds };
}
