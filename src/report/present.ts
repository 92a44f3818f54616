import { formatMs, formatValue } from '../base/format.ts';
import type { Report, ReportCheck, ReportFault } from '../model/report.ts';
import type { Verdict } from '../model/verdict.ts';

/** Pure readings of the judged document that several reporters share, so that they all say the same. */

export const VERDICT_WORD: Readonly<Record<Verdict, string>> = {
  pass: 'PASS',
  fail: 'FAIL',
  inconclusive: 'INCONCLUSIVE',
};

export const VERDICT_MARK: Readonly<Record<Verdict, string>> = { pass: '✓', fail: '✗', inconclusive: '?' };

/** The steps of a recovery, in the order in which they should happen. */
export const RECOVERY_STEPS = [
  { key: 'noticedMs', label: 'noticed' },
  { key: 'exitMs', label: 'exit' },
  { key: 'forkMs', label: 'fork' },
  { key: 'onlineMs', label: 'online' },
  { key: 'listeningMs', label: 'listening' },
  { key: 'firstResponseMs', label: 'first answer' },
  { key: 'goodputMs', label: 'goodput' },
] as const satisfies readonly { key: keyof ReportFault['recovery']; label: string }[];

/** `recovery.p95@fault`. */
export function metricText(check: ReportCheck): string {
  return `${check.metric}@${check.window}`;
}

/** `< 1 s`. */
export function limitText(check: ReportCheck): string {
  return `${check.op} ${formatValue(check.limit, check.unit)}`;
}

/** What stands where a check has no number. */
export function absentText(check: ReportCheck): string {
  return check.verdict === 'inconclusive' ? 'not measured' : 'never';
}

export function actualText(check: ReportCheck): string {
  return formatValue(check.actual, check.unit, absentText(check));
}

/** Broken first, then what could not be told, then met; errors before warnings; else as given. */
export function rankedChecks(checks: readonly ReportCheck[]): { check: ReportCheck; index: number }[] {
  return checks
    .map((check, index) => ({ check, index }))
    .sort((a, b) => rank(a.check) - rank(b.check) || a.index - b.index);
}

function rank(check: ReportCheck): number {
  const byVerdict = { fail: 0, inconclusive: 2, pass: 4 }[check.verdict];
  return byVerdict + (check.level === 'warn' ? 1 : 0);
}

export function slotsText(fault: ReportFault): string {
  return fault.slots.length > 0 ? fault.slots.join(', ') : 'primary';
}

/** Whether the target did about the fault what was demanded of it. */
export function recoveredText(fault: ReportFault): string {
  if (fault.injectedAtMs === null) return 'not injected';
  if (!fault.effective) return 'no effect proven';
  if (fault.recovered === null) return fault.expect === 'any' ? 'nothing demanded' : 'not known';
  if (fault.expect === 'survives') return fault.recovered ? 'unharmed' : 'harmed';
  if (!fault.recovered) return 'never recovered';
  return fault.recoveryMs === null ? 'recovered' : `recovered in ${formatMs(fault.recoveryMs)}`;
}

/** A record's entries, largest first, ties by name. */
export function largestFirst(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

/** The outage that lasted longest; the list is sorted, a foreign one may not be. */
export function longestOutageIndex(report: Report): number {
  let best = -1;
  report.outages.forEach((outage, index) => {
    if (best < 0 || outage.durationMs > (report.outages[best]?.durationMs ?? 0)) best = index;
  });
  return best;
}

/** What stands where no outage was found: nobody may have looked. */
export function noOutageText(report: Report): string {
  return report.availability.byTime === null ? 'not measured' : 'none seen';
}

/** How the target was watched and what that leaves unseen, one sentence each. */
export function visibilityText(report: Report): string {
  switch (report.run.visibility) {
    case 'agent':
      return 'an agent inside every process';
    case 'process-table':
      return 'the process table only';
    case null:
      return 'not at all';
    default:
      return String(report.run.visibility);
  }
}
