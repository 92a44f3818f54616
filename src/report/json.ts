import type { Reporter } from '../model/ports.ts';
import type { Report } from '../model/report.ts';

/** The document as it is, for machines: `report.json`. */
export function reportJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

export const jsonReporter: Reporter = {
  name: 'json',
  render: (report, output) => output.file('report.json', reportJson(report)),
};
