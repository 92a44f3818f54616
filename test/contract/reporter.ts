import type { Test } from 'tap';
import type { Reporter, ReportOutput } from '../../dist/model/ports.js';
import type { Report } from '../../dist/model/report.js';
import {
  bigReport,
  emptyReport,
  hostileReport,
  mixedReport,
  noSamplesReport,
} from '../report/odd-reports.ts';
import { sampleReport } from '../report/sample-report.ts';

/** Everything that a reporter gave out. */
export interface Rendered {
  readonly files: Readonly<Record<string, string>>;
  readonly stdout: string;
  readonly stepSummary: string;
}

export function renderWith(reporter: Reporter, report: Report, color = false): Rendered {
  const files: Record<string, string> = {};
  let stdout = '';
  let stepSummary = '';
  const output: ReportOutput = {
    file: (name, content) => {
      files[name] = content;
    },
    stdout: (text) => {
      stdout += text;
    },
    stepSummary: (markdown) => {
      stepSummary += markdown;
    },
    color,
    dir: 'reports/kill-random/20261122-4711',
  };
  reporter.render(report, output);
  return { files, stdout, stepSummary };
}

export const CONTRACT_REPORTS: Readonly<Record<string, () => Report>> = {
  'an ordinary report': sampleReport,
  'a report of all kinds of trouble': mixedReport,
  'an empty report': emptyReport,
  'a report without samples': noSamplesReport,
  'a hostile report': hostileReport,
  'a big report': bigReport,
};

/** What every reporter must keep to. */
export function reporterContract(t: Test, reporter: Reporter): void {
  for (const [name, make] of Object.entries(CONTRACT_REPORTS)) {
    t.test(`${reporter.name}: ${name} is rendered, always to the same bytes`, async (t) => {
      const first = renderWith(reporter, make());
      const output = [...Object.values(first.files), first.stdout, first.stepSummary];
      t.ok(
        output.some((text) => text.length > 0),
        'there is output',
      );
      t.same(renderWith(reporter, make()), first, 'twice the same');
      const merged = JSON.parse(JSON.stringify(make())) as Report;
      t.same(renderWith(reporter, merged), first, 'the same from a document that was written and read again');
      for (const text of output) {
        // oxlint-disable-next-line no-control-regex -- Control characters are what this looks for.
        t.notMatch(text, /[\u0000-\u0008\u000B-\u001F]/, 'no control character gets through');
        t.notMatch(text, /\p{Surrogate}/u, 'it can be written as UTF-8');
      }
    });
  }

  t.test(`${reporter.name}: the report is left as it was`, async (t) => {
    const report = sampleReport();
    renderWith(reporter, report);
    t.same(report, sampleReport());
  });
}
