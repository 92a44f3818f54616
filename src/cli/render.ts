import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChaosError, messageOf } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import type { Report } from '../model/report.ts';
import { REPORTERS } from '../report/registry.ts';
import { type CliContext, shortPath } from './context.ts';

/** The reporters asked for, or the default ones. */
export function reporterNames(cli: CliContext, text: string | undefined): readonly string[] {
  const names = text?.split(',').map((name) => name.trim()) ?? [
    'terminal',
    'json',
    'html',
    ...(cli.env['GITHUB_ACTIONS'] === 'true' ? ['github'] : []),
  ];
  for (const name of names) {
    if (REPORTERS.has(name)) continue;
    const near = nearest(name, [...REPORTERS.keys()]);
    throw new ChaosError('usage', `--reporter: unknown reporter ${JSON.stringify(name)}`, {
      hint: `${near ? `Did you mean ${near}? ` : ''}Known: ${[...REPORTERS.keys()].join(', ')}.`,
    });
  }
  return names;
}

/** Renders a judged document with each reporter; one that fails is told on stderr and stops no other. */
export function render(
  cli: CliContext,
  report: Report,
  options: {
    readonly dir: string;
    readonly names: readonly string[];
    readonly stdout: boolean;
    readonly color: boolean;
  },
): void {
  const summaryFile = cli.env['GITHUB_STEP_SUMMARY'];
  // report.json is what replay, report and every later reading start from: it is always there.
  for (const name of new Set(['json', ...options.names])) {
    try {
      REPORTERS.get(name)?.render(report, {
        file: (file, content) => writeFileSync(join(options.dir, file), content),
        stdout: (text) => options.stdout && cli.stdout.write(text),
        color: options.color,
        dir: shortPath(cli, options.dir),
        ...(summaryFile === undefined
          ? {}
          : { stepSummary: (text: string) => appendFileSync(summaryFile, text) }),
      });
    } catch (error) {
      cli.stderr.write(`chaos: reporter ${name} failed: ${messageOf(error)}\n`);
    }
  }
}
