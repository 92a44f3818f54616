import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { JournalEventOf } from '../../model/journal.ts';
import { readJournal } from '../../runtime/journal-file.ts';
import { runFolder } from '../../runtime/run-folder.ts';
import { readSamples } from '../../runtime/samples-file.ts';
import { type CliContext, shortPath } from '../context.ts';
import { type ExitName, worstExit } from '../exit-codes.ts';
import { judgeRun } from '../judge-run.ts';
import { collect } from '../options.ts';
import { render, reporterNames } from '../render.ts';
import { withExpectations } from '../scenarios.ts';

interface ReportOptions {
  readonly expect?: readonly string[];
  readonly reporter?: string;
  readonly open?: boolean;
  readonly json?: boolean;
  readonly color: boolean;
}

/** `chaos report`: judges and renders again from journal and samples, also of a run that was killed. */
export function registerReport(program: Command, cli: CliContext, end: (name: ExitName) => void): void {
  program
    .command('report')
    .description('judge and render a run again from its journal, also of a crashed run')
    .argument('<dirs...>', "runs' folders, e.g. reports/latest")
    .option('--expect <objective>', "add an objective, or replace the scenario's on the same metric", collect)
    .option('--reporter <names>', 'terminal,json,html,junit,github,markdown (default: terminal,json,html)')
    .option('--json', 'the report document on stdout, and nothing else there')
    .option('--open', 'open report.html in the browser')
    .option('--no-color', 'no colours')
    .action((dirs: string[], options: ReportOptions) => {
      const names = reporterNames(cli, options.reporter);
      const ends = dirs.map((dir): ExitName => {
        const folder = runFolder(resolve(cli.cwd, dir));
        const journal = readJournal(folder.journal);
        const { scenario } = journal[0] as JournalEventOf<'run.start'>;
        const objectives = withExpectations(scenario.objectives, options.expect ?? []);
        const report = judgeRun({ journal, samples: readSamples(folder.samples), objectives });
        render(cli, report, {
          dir: folder.dir,
          names,
          stdout: !options.json,
          color: cli.color && options.color,
        });
        if (options.json) cli.stdout.write(`${JSON.stringify(report)}\n`);
        if (options.open) open(cli, join(folder.dir, 'report.html'));
        return report.verdict;
      });
      end(worstExit(ends));
    });
}

function open(cli: CliContext, page: string): void {
  if (!existsSync(page)) return;
  cli.stderr.write(`opening ${shortPath(cli, page)}\n`);
  const child = spawn('xdg-open', [page], { detached: true, stdio: 'ignore' });
  child.on('error', () => cli.stderr.write(`no browser could be started; open ${page} yourself\n`));
  child.unref();
}
