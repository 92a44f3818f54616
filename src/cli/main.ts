import { Command, CommanderError } from 'commander';
import { ChaosError, messageOf } from '../base/errors.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerFaults } from './commands/faults.ts';
import { registerInit } from './commands/init.ts';
import { registerPlan } from './commands/plan.ts';
import { registerReplay } from './commands/replay.ts';
import { registerReport } from './commands/report.ts';
import { registerRun } from './commands/run.ts';
import { registerServe } from './commands/serve.ts';
import { registerSimulate } from './commands/simulate.ts';
import { type CliContext, cliContext } from './context.ts';
import { type ExitName, exitCode } from './exit-codes.ts';

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  const cli = cliContext();
  process.exitCode = await runCommand(cli, process.argv.slice(2)).catch((error: unknown) =>
    report(cli, error),
  );
  // Everything was awaited; a handle that somebody left open must not keep a CI job waiting.
  await new Promise((resolve) => cli.stdout.write('', resolve));
  setTimeout(() => process.exit(), 1000).unref();
}

async function runCommand(cli: CliContext, argv: readonly string[]): Promise<number> {
  let ended: ExitName = 'pass';
  const end = (name: ExitName): void => {
    ended = name;
  };
  const program = new Command('chaos')
    .description('Chaos and fault-tolerance testing for clustered Node.js servers.')
    .version(cli.version)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.stdout.write(text),
      writeErr: (text) => cli.stderr.write(text),
    });
  for (const register of [
    registerRun,
    registerPlan,
    registerReplay,
    registerReport,
    registerServe,
    registerSimulate,
    registerFaults,
    registerInit,
    registerDoctor,
  ]) {
    register(program, cli, end);
  }
  for (const command of program.commands) command.exitOverride().showSuggestionAfterError();
  await program.parseAsync(argv, { from: 'user' });
  return exitCode(ended);
}

/** Says on stderr what went wrong and what to do. */
function report(cli: CliContext, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCode('usage');
  if (error instanceof ChaosError && error.reason !== 'bug') {
    cli.stderr.write(`chaos: ${error.message}\n${error.hint === undefined ? '' : `  → ${error.hint}\n`}`);
    return exitCode(error.reason);
  }
  const stack = error instanceof Error ? error.stack : undefined;
  cli.stderr.write(`chaos: a bug in chaos itself, please report it: ${messageOf(error)}\n${stack ?? ''}\n`);
  return exitCode('bug');
}
