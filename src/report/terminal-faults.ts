import { formatCount, formatValue } from '../base/format.ts';
import type { Report, ReportFault } from '../model/report.ts';
import { cutLine } from './clean.ts';
import type { Colors } from './paint.ts';
import { RECOVERY_STEPS, recoveredText, slotsText } from './present.ts';
import { type Cell, textTable } from './text-table.ts';

/** More faults than this push the verdict off the screen. */
const FAULTS_MAX = 30;

/** One line a fault: what it hit, what it cost, and when each step of the recovery came. */
export function faultLines(report: Report, colors: Colors): string[] {
  const { faults } = report;
  const effective = faults.filter((fault) => fault.effective).length;
  const title = `${colors.bold('Faults')} ${formatCount(effective)} of ${formatCount(faults.length)} took effect`;
  if (faults.length === 0) return [title];
  const columns = [
    { title: 'fault', align: 'left' },
    { title: 'slot', align: 'left' },
    { title: 'at', align: 'right' },
    { title: 'failed', align: 'right' },
    ...RECOVERY_STEPS.map(({ label }) => ({ title: label, align: 'right' as const })),
    { title: '', align: 'left' },
  ] as const;
  const rows = worstFirst(faults)
    .slice(0, FAULTS_MAX)
    .sort((a, b) => faults.indexOf(a) - faults.indexOf(b))
    .map((fault) => faultRow(fault, colors));
  const more = faults.length - rows.length;
  return [
    title,
    ...textTable({ columns, rows, head: colors.dim, indent: '  ' }),
    ...(more > 0 ? [colors.dim(`  ${formatCount(more)} more, no worse than these, in report.html`)] : []),
  ];
}

function faultRow(fault: ReportFault, colors: Colors): Cell[] {
  const bad = isBad(fault);
  const steps = RECOVERY_STEPS.map(({ key }): Cell => {
    const value = fault.recovery[key];
    return value === null ? { text: '–', paint: colors.dim } : { text: formatValue(value, 'ms') };
  });
  return [
    { text: cutLine(fault.id, 32), paint: bad ? colors.red : colors.cyan },
    { text: cutLine(slotsText(fault), 16) },
    { text: formatValue(fault.injectedAtMs, 'ms', 'never') },
    { text: formatCount(fault.errors) },
    ...steps,
    { text: cutLine(remark(fault), 160), paint: bad ? colors.red : colors.dim },
  ];
}

/** What the numbers do not say. */
function remark(fault: ReportFault): string {
  const plain = fault.effective && fault.recovered === true && fault.expect === 'replaced';
  const parts = [plain ? '' : recoveredText(fault), fault.reason ?? ''];
  return parts.filter((part) => part !== '').join(': ');
}

function isBad(fault: ReportFault): boolean {
  return fault.recovered === false || !fault.effective;
}

function worstFirst(faults: readonly ReportFault[]): ReportFault[] {
  const badness = (fault: ReportFault): number => (isBad(fault) ? Infinity : (fault.recoveryMs ?? 0));
  return faults.slice().sort((a, b) => {
    const [x, y] = [badness(a), badness(b)];
    return x === y ? 0 : y - x;
  });
}
