import { formatCount, formatMs, formatRatio } from '../base/format.ts';
import type { Report } from '../model/report.ts';

/** A healthy server under a load that it sustains loses nothing; one in two hundred is left to the machine. */
const ERROR_SHARE_MAX = 0.005;
/** Share of the arrival rate that must have been answered. */
const ANSWERED_SHARE_MIN = 0.9;
const ANSWERS_MIN = 10;
/** What a noisy moment of the machine can spoil. */
const TIMING = /^(latency|throughput)\./;

/**
 * Whether a phase proves a steady state: its requests were answered, at the rate they came, by all workers. Judged on
 * the same document as the run itself.
 */
export function steadyState(
  report: Report,
  name: 'baseline' | 'recovery',
): { readonly proven: boolean; readonly reason: string } {
  const no = (reason: string): { readonly proven: false; readonly reason: string } => ({
    proven: false,
    reason,
  });
  const phase = report.phases.findLast((candidate) => candidate.name === name);
  if (!phase) return no(`there was no ${name} phase`);
  const answers = phase.requests - phase.errors;
  if (answers < ANSWERS_MIN) {
    return no(
      `only ${answers} answers in ${formatMs(phase.toMs - phase.fromMs)} of ${name}, at least ${ANSWERS_MIN} are needed`,
    );
  }
  const errorShare = phase.errors / phase.requests;
  if (errorShare > ERROR_SHARE_MAX) {
    return no(
      `${formatCount(phase.errors)} of ${formatCount(phase.requests)} requests failed in ${name} without any fault (${kinds(report)})`,
    );
  }
  const rate = report.run.ratePerSecond;
  if (rate !== null && phase.rps < rate * ANSWERED_SHARE_MIN) {
    return no(
      `${formatCount(phase.rps)} answers a second at ${formatCount(rate)} arrivals: the server does not keep up; lower --rate`,
    );
  }
  const broken = report.checks.find(
    ({ metric, window, verdict }) => window === name && TIMING.test(metric) && verdict !== 'pass',
  );
  if (broken) return no(broken.reason ?? `${broken.id} does not hold`);
  return {
    proven: true,
    reason: `${formatCount(phase.rps)} answers a second, ${formatRatio(1 - errorShare)} good`,
  };
}

function kinds(report: Report): string {
  return Object.entries(report.errors.byKind)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}
