import { resolve } from 'node:path';
import type { AdminAddress, SupervisorSettings } from '../settings.ts';
import { crossCheck } from './cross-checks.ts';
import { isRecord } from './kinds.ts';
import { type Layer, readEnvironment, readFlags, readService, readTop, unknownVariables } from './layers.ts';
import { type Machine, thisMachine } from './machine.ts';
import { type Facts, flagOf, type OptionKey, variableOf } from './option.ts';
import { type Problem, problemsError, shownKey, shownValue } from './problems.ts';
import { memoryShareBytes, serviceSettings } from './service-settings.ts';
import { nameKind } from './special-kinds.ts';
import { OPTION_KEYS, OPTIONS, optionOf, type Values } from './table.ts';

export interface ResolveContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths of flags and variables start here, and it is the workers' working directory by default. */
  readonly cwd: string;
  /** Paths in the input start here. Default: `cwd`. */
  readonly baseDir?: string;
  /** Texts of the command line by option key; they beat the input. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The config file that the input comes from, for messages. */
  readonly file?: string;
  /** Default: this one. */
  readonly machine?: Machine;
}

/**
 * Settings in force from what users wrote: flags beat the input (a config file or a program's options), which beats the
 * environment, which beats the defaults.
 *
 * @throws ChaosError 'usage' that names every problem: where, what was expected, what was got
 */
export function resolveSettings(input: unknown, context: ResolveContext): SupervisorSettings {
  const problems: Problem[] = [];
  const machine = context.machine ?? thisMachine();
  const drafts = draftsOf(input, context, problems);
  const services = drafts.services.map(({ name, where, layers }) => ({ name, where, ...merged(layers) }));

  const processes = services.reduce((sum, { values }) => {
    const standbys = values.standbys ?? (values.slotEnv ? 0 : 1);
    return sum + (values.workers ?? machine.cores) + standbys;
  }, 1);
  const complete = services.map(({ name, where, values, refused }) => {
    const facts: Facts = {
      machine,
      cwd: context.cwd,
      entry: values.entry ?? '',
      suspectMs: values.suspectAfter ?? fixedDefault('suspectAfter'),
      slotBound: (values.slotEnv ?? null) !== null,
      memoryShareBytes: memoryShareBytes(machine, processes),
    };
    if (values.entry === undefined && !refused.has('entry')) {
      problems.push({ where: `${where}entry`, what: 'is missing: the file that node would be started with' });
    }
    const all = withDefaults(values, facts);
    problems.push(...crossCheck({ given: values, all, refused, where }));
    const sharesMemory = values.maxMemory === undefined;
    return serviceSettings({ ...all, name: name ?? all.name }, { machine, sharesMemory });
  });
  // A flag that gives all of them one port has been refused already.
  if (context.flags?.['port'] === undefined) problems.push(...portClashes(complete));

  const supervisor = withDefaults(drafts.shared.values, sharedFacts(machine, context.cwd));
  if (supervisor.metrics && supervisor.admin === null) {
    problems.push({
      where: 'metrics',
      what: 'are served at the admin address; give one or turn metrics off',
    });
  }
  if (problems.length > 0) throw problemsError(problems, context.file);
  return { services: complete, admin: supervisor.admin, metrics: supervisor.metrics };
}

/**
 * Where a running supervisor is steered, for commands that start none: reads `admin` and nothing else, but a variable of ours
 * that is unknown is refused as it is at the start.
 *
 * @throws ChaosError 'usage'
 */
export function resolveAdmin(input: unknown, context: ResolveContext): AdminAddress | null {
  const problems: Problem[] = [];
  const top = isRecord(input) && 'admin' in input ? { admin: input['admin'] } : {};
  const flags = context.flags?.['admin'] === undefined ? {} : { admin: context.flags['admin'] };
  const { shared } = draftsOf(top, { ...context, flags }, problems);
  // The environment is read as a whole; only what concerns the address counts here, and what may have been meant to.
  const concerning = [
    ...problems.filter(({ where }) => /admin/i.test(where)),
    ...unknownVariables(context.env),
  ];
  if (concerning.length > 0) throw problemsError(concerning, context.file);
  return withDefaults(shared.values, sharedFacts(context.machine ?? thisMachine(), context.cwd)).admin;
}

interface Draft {
  /** Null: by default. */
  readonly name: string | null;
  /** Prefix of key paths in messages. */
  readonly where: string;
  /** First says first. */
  readonly layers: readonly Layer[];
}

function draftsOf(
  input: unknown,
  context: ResolveContext,
  problems: Problem[],
): { readonly services: readonly Draft[]; readonly shared: Layer } {
  if (!isRecord(input)) {
    throw problemsError(
      [{ where: '', what: `expected an object of options, got ${shownValue(input)}` }],
      context.file,
    );
  }
  const source = { textual: false, baseDir: resolve(context.cwd, context.baseDir ?? '.') };
  const named = servicesOf(input, problems);
  const top = readTop(input, source, problems);
  const flags = readFlags(context.flags ?? {}, context.cwd, problems);
  const services = named.map(({ name, options }) => {
    const where = `services.${shownKey(name)}`;
    return { name, where: `${where}.`, own: readService(options, where, source, problems) };
  });
  const several = services.length > 1;
  problems.push(...givenToNamed(flags, context.env, named));
  const decided = (key: OptionKey): boolean =>
    [flags, top].some(({ values }) => key in values) ||
    (services.length > 0 && services.every(({ own }) => key in own.values));
  const environment = readEnvironment(
    context.env,
    { baseDir: context.cwd, skip: (key) => decided(key) || (several && optionOf(key).single === true) },
    problems,
  );
  const shared = merged([flags, top, environment]);
  if (input['services'] === undefined) {
    return { services: [{ name: null, where: '', layers: [shared] }], shared };
  }
  return {
    services: services.map(({ name, where, own }) => ({
      name,
      where,
      layers: [flags, own, top, environment],
    })),
    shared,
  };
}

function servicesOf(
  input: Readonly<Record<string, unknown>>,
  problems: Problem[],
): readonly { readonly name: string; readonly options: Readonly<Record<string, unknown>> }[] {
  const services = input['services'];
  if (services === undefined) return [];
  if (!isRecord(services) || Object.keys(services).length === 0) {
    const what = isRecord(services) ? 'an object without any' : shownValue(services);
    problems.push({ where: 'services', what: `expected an object of services by name, got ${what}` });
    return [];
  }
  return Object.entries(services).flatMap(([name, options]) => {
    const where = `services.${shownKey(name)}`;
    if ('faults' in nameKind.read(name, { textual: false, baseDir: '' })) {
      problems.push({ where, what: `expected ${nameKind.expected}` });
    }
    if (isRecord(options)) return [{ name, options }];
    problems.push({ where, what: `expected an object of options, got ${shownValue(options)}` });
    return [];
  });
}

/** Flags and variables of one service, where the config names several; and a name, where it names any. */
function givenToNamed(
  flags: Layer,
  env: ResolveContext['env'],
  named: readonly { readonly name: string }[],
): readonly Problem[] {
  const names = named.map(({ name }) => shownKey(name)).join(', ');
  const what =
    named.length > 1
      ? `is of one service, and the config has several: ${names}; write it there`
      : `the config names its service itself: ${names}; change it there`;
  return OPTION_KEYS.filter(
    (key) => optionOf(key).single && (named.length > 1 || (named.length === 1 && key === 'name')),
  ).flatMap((key) => [
    ...(key in flags.values ? [{ where: key === 'entry' ? key : flagOf(key), what }] : []),
    ...((env[variableOf(key)] ?? '') === '' ? [] : [{ where: variableOf(key), what }]),
  ]);
}

/** What is nearer stands before; `env` is merged by variable, everything else as a whole. */
function merged(layers: readonly Layer[]): Layer {
  const farthestFirst = layers.map(({ values }) => values).reverse();
  const variables = farthestFirst.flatMap(({ env }) => Object.entries(env ?? {}));
  return {
    values: {
      ...(Object.assign({}, ...farthestFirst) as Partial<Values>),
      ...(variables.length > 0 && { env: Object.fromEntries(variables) }),
    },
    refused: new Set(layers.flatMap(({ refused }) => [...refused])),
  };
}

function portClashes(services: SupervisorSettings['services']): readonly Problem[] {
  return services.flatMap(({ name, port }, index) => {
    const first = services.findIndex((other) => other.port === port);
    return port === null || port === 0 || first === index
      ? []
      : [
          {
            where: `services.${shownKey(name)}.port`,
            what: `${port} is also that of ${shownKey(services[first]?.name ?? '')}`,
          },
        ];
  });
}

function withDefaults(values: Partial<Values>, facts: Facts): Values {
  const defaults = OPTION_KEYS.map((key) => [key, defaultOf(key, facts)] as const);
  return { ...(Object.fromEntries(defaults) as unknown as Values), ...values };
}

function defaultOf(key: OptionKey, facts: Facts): unknown {
  const { fallback, kind } = optionOf(key);
  if (fallback === 'required') return '';
  if ('of' in fallback) return fallback.of(facts);
  const read = kind.read(fallback.input, { textual: false, baseDir: facts.cwd });
  return 'value' in read ? read.value : undefined;
}

function fixedDefault(key: 'suspectAfter'): Values['suspectAfter'] {
  const { fallback, kind } = OPTIONS[key];
  const input = fallback !== 'required' && 'input' in fallback ? fallback.input : undefined;
  const read = kind.read(input, { textual: false, baseDir: '' });
  return 'value' in read ? read.value : 0;
}

function sharedFacts(machine: Machine, cwd: string): Facts {
  return { machine, cwd, entry: '', suspectMs: 0, slotBound: false, memoryShareBytes: null };
}
