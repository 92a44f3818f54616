import type { Reporter } from '../model/ports.ts';
import type { Report } from '../model/report.ts';
import { cutLine, oneLine } from './clean.ts';
import { markdownSummary } from './markdown.ts';
import { actualText, limitText, metricText, rankedChecks, VERDICT_WORD } from './present.ts';

/** GitHub shows ten annotations of each level a step; the rest is in the summary. */
const ANNOTATIONS_MAX = 10;
/** Of one annotation's message; GitHub cuts at 4 kB. */
const MESSAGE_CHARS_MAX = 1000;

/** Workflow commands, one a line: what is broken, then the verdict with the way to run it again. */
export function githubAnnotations(report: Report): string {
  const lines = rankedChecks(report.checks)
    .filter(({ check }) => check.verdict !== 'pass')
    .slice(0, ANNOTATIONS_MAX - 1)
    .map(({ check }) => {
      const level = check.level === 'warn' ? 'warning' : 'error';
      const because = check.reason === undefined ? '' : `. ${check.reason}`;
      const message = `${metricText(check)} is ${actualText(check)}, must be ${limitText(check)}${because}`;
      return command(level, `chaos ${report.run.scenario}: ${check.verdict}`, message);
    });
  const { run } = report;
  const again = `${report.reason}. Seed ${run.seed}; run it again: ${run.replay}`;
  const level = report.verdict === 'pass' ? 'notice' : 'error';
  lines.push(command(level, `chaos ${run.scenario}: ${VERDICT_WORD[report.verdict]}`, again));
  return `${lines.join('\n')}\n`;
}

function command(level: 'error' | 'warning' | 'notice', title: string, message: string): string {
  return `::${level} title=${escapeProperty(cutLine(title, 200))}::${escapeData(cutLine(message, MESSAGE_CHARS_MAX))}`;
}

/** The runner's own escaping (actions/toolkit, command.ts). */
function escapeData(text: string): string {
  return oneLine(text).replace(/%/g, '%25');
}

function escapeProperty(text: string): string {
  return escapeData(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
}

export const githubReporter: Reporter = {
  name: 'github',
  render: (report, output) => {
    output.stdout(githubAnnotations(report));
    output.stepSummary?.(markdownSummary(report));
  },
};
