import type { z } from 'zod';
import { ChaosError } from '../base/errors.ts';
import type { Scenario } from '../model/scenario.ts';
import type { ScenarioFaultKind } from './fault-schema.ts';
import type { ObjectiveMetric } from './parse-objective.ts';
import { scenarioSchema } from './scenario-schema.ts';
import { show } from './schema-parts.ts';

export interface ValidateOptions {
  /** The scenario's file as the user named it: for errors, and for the name of a scenario that has none. */
  readonly file: string;
  /** Absolute folder that the target's `cwd` is relative to. */
  readonly cwd: string;
  /** What objectives may be about. */
  readonly metrics: readonly ObjectiveMetric[];
  /** What may be injected; without it, kinds and their parameters are not checked. */
  readonly kinds?: Iterable<ScenarioFaultKind>;
  /** Allow a target url that is not on this machine. */
  readonly allowRemote?: boolean;
}

/**
 * Reads a scenario as users write it into the form that the code reads, with all defaults.
 *
 * @throws ChaosError 'usage' that names the file and, for each problem, the key, what was got, what is allowed and the
 * nearest name
 */
export function validateScenario(input: unknown, options: ValidateOptions): Scenario {
  const schema = scenarioSchema({
    name: nameOf(options.file),
    cwd: options.cwd,
    allowRemote: options.allowRemote ?? false,
    metrics: options.metrics,
    kinds: options.kinds ? [...options.kinds] : null,
  });
  const read = schema.safeParse(input);
  if (read.success) return read.data;
  const problems = read.error.issues.flatMap((issue) => describeIssue(issue));
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  throw new ChaosError('usage', `${options.file} is not a valid scenario: ${count}\n${problems.join('\n')}`, {
    hint: 'Nothing was started. `chaos init` writes a commented example.',
  });
}

type Path = readonly PropertyKey[];

/** A line a problem: `  load.connections: got 5000; allowed: ...`. */
export function describeIssue(issue: z.core.$ZodIssue, parent: Path = []): readonly string[] {
  const path = [...parent, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, index) => line([...path, key], messages[index] ?? 'unknown key'));
  }
  if (issue.code === 'invalid_union') {
    const nearestMember = issue.errors.find((member) => member.some(gotPastTheType));
    if (nearestMember) return nearestMember.flatMap((inner) => describeIssue(inner, path));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.flatMap((inner) => describeIssue(inner, path));
  }
  return [line(path, issue.message)];
}

/** The member of a union that the user meant is the one whose type fits and whose content does not. */
function gotPastTheType(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || (issue.code !== 'invalid_type' && issue.code !== 'invalid_value');
}

function line(path: Path, message: string): string {
  return `  ${path.length === 0 ? 'the scenario' : keyPath(path)}: ${message}`;
}

/** `faults[0].schedule.type`. */
function keyPath(path: Path): string {
  return path
    .map((key) => {
      if (typeof key === 'number') return `[${key}]`;
      const name = String(key);
      return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${show(name)}]`;
    })
    .join('')
    .replace(/^\./, '');
}

/** The name that a file gives: `scenarios/kill random.ts` is `kill-random`. */
function nameOf(file: string): string {
  const base = file.split('/').at(-1) ?? '';
  const name = base
    .replace(/\.[^.]*$/, '')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return name === '' ? 'scenario' : name;
}
