import type { JudgeInput } from '../model/ports.ts';
import type { Report } from '../model/report.ts';

/** Judges a run from its journal and samples: pure, and also for a journal that breaks off. */
export function judge(_input: JudgeInput): Report {
  throw new Error('not written yet');
}
