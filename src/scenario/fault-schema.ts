import { z } from 'zod';
import type { FaultParams, FaultSpec, ScheduledFault, Selector } from '../model/fault.ts';
import { defaultExpect } from './default-expect.ts';
import { DURATIONS, LIMITS } from './limits.ts';
import { scheduleSchema, windowSchema } from './schedule-schema.ts';
import {
  didYouMean,
  duration,
  gotAllowed,
  list,
  oneKindOf,
  oneOf,
  strict,
  text,
  whole,
} from './schema-parts.ts';

/** What the scenario must know of a fault kind; the kinds are given to it, since they are adapters. */
export interface ScenarioFaultKind {
  readonly kind: string;
  readonly params: z.ZodType<FaultParams>;
}

const PICKS = ['all', 'random', 'slot', 'primary', 'last-started'] as const;

const selector: z.ZodType<Selector, Selector> = oneKindOf('pick', PICKS, [
  strict({ pick: z.literal('all') }),
  strict({ pick: z.literal('random'), count: whole(LIMITS.workersHit) }),
  strict({
    pick: z.literal('slot'),
    slots: list(whole(LIMITS.workersHit), { min: 1, max: LIMITS.workersHit.max, why: LIMITS.workersHit.why }),
  }),
  strict({ pick: z.literal('primary') }),
  strict({ pick: z.literal('last-started') }),
]);

const paramValue = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: ({ input }) => gotAllowed(input, 'a text, a number, true, false, null'),
});

const hold = z
  .union([z.literal('end').transform(() => DURATIONS.hold.max), duration(DURATIONS.hold)], {
    error: ({ input }) => gotAllowed(input, "a duration such as '9s', 'end' (of the chaos phase), or null"),
  })
  .nullable()
  .default(null);

function faultSchema(kinds: readonly ScenarioFaultKind[] | null) {
  return strict({
    kind: text('the name of a fault kind', { max: LIMITS.nameLength.max }),
    params: z
      .record(z.string(), paramValue, { error: ({ input }) => gotAllowed(input, 'an object of parameters') })
      .default({}),
    select: selector.default({ pick: 'random', count: 1 }),
    hold,
    expect: oneOf(['replaced', 'survives', 'any']).optional(),
  }).transform(({ hold, expect, ...rest }, context): FaultSpec => {
    const params = kinds === null ? rest.params : checkParams(kinds, rest, context);
    const spec = { ...rest, params, holdMs: hold };
    return { ...spec, expect: expect ?? defaultExpect(spec) };
  });
}

/** The parameters as their kind reads them, or the kind's own complaints under their path. */
function checkParams(
  kinds: readonly ScenarioFaultKind[],
  { kind, params }: { readonly kind: string; readonly params: FaultParams },
  context: z.core.$RefinementCtx,
): FaultParams {
  const known = kinds.find((candidate) => candidate.kind === kind);
  if (known === undefined) {
    const names = kinds.map((candidate) => candidate.kind);
    const message = gotAllowed(kind, names.join(', ')) + didYouMean(kind, names);
    context.addIssue({ code: 'custom', path: ['kind'], message });
    return params;
  }
  const read = known.params.safeParse(params);
  if (read.success) return read.data;
  for (const { path, message } of read.error.issues) {
    const got = path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), params);
    const shown = message.startsWith('got ') || got === undefined ? message : gotAllowed(got, message);
    context.addIssue({ code: 'custom', path: ['params', ...path], message: shown });
  }
  return params;
}

/** `faults` of a scenario. */
export function faultsSchema(kinds: readonly ScenarioFaultKind[] | null) {
  const scheduled = strict({
    name: text('a name of letters, digits and -', {
      pattern: /^[A-Za-z][A-Za-z0-9-]*$/,
      max: LIMITS.nameLength.max,
    }),
    fault: faultSchema(kinds),
    schedule: scheduleSchema,
    window: windowSchema,
  });
  return list(scheduled, LIMITS.faults).default([]).superRefine(refuseTwins);
}

/** Two faults of one name would draw the same numbers and have the same ids. */
function refuseTwins(faults: readonly ScheduledFault[], context: z.core.$RefinementCtx): void {
  for (const [index, { name }] of faults.entries()) {
    const first = faults.findIndex((other) => other.name === name);
    if (first === index) continue;
    const message = gotAllowed(name, `a name that faults[${first}] does not have`);
    context.addIssue({ code: 'custom', path: [index, 'name'], message });
  }
}
