import { type Command, Option } from 'commander';
import {
  CLI_KEYS,
  flagOf,
  type OptionKey,
  type Option as Row,
  variableOf,
} from '../../supervisor/options/option.ts';
import { OPTION_KEYS, OPTIONS, optionOf } from '../../supervisor/options/table.ts';
import { collect } from '../options.ts';

/** What commander collected, by the names that it makes of flags. */
export type ServeFlags = Readonly<Record<string, unknown>>;

/** One flag a row of the table of options. */
export function addTableFlags(command: Command): Command {
  for (const key of flagKeys()) {
    const row = optionOf(key);
    const argument = row.kind.argument === null ? '' : ` ${row.kind.argument}`;
    const flag = new Option(`${nameOf(key)}${argument}`, helpOf(row)).helpGroup(`${row.section}:`);
    // Texts as they are: they are read with everything else, so that all problems are told at once.
    command.addOption(row.flag === 'repeated' ? flag.argParser(collect) : flag);
  }
  return command;
}

/** The flags that were given, by option key. */
export function tableValues(flags: ServeFlags): Readonly<Record<string, unknown>> {
  const given = flagKeys().map((key) => [key, flags[new Option(nameOf(key)).attributeName()]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** For the end of the help. */
export function variableHelp(): string {
  const others = OPTION_KEYS.flatMap((key) =>
    (optionOf(key).variables ?? []).map(({ name }) => `${name} (${nameOf(key)})`),
  );
  const repeated = flagKeys().filter((key) => optionOf(key).flag === 'repeated');
  return `Each option has a variable: --drain-timeout is ${variableOf('drainTimeout')}. ${CLI_KEYS.map(flagOf).join(' and ')} have one too,
${repeated.map(nameOf).join(' and ')} have none. Known too: ${others.join(', ')}.
A flag beats the config file, which beats the environment.`;
}

/** What only a config can say, for the end of the help. */
export function configHelp(): string {
  const { slotEnv } = OPTIONS;
  return `Only in a config: slotEnv (${slotEnv.help}), services (several of them by name, each with options of its own).
There --backoff-first is first in backoff, --ipc-queued-size queuedSize in ipc; the type SupervisorOptions has all.`;
}

/** A flag that the command line reads itself, else its variable; an empty variable counts as not set. */
export function cliValue(
  flags: ServeFlags,
  key: (typeof CLI_KEYS)[number],
  env: Readonly<NodeJS.ProcessEnv>,
): string | undefined {
  const flag = flags[key];
  if (typeof flag === 'string') return flag;
  const variable = env[variableOf(key)];
  return variable === '' ? undefined : variable;
}

/** The entry is an argument, not a flag; what has no flag is for config files. */
function flagKeys(): readonly OptionKey[] {
  return OPTION_KEYS.filter((key) => key !== 'entry' && optionOf(key).flag !== 'none');
}

/** `--node-args` comes one at a time. */
function nameOf(key: OptionKey): string {
  return key === 'nodeArgs' ? '--node-arg' : flagOf(key);
}

function helpOf({ help, kind, fallback }: Row<unknown>): string {
  const range = kind.range === undefined ? '' : `; ${kind.range}`;
  return fallback === 'required' ? help : `${help} (default ${shownDefault(fallback)}${range})`;
}

function shownDefault(fallback: Exclude<Row<unknown>['fallback'], 'required'>): string {
  if ('of' in fallback) return `${fallback.says}: ${fallback.because}`;
  const { input, because } = fallback;
  if (input === null || input === false) return `none: ${because}`;
  return typeof input === 'string' || typeof input === 'number' ? `${input}: ${because}` : because;
}
