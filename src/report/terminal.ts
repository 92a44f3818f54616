import pc from 'picocolors';
import { formatCount, formatMs, formatValue } from '../base/format.ts';
import type { Reporter } from '../model/ports.ts';
import type { Report } from '../model/report.ts';
import { cutLine, oneLine } from './clean.ts';
import { type Colors, verdictPaint } from './paint.ts';
import {
  actualText,
  largestFirst,
  limitText,
  longestOutageIndex,
  metricText,
  noOutageText,
  rankedChecks,
  VERDICT_MARK,
  VERDICT_WORD,
} from './present.ts';
import { faultLines } from './terminal-faults.ts';
import { type Cell, textTable } from './text-table.ts';

/** Causes, leftovers and repeats beyond this are counted; the page lists them all. */
const ROWS_MAX = 20;

export interface SummaryOptions {
  readonly color: boolean;
  /** Where the page of this run is, as the user can open it. */
  readonly page: string;
}

/** The run in the terminal: the verdict first and last, and how to run it again right above the last line. */
export function terminalSummary(report: Report, { color, page }: SummaryOptions): string {
  const colors = pc.createColors(color);
  const verdict = verdictLine(report, colors);
  const sections = [
    [verdict, aboutLine(report, colors)],
    objectiveLines(report, colors),
    availabilityLines(report, colors),
    faultLines(report, colors),
    repeatLines(report, colors),
    leftoverLines(report, colors),
    instrumentLines(report, colors),
    [
      `${colors.dim('seed   ')} ${oneLine(report.run.seed)}`,
      `${colors.dim('again  ')} ${oneLine(report.run.replay)}`,
      `${colors.dim('report ')} ${oneLine(page)}`,
      verdict,
    ],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function verdictLine(report: Report, colors: Colors): string {
  const word = VERDICT_WORD[report.verdict];
  const badge = colors.isColorSupported
    ? colors.bold(colors.inverse(verdictPaint(colors, report.verdict)(` ${word} `)))
    : word;
  return `${badge} ${colors.bold(oneLine(report.run.scenario))}: ${oneLine(report.reason)}`;
}

function aboutLine({ run }: Report, colors: Colors): string {
  const rate = run.ratePerSecond === null ? 'closed loop' : formatValue(run.ratePerSecond, 'per-second');
  const parts = [
    oneLine(run.target),
    `${formatCount(run.workers)} workers`,
    rate,
    formatMs(run.durationMs),
    `seed ${oneLine(run.seed)}`,
    `Node ${oneLine(run.environment.node)}`,
  ];
  return colors.dim(parts.join(' · '));
}

function objectiveLines(report: Report, colors: Colors): string[] {
  if (report.checks.length === 0) return [colors.bold('Objectives'), '  none'];
  const rows = rankedChecks(report.checks).map(({ check }): Cell[] => {
    const paint = verdictPaint(colors, check.verdict);
    const because = check.verdict === 'pass' ? '' : (check.reason ?? '');
    const level = check.level === 'warn' && check.verdict !== 'pass' ? 'warning only. ' : '';
    return [
      { text: VERDICT_MARK[check.verdict], paint },
      { text: cutLine(metricText(check), 48) },
      { text: limitText(check), paint: colors.dim },
      check.verdict === 'pass' ? { text: actualText(check) } : { text: actualText(check), paint },
      { text: cutLine(level + because, 240) },
    ];
  });
  const columns = [
    { title: '', align: 'left' },
    { title: 'metric', align: 'left' },
    { title: 'limit', align: 'left' },
    { title: 'actual', align: 'right' },
    { title: '', align: 'left' },
  ] as const;
  return [colors.bold('Objectives'), ...textTable({ columns, rows, head: colors.dim, indent: '  ' })];
}

function availabilityLines(report: Report, colors: Colors): string[] {
  const { availability: seen, errors } = report;
  const interval =
    seen.low === null || seen.high === null
      ? ''
      : ` (${formatValue(seen.low, 'share')} to ${formatValue(seen.high, 'share')})`;
  const outage = report.outages[longestOutageIndex(report)];
  const lines = [
    colors.bold('Availability'),
    `  by request  ${formatValue(seen.ratio, 'share')} of ${formatCount(seen.requests)}${interval}`,
    `  by time     ${formatValue(seen.byTime, 'share')}, longest outage ${outage === undefined ? noOutageText(report) : formatMs(outage.durationMs)}`,
    `  failed      ${formatCount(errors.total)}, of them ${formatCount(errors.unattributed)} unattributed`,
  ];
  const causes = largestFirst(errors.byCause);
  const rows = causes
    .slice(0, ROWS_MAX)
    .map(([cause, count]): Cell[] => [{ text: formatCount(count) }, { text: cutLine(cause, 60) }]);
  const columns = [
    { title: '', align: 'right' },
    { title: '', align: 'left' },
  ] as const;
  return [...lines, ...textTable({ columns, rows, head: colors.dim, indent: '              ' })];
}

function repeatLines(report: Report, colors: Colors): string[] {
  if (report.repeats === undefined || report.repeats.length === 0) return [];
  const shown = report.repeats.slice(0, ROWS_MAX * 5);
  const rows = shown.map((run): Cell[] => [
    { text: VERDICT_MARK[run.verdict], paint: verdictPaint(colors, run.verdict) },
    { text: cutLine(run.seed, 40) },
    { text: formatValue(run.availability, 'share') },
    { text: formatCount(run.errors) },
    { text: formatValue(run.recoveryMsMax, 'ms', 'none') },
    { text: run.verdict === 'pass' ? '' : cutLine(run.reason, 160) },
  ]);
  const columns = [
    { title: '', align: 'left' },
    { title: 'seed', align: 'left' },
    { title: 'availability', align: 'right' },
    { title: 'failed', align: 'right' },
    { title: 'slowest recovery', align: 'right' },
    { title: '', align: 'left' },
  ] as const;
  const passed = report.repeats.filter((run) => run.verdict === 'pass').length;
  const title = `${colors.bold('Runs')} ${passed} of ${report.repeats.length} passed`;
  return [title, ...textTable({ columns, rows, head: colors.dim, indent: '  ' })];
}

function leftoverLines({ leftovers }: Report, colors: Colors): string[] {
  if (leftovers.processes.length + leftovers.ports.length === 0) return [];
  const lines = [
    ...leftovers.processes.map(({ pid, command }) => `  process ${pid}  ${cutLine(command, 120)}`),
    ...leftovers.ports.map((port) => `  port ${port}`),
  ];
  const more = lines.length > ROWS_MAX ? [`  ${formatCount(lines.length - ROWS_MAX)} more`] : [];
  return [colors.bold(colors.red('Left behind')), ...lines.slice(0, ROWS_MAX), ...more];
}

/** Only what a reader should doubt: the whole account is in the page. */
function instrumentLines({ harness, run }: Report, colors: Colors): string[] {
  const doubts = [...run.blind];
  if (harness.droppedSamples > 0) doubts.push(`${formatCount(harness.droppedSamples)} samples were dropped`);
  return doubts.slice(0, ROWS_MAX).map((doubt) => colors.yellow(`! ${cutLine(doubt, 240)}`));
}

export const terminalReporter: Reporter = {
  name: 'terminal',
  render: (report, output) =>
    output.stdout(terminalSummary(report, { color: output.color, page: `${output.dir}/report.html` })),
};
