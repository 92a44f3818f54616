import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { ChaosError } from '../../base/errors.ts';
import { variableOf } from '../../supervisor/options/option.ts';
import { shownValue } from '../../supervisor/options/problems.ts';
import {
  type ResolveContext,
  resolveAdmin,
  resolveSettings,
} from '../../supervisor/options/resolve-settings.ts';
import type { CliContext } from '../context.ts';
import type { ExitName } from '../exit-codes.ts';
import { type Ask, askSupervisor } from './serve-client.ts';
import { loadServeConfig } from './serve-config.ts';
import {
  addTableFlags,
  cliValue,
  configHelp,
  type ServeFlags,
  tableValues,
  variableHelp,
} from './serve-flags.ts';
import { serveLogger } from './serve-log.ts';
import { runServe } from './serve-run.ts';

interface ServeOptions extends ServeFlags {
  readonly status?: true;
  readonly reload?: true;
  readonly stop?: true;
  readonly scale?: string;
  readonly service?: string;
  readonly json?: true;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const AFTER = `
Signals: SIGTERM, SIGINT drain and stop; once more forces it. SIGHUP reloads. SIGTTIN, SIGTTOU: one worker more, one less
(of the first service).

Exit codes of serve:
    0  stopped in good order; --status: every service has a worker that serves
    3  options or config invalid, the entry is missing, or the port or a given admin address cannot be had; nothing is left running (--reload, --scale: refused; it runs on as before)
    4  --status, --reload, --scale, --stop: nobody answers, no worker serves, the new ones do not boot, or it is stopping
    5  forced, and a worker outlived its SIGKILL
   70  a bug in chaos itself
  130, 143  forced by a second signal: SIGINT, SIGTERM

${variableHelp()}
${configHelp()}`;

/** `chaos serve`: runs an app under the reference supervisor, or steers one that runs. */
export function registerServe(program: Command, cli: CliContext, end: (name: ExitName) => void): void {
  const command = program
    .command('serve')
    .description('run an app under the reference supervisor, or steer one that runs')
    .argument('[entry]', "the app's entry file, as one would give it to node")
    .argument('[args...]', "the app's arguments, after --")
    .option('--config <file>', 'options from a file: .json, .js, .mjs, .cjs or .ts')
    .addOption(new Option('--log-level <level>', 'our own log, on stderr; info by default').choices(LEVELS));
  const steering = [
    new Option('--status', 'print how the supervisor of this folder is'),
    new Option('--reload', 'replace its workers one by one, and wait for it'),
    new Option('--scale <n>', 'as many workers from now on'),
    new Option('--service <name>', 'the service that --scale means'),
    new Option('--stop', 'drain and stop it, and wait for it'),
    new Option('--json', 'the status document on stdout'),
  ];
  for (const option of steering) command.addOption(option.helpGroup('A supervisor that runs:'));
  addTableFlags(command)
    .addHelpText('after', AFTER)
    .action(async (entry: string | undefined, args: readonly string[], options: ServeOptions) => {
      const input = inputOf(cli, entry, args, options);
      const ask = askOf(options);
      end(await (ask === null ? serve(cli, input, options) : steer(cli, input, ask, options)));
    });
}

/** Reads the config file, if there is one, and what goes with it. */
type Input = () => Promise<{ readonly config: unknown; readonly context: ResolveContext }>;

function inputOf(
  cli: CliContext,
  entry: string | undefined,
  args: readonly string[],
  options: ServeOptions,
): Input {
  const flags = {
    ...tableValues(options),
    ...(entry !== undefined && { entry }),
    ...(args.length > 0 && { args }),
  };
  const context = { env: cli.env, cwd: cli.cwd, flags };
  const file = cliValue(options, 'config', cli.env);
  if (file === undefined) return () => Promise.resolve({ config: {}, context });
  const baseDir = dirname(resolve(cli.cwd, file));
  return async () => ({
    config: await loadServeConfig(cli.cwd, file),
    context: { ...context, file, baseDir },
  });
}

async function serve(cli: CliContext, input: Input, options: ServeOptions): Promise<ExitName> {
  if (options.json) throw new ChaosError('usage', '--json goes with --status, --reload, --scale or --stop');
  const { startPrimary } = await import('../../supervisor/primary/supervisor.ts');
  return runServe(cli, {
    log: serveLogger(cli, levelOf(cli, options)),
    settings: oneByOne(async () => {
      const { config, context } = await input();
      return resolveSettings(config, context);
    }),
    rereads: cliValue(options, 'config', cli.env) !== undefined,
    start: startPrimary,
  });
}

/** So of two reloads the later has the last word, also when the earlier took longer to read. */
function oneByOne<T>(read: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const next = last.then(read, read);
    last = next;
    return next;
  };
}

function levelOf(cli: CliContext, options: ServeOptions): string {
  const level = cliValue(options, 'logLevel', cli.env) ?? 'info';
  if (LEVELS.includes(level)) return level;
  // The flag's own choices have been checked before.
  throw new ChaosError(
    'usage',
    `${variableOf('logLevel')}: expected one of ${LEVELS.join(', ')}, got ${shownValue(level)}`,
  );
}

async function steer(cli: CliContext, input: Input, ask: Ask, options: ServeOptions): Promise<ExitName> {
  const { config, context } = await input();
  const address = resolveAdmin(config, context);
  if (address === null) {
    throw new ChaosError('usage', 'admin is none, so no supervisor can be steered', {
      hint: 'Say where it is: --admin <path|port>.',
    });
  }
  return askSupervisor(cli, address, ask, { json: options.json ?? false });
}

function askOf(options: ServeOptions): Ask | null {
  const asks: readonly Ask[] = [
    ...(options.status ? [{ do: 'status' } as const] : []),
    ...(options.reload ? [{ do: 'reload' } as const] : []),
    ...(options.stop ? [{ do: 'stop' } as const] : []),
    ...(options.scale === undefined
      ? []
      : [{ do: 'scale', workers: options.scale, service: options.service } as const]),
  ];
  if (asks.length > 1) {
    throw new ChaosError('usage', `one at a time: --${asks.map((ask) => ask.do).join(', --')}`);
  }
  if (options.service !== undefined && options.scale === undefined) {
    throw new ChaosError('usage', '--service goes with --scale only');
  }
  return asks[0] ?? null;
}
