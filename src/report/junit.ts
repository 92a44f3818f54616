import junitReportBuilder, { type Builder, type TestCase } from 'junit-report-builder';
import type { Reporter } from '../model/ports.ts';
import type { Report, ReportCheck } from '../model/report.ts';
import { cutLine, oneLine } from './clean.ts';
import { actualText, limitText, metricText } from './present.ts';

/** The module itself is the builder; its types call that `default` (CommonJS seen from an ES module). */
const junit = junitReportBuilder as unknown as Builder;

/** One suite a run, one case an objective. Inconclusive is an error: CI must not read it as a success. */
export function junitXml(report: Report): string {
  const builder = junit.newBuilder();
  const suite = builder
    .testSuite()
    .name(oneLine(`chaos: ${report.run.scenario}`))
    .time(report.run.durationMs / 1000)
    .property('verdict', report.verdict)
    .property('seed', oneLine(report.run.seed))
    .property('replay', oneLine(report.run.replay))
    .property('planHash', oneLine(report.run.planHash));
  for (const check of report.checks) {
    const testCase = suite
      .testCase()
      .name(oneLine(check.id))
      .className(oneLine(`chaos.${report.run.scenario}`));
    addOutcome(testCase, check, report);
  }
  const told = report.checks.some((check) => check.verdict !== 'pass' && check.level === 'error');
  if (report.verdict !== 'pass' && !told) {
    const testCase = suite
      .testCase()
      .name('the run itself')
      .className(oneLine(`chaos.${report.run.scenario}`));
    if (report.verdict === 'fail') testCase.failure(oneLine(report.reason), 'fail');
    else testCase.error(oneLine(report.reason), 'inconclusive');
  }
  return builder.build();
}

function addOutcome(testCase: TestCase, check: ReportCheck, report: Report): void {
  const message = `${metricText(check)} is ${actualText(check)}, must be ${limitText(check)}`;
  const because = check.reason === undefined ? '' : `: ${check.reason}`;
  const text = oneLine(message + because);
  if (check.verdict === 'pass') return;
  if (check.level === 'warn') {
    testCase.skipped();
    testCase.standardOutput(`warning, does not fail the run: ${text}`);
    return;
  }
  const again = `seed: ${oneLine(report.run.seed)}\nagain: ${oneLine(report.run.replay)}`;
  if (check.verdict === 'fail') {
    testCase.failure(cutLine(text, 500), 'fail').stacktrace(`${text}\n${again}`);
  } else {
    testCase.error(cutLine(text, 500), 'inconclusive', `${text}\n${again}`);
  }
}

export const junitReporter: Reporter = {
  name: 'junit',
  render: (report, output) => output.file('junit.xml', `${junitXml(report)}\n`),
};
