import type { Command } from 'commander';
import { z } from 'zod';
import { ChaosError } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';
import { builtinFaults } from '../../faults/registry.ts';
import type { FaultKind } from '../../model/ports.ts';
import type { CliContext } from '../context.ts';

/** What the list needs of a kind; `inject` is not called. */
export type DescribedKind = Pick<FaultKind, 'kind' | 'summary' | 'needs' | 'params'>;

const NEEDS: Readonly<Record<DescribedKind['needs'], string>> = {
  process: 'works on any process',
  agent: 'needs the agent in the server',
};

/**
 * The result of `chaos faults [kind]`: all kinds with a sentence each, or one with its parameters.
 *
 * @throws ChaosError 'usage' for a kind that does not exist
 */
export function renderFaults(kinds: Iterable<DescribedKind>, name?: string): string {
  const known = [...kinds];
  if (name === undefined) return renderList(known);
  const kind = known.find((candidate) => candidate.kind === name);
  if (kind !== undefined) return renderKind(kind);
  const names = known.map((candidate) => candidate.kind);
  const near = nearest(name, names);
  throw new ChaosError('usage', `unknown fault kind '${name}'; known: ${names.join(', ')}`, {
    ...(near !== undefined && { hint: `Did you mean '${near}'?` }),
  });
}

function renderList(kinds: readonly DescribedKind[]): string {
  const width = Math.max(0, ...kinds.map(({ kind }) => kind.length));
  const lines = kinds.map(
    ({ kind, summary, needs }) => `${kind.padEnd(width)}  ${summary} (${NEEDS[needs]})`,
  );
  return `${lines.join('\n')}\n\nParameters of one: chaos faults <kind>\n`;
}

function renderKind({ kind, summary, needs, params }: DescribedKind): string {
  const rows = parameters(params).map(([name, allowed]) => `  ${name}: ${allowed}`);
  const list = rows.length > 0 ? ['parameters:', ...rows] : ['no parameters'];
  return `${[`${kind}: ${summary}`, NEEDS[needs], ...list].join('\n')}\n`;
}

interface Property {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Property[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Read from the JSON Schema of the parameters, so that no kind has to say twice what it accepts. */
function parameters(schema: z.ZodType): readonly (readonly [string, string])[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    readonly properties?: Readonly<Record<string, Property>>;
  };
  return Object.entries(json.properties ?? {}).map(([name, property]) => [name, describe(property)]);
}

function describe(property: Property): string {
  const parts = [allowed(property)];
  if (property.default !== undefined) parts.push(`default ${JSON.stringify(property.default)}`);
  if (property.description !== undefined) parts.push(property.description);
  return parts.join('; ');
}

function allowed(property: Property): string {
  if (property.anyOf) return property.anyOf.map(allowed).join(' | ');
  if (property.enum) return property.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (property.const !== undefined) return JSON.stringify(property.const);
  const type = [property.type ?? 'any'].flat().join(' | ');
  const { minimum, maximum } = property;
  // zod bounds every integer by what a double can count to, which says nothing to people.
  if (minimum === undefined || maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER) return type;
  return `${type} ${minimum}..${maximum}`;
}

/** `chaos faults`: the fault kinds, or one with its parameters. */
export function registerFaults(program: Command, cli: CliContext): void {
  program
    .command('faults')
    .description('list the fault kinds, or one with its parameters')
    .argument('[kind]', 'a fault kind')
    .action((kind: string | undefined) => {
      cli.stdout.write(renderFaults(builtinFaults.values(), kind));
    });
}
