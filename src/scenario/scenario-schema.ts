import { z } from 'zod';
import type { Objective } from '../model/objective.ts';
import type { PhaseDurations, Scenario } from '../model/scenario.ts';
import { faultsSchema, type ScenarioFaultKind } from './fault-schema.ts';
import { DURATIONS, LIMITS } from './limits.ts';
import { loadSchema } from './load-schema.ts';
import { type ObjectiveMetric, readObjective } from './parse-objective.ts';
import { resilienceObjectives } from './resilience-objectives.ts';
import { duration, gotAllowed, list, oneOf, strict, text } from './schema-parts.ts';
import { targetSchema } from './target-schema.ts';

/** What the other rooms know and a scenario must agree with. */
export interface ScenarioContext {
  /** For a scenario without a name. */
  readonly name: string;
  readonly cwd: string;
  readonly allowRemote: boolean;
  readonly metrics: readonly ObjectiveMetric[];
  /** `null`: any kind, with parameters unchecked. */
  readonly kinds: readonly ScenarioFaultKind[] | null;
}

const phases = strict({
  warmup: duration(DURATIONS.warmup).default(3000),
  baseline: duration(DURATIONS.baseline).default(5000),
  chaos: duration(DURATIONS.chaos).default(30_000),
  settle: duration(DURATIONS.settle).default(15_000),
  recovery: duration(DURATIONS.recovery).default(5000),
})
  .prefault({})
  .transform(
    (input): PhaseDurations => ({
      warmupMs: input.warmup,
      baselineMs: input.baseline,
      chaosMs: input.chaos,
      settleMs: input.settle,
      recoveryMs: input.recovery,
    }),
  );

function objectivesSchema(metrics: readonly ObjectiveMetric[]) {
  const objectiveText = z
    .string({ error: ({ input }) => gotAllowed(input, "an objective such as 'outage.longest < 200ms'") })
    .max(500)
    .transform((value, context): Objective => {
      const read = readObjective(value, metrics);
      if (read.ok) return read.value;
      context.addIssue({ code: 'custom', message: `'${value}': ${read.problem}` });
      return z.NEVER;
    });
  const leveled = strict({
    objective: objectiveText,
    level: oneOf(['error', 'warn']).default('error'),
  }).transform(({ objective, level }): Objective => ({ ...objective, level }));
  const objective = z.union([objectiveText, leveled], {
    error: ({ input }) =>
      gotAllowed(input, "an objective such as 'outage.longest < 200ms', or { objective, level }"),
  });
  return list(objective, LIMITS.objectives).superRefine(refuseTwins);
}

/** The text is the id of its check. */
function refuseTwins(objectives: readonly Objective[], context: z.core.$RefinementCtx): void {
  for (const [index, { text: own }] of objectives.entries()) {
    const first = objectives.findIndex((other) => other.text === own);
    if (first === index) continue;
    const message = gotAllowed(own, `an objective that objectives[${first}] is not already`);
    context.addIssue({ code: 'custom', path: [index], message });
  }
}

/** The whole of a scenario: what users write in, what the code reads out. */
export function scenarioSchema(context: ScenarioContext) {
  return strict({
    $schema: z.string().optional(),
    name: text("a name of letters, digits, '.', '_' and '-', at most 64 of them", {
      pattern: /^[A-Za-z0-9][\w.-]*$/,
      max: LIMITS.nameLength.max,
    }).default(context.name),
    description: text('a text', { max: 2000 }).default(''),
    seed: z
      .union([z.string().min(1).max(200), z.number()], {
        error: ({ input }) => gotAllowed(input, 'a text or a number'),
      })
      .transform(String)
      .nullable()
      .default(null),
    target: targetSchema(context),
    load: loadSchema,
    phases,
    faults: faultsSchema(context.kinds),
    objectives: objectivesSchema(context.metrics).prefault(resilienceObjectives()),
  }).transform(
    ({ name, description, seed, target, load, phases, faults, objectives }): Scenario => ({
      name,
      description,
      seed,
      target,
      load,
      phases,
      faults,
      objectives,
    }),
  );
}
