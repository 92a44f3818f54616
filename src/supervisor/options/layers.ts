import { nearest } from '../../base/nearest.ts';
import { isRecord, type Source } from './kinds.ts';
import {
  CLI_KEYS,
  flagOf,
  isOurVariable,
  type OptionKey,
  type SupervisorKey,
  type Variable,
  variableOf,
} from './option.ts';
import { faultProblem, type Problem, quoted, shownKey, shownValue } from './problems.ts';
import { OPTION_KEYS, optionOf, type Values } from './table.ts';

/** What one place (flags, a service in the config, its top, the environment) says; later places fill what it leaves open. */
export interface Layer {
  readonly values: Partial<Values>;
  /** Given, but refused: nothing may be concluded from these. */
  readonly refused: ReadonlySet<OptionKey>;
}

const SUPERVISOR_KEYS: readonly SupervisorKey[] = ['admin', 'metrics'];
const SERVICE_KEYS = OPTION_KEYS.filter((key) => !SUPERVISOR_KEYS.some((other) => other === key));
const GROUPS = [
  ...new Set(OPTION_KEYS.filter((key) => key.includes('.')).map((key) => key.split('.')[0] ?? '')),
];

class LayerBuilder implements Layer {
  readonly values: { -readonly [K in OptionKey]?: Values[K] } = {};
  readonly refused = new Set<OptionKey>();
  readonly #source: Source;
  readonly #problems: Problem[];

  constructor(source: Source, problems: Problem[]) {
    this.#source = source;
    this.#problems = problems;
  }

  read(key: OptionKey, input: unknown, where: string): void {
    if (input === undefined) return;
    const read = optionOf(key).kind.read(input, this.#source);
    if ('value' in read) {
      // The table's row made it, so it is what `Values` says of that row.
      Object.assign(this.values, { [key]: read.value });
      return;
    }
    this.refused.add(key);
    this.#problems.push(...read.faults.map((fault) => faultProblem(where, fault)));
  }
}

/** The top of what a program or config file says. `services` is left to the caller. */
export function readTop(
  input: Readonly<Record<string, unknown>>,
  source: Source,
  problems: Problem[],
): Layer {
  const { services, ...rest } = input;
  // The services name themselves.
  const known = services === undefined ? OPTION_KEYS : OPTION_KEYS.filter((key) => key !== 'name');
  return readObject(rest, { path: '', known, extra: ['services'] }, source, problems);
}

/** One service of several. */
export function readService(
  input: Readonly<Record<string, unknown>>,
  path: string,
  source: Source,
  problems: Problem[],
): Layer {
  const known = SERVICE_KEYS.filter((key) => key !== 'name');
  return readObject(input, { path: `${path}.`, known, extra: [] }, source, problems);
}

interface Scope {
  readonly path: string;
  readonly known: readonly OptionKey[];
  /** Keys that are read elsewhere, for "did you mean". */
  readonly extra: readonly string[];
}

function readObject(
  input: Readonly<Record<string, unknown>>,
  { path, known, extra }: Scope,
  source: Source,
  problems: Problem[],
): Layer {
  const layer = new LayerBuilder(source, problems);
  const names = [...new Set([...known.map((key) => key.split('.')[0] ?? ''), ...extra])];
  for (const [name, value] of Object.entries(input)) {
    const where = `${path}${shownKey(name)}`;
    const key = known.find((option) => option === name && !option.includes('.'));
    if (key !== undefined) layer.read(key, value, where);
    else if (!GROUPS.includes(name)) {
      problems.push({ where, what: misplacedKey(name) ?? unknownKey(name, names) });
    } else if (isRecord(value)) readGroup(layer, { group: name, value, where }, problems);
    else if (value !== undefined) {
      problems.push({ where, what: `expected an object, got ${shownValue(value)}` });
    }
  }
  return layer;
}

function readGroup(
  layer: LayerBuilder,
  at: { readonly group: string; readonly value: Readonly<Record<string, unknown>>; readonly where: string },
  problems: Problem[],
): void {
  const keys = OPTION_KEYS.filter((key) => key.startsWith(`${at.group}.`));
  for (const [name, value] of Object.entries(at.value)) {
    const where = `${at.where}.${shownKey(name)}`;
    const key = keys.find((option) => option === `${at.group}.${name}`);
    if (key !== undefined) layer.read(key, value, where);
    else {
      const known = keys.map((option) => option.slice(at.group.length + 1));
      problems.push({ where, what: unknownKey(name, known) });
    }
  }
}

function misplacedKey(name: string): string | undefined {
  if (name === 'name') return 'services are named by their key in services';
  return SUPERVISOR_KEYS.some((key) => key === name)
    ? 'is an option of the whole supervisor; write it at the top'
    : undefined;
}

function unknownKey(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `unknown option${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/** Flags by option key, as texts. */
export function readFlags(
  flags: Readonly<Record<string, unknown>>,
  baseDir: string,
  problems: Problem[],
): Layer {
  const layer = new LayerBuilder({ textual: true, baseDir }, problems);
  for (const key of OPTION_KEYS) {
    layer.read(key, flags[key], key === 'entry' || key === 'args' ? key : flagOf(key));
  }
  return layer;
}

/** The environment. An empty variable counts as not set, as it does in compose files. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  options: {
    readonly baseDir: string;
    /** Decided elsewhere: what the environment says does not count, right or wrong. */
    readonly skip: (key: OptionKey) => boolean;
  },
  problems: Problem[],
): Layer {
  const layer = new LayerBuilder({ textual: true, baseDir: options.baseDir }, problems);
  for (const key of OPTION_KEYS) {
    if (options.skip(key)) continue;
    const found = variablesOf(key).find(({ name }) => (env[name] ?? '') !== '');
    if (found === undefined) continue;
    const text = env[found.name] ?? '';
    const { means } = found;
    if (means === undefined) layer.read(key, text, found.name);
    else if (Object.hasOwn(means, text)) layer.read(key, means[text], found.name);
    else {
      layer.refused.add(key);
      const expected = `expected one of ${Object.keys(means).join(', ')}`;
      problems.push({ where: found.name, what: `${expected}, got ${shownValue(text)}` });
    }
  }
  problems.push(...unknownVariables(env));
  return layer;
}

function variablesOf(key: OptionKey): readonly Variable[] {
  const { flag, variables = [] } = optionOf(key);
  return flag === undefined ? [{ name: variableOf(key) }, ...variables] : variables;
}

/** Variables that look like ours and mean nothing: a slip of the pen is told, not ignored. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): readonly Problem[] {
  const known = [
    ...OPTION_KEYS.flatMap((key) => variablesOf(key).map(({ name }) => name)),
    ...CLI_KEYS.map(variableOf),
  ];
  return Object.keys(env)
    .filter((name) => isOurVariable(name) && !known.includes(name))
    .map((name) => ({ where: quoted(name), what: `unknown variable${hintFor(name, known)}` }));
}

function hintFor(name: string, known: readonly string[]): string {
  // `--node-arg` is `nodeArgs`.
  const tried = OPTION_KEYS.find((key) => [name, `${name}S`].includes(variableOf(key)));
  const instead = tried === undefined ? undefined : optionOf(tried).instead;
  if (instead !== undefined) return `; ${instead}`;
  const near = nearest(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
