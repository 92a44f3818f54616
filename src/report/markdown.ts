import { formatCount, formatMs, formatValue } from '../base/format.ts';
import type { Reporter } from '../model/ports.ts';
import type { Report } from '../model/report.ts';
import { cutLine } from './clean.ts';
import {
  actualText,
  largestFirst,
  limitText,
  longestOutageIndex,
  metricText,
  noOutageText,
  rankedChecks,
  recoveredText,
  slotsText,
  VERDICT_MARK,
  VERDICT_WORD,
} from './present.ts';

/** A job's summary page holds 1 MiB; more rows than this nobody reads there. */
const ROWS_MAX = 50;

/** The run on one page of GitHub-flavoured Markdown. */
export function markdownSummary(report: Report): string {
  const { run } = report;
  const parts = [
    `## ${VERDICT_MARK[report.verdict]} ${VERDICT_WORD[report.verdict]}: ${text(run.scenario)}`,
    text(report.reason),
    `Seed ${code(run.seed)} · ${formatMs(run.durationMs)} · ${formatCount(run.workers)} workers · ${code(run.target)}`,
    `Run it again: ${code(run.replay)}`,
    '### Objectives',
    table(
      ['', 'metric', 'limit', 'actual', 'reason'],
      rankedChecks(report.checks).map(({ check }) => [
        VERDICT_MARK[check.verdict],
        code(metricText(check)) + (check.level === 'warn' ? ' (warning)' : ''),
        text(limitText(check)),
        text(actualText(check)),
        check.verdict === 'pass' ? '' : text(check.reason ?? ''),
      ]),
    ),
    availability(report),
    errors(report),
    '### Faults',
    table(
      ['fault', 'slot', 'at', 'what the server did', 'failed requests'],
      report.faults.map((fault) => [
        code(fault.id),
        slotsText(fault),
        formatValue(fault.injectedAtMs, 'ms', 'never'),
        text(recoveredText(fault)),
        formatCount(fault.errors),
      ]),
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

function availability(report: Report): string {
  const { availability: seen } = report;
  const outage = report.outages[longestOutageIndex(report)];
  const longest = outage === undefined ? noOutageText(report) : formatMs(outage.durationMs);
  return (
    `**Availability** ${formatValue(seen.ratio, 'share')} of ${formatCount(seen.requests)} requests, ` +
    `by time ${formatValue(seen.byTime, 'share')}; longest outage ${longest}.`
  );
}

function errors(report: Report): string {
  const causes = largestFirst(report.errors.byCause).map(
    ([cause, count]) => `${formatCount(count)} ${code(cause)}`,
  );
  const list = causes.length === 0 ? '' : `: ${causes.slice(0, ROWS_MAX).join(', ')}`;
  return `**Failed requests** ${formatCount(report.errors.total)}, of them ${formatCount(report.errors.unattributed)} unattributed${list}.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return 'None.';
  const lines = [head, head.map(() => '---'), ...rows.slice(0, ROWS_MAX)].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
  if (rows.length > ROWS_MAX) lines.push('', `${formatCount(rows.length - ROWS_MAX)} more in report.html.`);
  return lines.join('\n');
}

/** Foreign text as text: no markup, no link, no mention, no end of the table's cell. */
function text(value: string): string {
  return cutLine(value, 600)
    .replace(/[\\`*_{}[\]#|~!()]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/@(?=\w)/g, '@\u200B')
    .replace(/:\/\//g, ':\u200B//');
}

/** Foreign text as code. A pipe would end the table's cell even there, a backtick the code. */
function code(value: string): string {
  const safe = cutLine(value, 300).replace(/`/g, 'ˋ').replace(/\|/g, '∣');
  return safe === '' ? '' : `\`${safe}\``;
}

export const markdownReporter: Reporter = {
  name: 'markdown',
  render: (report, output) => output.file('summary.md', markdownSummary(report)),
};
