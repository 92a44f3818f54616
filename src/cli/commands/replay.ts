import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { JournalEventOf } from '../../model/journal.ts';
import { readJournal } from '../../runtime/journal-file.ts';
import { runFolder } from '../../runtime/run-folder.ts';
import type { CliContext } from '../context.ts';
import type { ExitName } from '../exit-codes.ts';
import { type RunSettings, runJobs } from '../run-all.ts';
import { quote } from '../scenarios.ts';
import { addRunSettings } from './run.ts';

/** `chaos replay`: the same scenario and plan again, from a run's folder. */
export function registerReplay(program: Command, cli: CliContext, end: (name: ExitName) => void): void {
  addRunSettings(
    program
      .command('replay')
      .description('run the very plan of an earlier run again')
      .argument('<dir>', "a run's folder, e.g. reports/latest"),
  ).action(async (dir: string, settings: RunSettings) => {
    const journal = readJournal(runFolder(resolve(cli.cwd, dir)).journal);
    const start = journal[0] as JournalEventOf<'run.start'>;
    const changed = journal.findLast((event) => event.type === 'plan.changed');
    const plan = changed?.plan ?? start.plan;
    const prepared = { file: start.file, scenario: start.scenario, seed: plan.seed, plan };
    end(
      await runJobs(
        cli,
        [{ prepared, plan, replan: () => plan }],
        settings,
        () => `chaos replay ${quote(dir)}`,
      ),
    );
  });
}
