import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { ChaosError } from '../base/errors.ts';
import { parseDuration } from '../base/units.ts';
import { builtinFaults } from '../faults/registry.ts';
import * as self from '../index.ts';
import type { Objective } from '../model/objective.ts';
import type { Plan } from '../model/plan.ts';
import { type Scenario, WORKERS_DEFAULT } from '../model/scenario.ts';
import { makePlan } from '../plan/make-plan.ts';
import { findScenarios } from '../runtime/find-scenario.ts';
import { loadScenarioModule } from '../runtime/load-scenario.ts';
import { parseObjective } from '../scenario/parse-objective.ts';
import { targetOrigin } from '../scenario/target-url.ts';
import { validateScenario } from '../scenario/validate-scenario.ts';
import { METRICS } from '../verify/catalogue.ts';
import { type CliContext, shortPath } from './context.ts';

/** Options of `run` and `plan` that change a scenario. */
export interface Overrides {
  readonly seed?: string;
  readonly target?: string;
  readonly url?: string;
  readonly workers?: number;
  readonly rate?: number;
  readonly connections?: number;
  readonly duration?: string;
  readonly expect?: readonly string[];
  readonly allowRemote?: boolean;
}

/** A scenario ready to run, with its seed and plan. */
export interface PreparedScenario {
  readonly file: string;
  readonly scenario: Scenario;
  readonly seed: string;
  readonly plan: Plan;
}

/** Finds, loads, validates and plans; nothing is started. */
export async function prepareScenarios(
  cli: CliContext,
  names: readonly string[],
  overrides: Overrides,
): Promise<readonly PreparedScenario[]> {
  const files = findScenarios(names, { cwd: cli.cwd, shippedDir: join(cli.packageDir, 'scenarios') });
  const prepared: PreparedScenario[] = [];
  for (const path of files) {
    const file = shortPath(cli, path);
    const input = await loadScenarioModule(path, { modules: { 'cluster-chaos': self } });
    const validated = validateScenario(input, {
      file,
      cwd: cli.cwd,
      metrics: METRICS,
      kinds: builtinFaults.values(),
      allowRemote: overrides.allowRemote ?? false,
    });
    const scenario = applyOverrides(cli, validated, overrides);
    const seed = overrides.seed ?? scenario.seed ?? String(randomInt(2 ** 31));
    prepared.push({ file, scenario, seed, plan: planOf(scenario, seed) });
  }
  return prepared;
}

/** The plan for as many workers as the scenario says, or as the run finds. */
export function planOf(scenario: Scenario, seed: string, workers?: number): Plan {
  return makePlan(scenario, seed, workers ?? scenario.target.workers ?? WORKERS_DEFAULT);
}

/** Objectives that replace those of the scenario on the same metric and window, or come on top. */
export function withExpectations(
  objectives: readonly Objective[],
  texts: readonly string[],
): readonly Objective[] {
  const added = texts.map((text) => parseObjective(text, METRICS));
  const kept = objectives.filter(
    (old) => !added.some((fresh) => fresh.metric === old.metric && fresh.window === old.window),
  );
  return [...kept, ...added];
}

function applyOverrides(cli: CliContext, scenario: Scenario, overrides: Overrides): Scenario {
  const { target, url, workers, rate, connections, duration, expect } = overrides;
  const chaosMs = duration === undefined ? scenario.phases.chaosMs : parseDuration(duration);
  if (chaosMs === undefined || chaosMs <= 0) {
    throw new ChaosError(
      'usage',
      `--duration: got ${JSON.stringify(duration)}; allowed: a duration such as 30s or 5m`,
    );
  }
  const origin =
    url === undefined ? null : targetOrigin(url, { allowRemote: overrides.allowRemote ?? false });
  return {
    ...scenario,
    target: {
      ...scenario.target,
      // The built-in example is a command like any other, named where it can be seen.
      command: target ?? scenario.target.command ?? exampleCommand(cli),
      cwd: target === undefined && scenario.target.command !== null ? scenario.target.cwd : cli.cwd,
      url: origin ?? (target === undefined ? scenario.target.url : null),
      workers: workers ?? scenario.target.workers,
    },
    load: {
      ...scenario.load,
      ratePerSecond: rate ?? scenario.load.ratePerSecond,
      connections: connections ?? scenario.load.connections,
    },
    phases: { ...scenario.phases, chaosMs },
    objectives: withExpectations(scenario.objectives, expect ?? []),
  };
}

/** The example app under the reference supervisor. */
export function exampleCommand(cli: CliContext): string {
  const file = (name: string): string => quote(shortPath(cli, join(cli.packageDir, name)));
  return `node ${file('bin/chaos.js')} serve ${file('examples/app.js')} --admin none`;
}

/** A word as `/bin/sh` reads it. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
