import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { type ExitName, exitCodeHelp } from '../exit-codes.ts';
import { collect, wholeNumber } from '../options.ts';
import { type RunSettings, runAll } from '../run-all.ts';
import { type Overrides, prepareScenarios } from '../scenarios.ts';

type RunOptions = Overrides & RunSettings;

/** `chaos run`: runs scenarios, writes reports, ends with the worst verdict. */
export function registerRun(program: Command, cli: CliContext, end: (name: ExitName) => void): void {
  addRunSettings(
    program
      .command('run')
      .description('run scenarios against a clustered server and judge how it coped')
      .argument(
        '[scenarios...]',
        'scenario files or folders; a bare name is also looked for in scenarios/ and among those that ship with the package',
        [],
      )
      .option('--seed <seed>', "the plan's seed; without it the scenario's own, else a fresh one")
      .option('--target <command>', "run this command line as the server in place of the scenario's")
      .option('--url <origin>', 'where the server answers, if it ignores PORT and cannot be found out')
      .option(
        '--workers <n>',
        'passed to the server; the number of slots the run waits for',
        wholeNumber('--workers', 1, 128),
      )
      .option('--rate <rps>', 'arrivals a second', wholeNumber('--rate', 1, 100_000))
      .option('--connections <n>', 'keep-alive connections', wholeNumber('--connections', 1, 1000))
      .option('--duration <d>', 'length of the chaos phase, e.g. 30s')
      .option(
        '--expect <objective>',
        "add an objective, or replace the scenario's on the same metric",
        collect,
      )
      .option('--repeat <n>', 'runs with seeds derived from the seed', wholeNumber('--repeat', 1, 1000))
      .option('--bail', 'stop after the first run that does not pass')
      .option('--allow-remote', 'allow a url that is not on this machine'),
  )
    .addHelpText('after', `\n${exitCodeHelp()}`)
    .action(async (names: string[], options: RunOptions) => {
      end(await runAll(cli, await prepareScenarios(cli, names, options), options, replayOptions(options)));
    });
}

/** Options that `run` and `replay` share. */
export function addRunSettings(command: Command): Command {
  return command
    .option('--reporter <names>', 'terminal,json,html,junit,github,markdown (default: terminal,json,html)')
    .option('--out <dir>', 'where reports go', 'reports')
    .option('--json', 'the report document on stdout, and nothing else there')
    .option('--quiet', 'no progress and no summary')
    .option('--verbose', 'log every event on stderr')
    .option('--no-color', 'no colours')
    .addOption(
      new Option('--log-level <level>', 'our own log, on stderr')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('error'),
    );
}

/** The options that must be given again for the same run. */
function replayOptions(options: Overrides): readonly string[] {
  const pairs: readonly (readonly [string, string | number | undefined])[] = [
    ['--target', options.target],
    ['--url', options.url],
    ['--workers', options.workers],
    ['--rate', options.rate],
    ['--connections', options.connections],
    ['--duration', options.duration],
    ...(options.expect ?? []).map((text) => ['--expect', text] as const),
  ];
  const words = pairs.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
  return options.allowRemote ? [...words, '--allow-remote'] : words;
}
