import type { Kind } from './kinds.ts';
import type { Machine } from './machine.ts';
import type { BackoffOptions, IpcOptions, ServiceOptions, SupervisorOptions } from './user-options.ts';

type GroupName = 'backoff' | 'ipc';

/** Every option by its key path. The compiler proves that the table has a row for each thing that users may write. */
export type OptionKey =
  | Exclude<keyof SupervisorOptions, GroupName | 'services'>
  | `backoff.${keyof BackoffOptions}`
  | `ipc.${keyof IpcOptions}`;

/** Keys of the whole supervisor, not of one service. */
export type SupervisorKey = Exclude<keyof SupervisorOptions, keyof ServiceOptions | 'services'>;

/** Heading in the help. */
export type Section = 'App' | 'Workers' | 'Connections' | 'Failure detection' | 'Limits' | 'Operation';

/** What a default may depend on. */
export interface Facts {
  readonly machine: Machine;
  readonly cwd: string;
  /** The service's own values, given or by default. */
  readonly entry: string;
  readonly suspectMs: number;
  readonly slotBound: boolean;
  /** 90 % of the container's memory shared among all processes of all services; null without a limit. */
  readonly memoryShareBytes: number | null;
}

export type Fallback<T> =
  /** As a user would write it. */
  | { readonly input: unknown; readonly because: string }
  | { readonly of: (facts: Facts) => T; readonly says: string; readonly because: string }
  | 'required';

/** A variable that other tools know too. */
export interface Variable {
  readonly name: string;
  /** Its words for ours. */
  readonly means?: Readonly<Record<string, string>>;
}

export interface Option<T> {
  readonly section: Section;
  readonly kind: Kind<T>;
  /** One clause for the help. */
  readonly help: string;
  readonly fallback: Fallback<T>;
  /** Besides CHAOS_SERVE_<NAME>, in this order. */
  readonly variables?: readonly Variable[];
  /** `repeated`: the flag may come several times, and there is no variable. `none`: only in a config file. */
  readonly flag?: 'repeated' | 'none';
  /** What to do where somebody tries a variable, for a repeated flag. */
  readonly instead?: string;
  /** Belongs to one service: no flag and no variable can give it to several. */
  readonly single?: true;
}

/** Keeps the type that the row's kind reads. */
export function row<T>(option: Option<T>): Option<T> {
  return option;
}

const VARIABLE_PREFIX = 'CHAOS_SERVE_';

/** What the command line reads itself, and has variables for as well. */
export const CLI_KEYS = ['config', 'logLevel'] as const;

/** `drainTimeout` is `--drain-timeout`, `backoff.first` is `--backoff-first`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll('.', '-').replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`)}`;
}

/** `drainTimeout` is `CHAOS_SERVE_DRAIN_TIMEOUT`. */
export function variableOf(key: string): string {
  return `${VARIABLE_PREFIX}${flagOf(key).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

export function isOurVariable(name: string): boolean {
  return name.startsWith(VARIABLE_PREFIX);
}
