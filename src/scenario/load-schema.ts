import { z } from 'zod';
import type { LoadSpec, RequestSpec } from '../model/scenario.ts';
import { DURATIONS, LIMITS } from './limits.ts';
import { duration, gotAllowed, list, oneOf, real, strict, text, whole } from './schema-parts.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const headers = z.record(
  text("a header's name", { pattern: /^[\w!#$%&'*+.^`|~-]+$/, max: 1000 }),
  // A line break would start another header.
  text('a text without line breaks', { pattern: /^[^\r\n\0]*$/, max: 100_000 }),
  { error: ({ input }) => gotAllowed(input, 'an object of header names and texts') },
);

const status = z
  .union([whole(LIMITS.status), z.array(whole(LIMITS.status)).min(1).max(100)], {
    error: ({ input }) => gotAllowed(input, 'a status from 100 to 599, or a list of them'),
  })
  .transform((value): readonly number[] => (typeof value === 'number' ? [value] : value));

const BODY = "a text, a RegExp, or { matches: 'source', flags: 'i' }";

/** `expectBody` as the model has it. A RegExp cannot be JSON, so JSON Schema leaves that member out. */
const expectBody = z
  .union(
    [z.string(), z.strictObject({ matches: z.string(), flags: z.string().optional() }), z.instanceof(RegExp)],
    {
      error: ({ input }) => gotAllowed(input, BODY),
    },
  )
  .transform((value, context): NonNullable<RequestSpec['expectBody']> => {
    if (typeof value === 'string') return { type: 'equals', text: value };
    const { source, flags } =
      value instanceof RegExp ? value : { source: value.matches, flags: value.flags ?? '' };
    if (/[gy]/.test(flags) || !compiles(source, flags)) {
      context.addIssue({
        code: 'custom',
        message: gotAllowed(`/${source}/${flags}`, 'a regular expression without the flags g and y'),
      });
    }
    return { type: 'matches', source, flags };
  });

const request = strict({
  method: oneOf(METHODS).default('GET'),
  path: text("a path that starts with '/'", { pattern: /^\/[^\s\0]*$/, max: LIMITS.pathLength.max }).default(
    '/',
  ),
  headers: headers.default({}),
  body: text(`a text of at most ${LIMITS.bodyLength.max} characters, or null`, LIMITS.bodyLength)
    .nullable()
    .default(null),
  weight: real(LIMITS.weight).default(1),
  expect: strict({ status: status.optional(), body: expectBody.optional() }).prefault({}),
}).transform(
  ({ expect, ...rest }): RequestSpec => ({
    ...rest,
    expectStatus: expect.status ?? null,
    expectBody: expect.body ?? null,
  }),
);

/** `load` of a scenario. */
export const loadSchema = strict({
  mode: oneOf(['open', 'closed']).default('open'),
  rate: real(LIMITS.rate).nullable().default(null),
  connections: whole(LIMITS.connections).default(20),
  freshShare: real(LIMITS.share).default(0.5),
  timeout: duration(DURATIONS.requestTimeout).default(5000),
  requests: list(request, LIMITS.requests).prefault([{}]),
})
  .prefault({})
  .transform(
    ({ rate, timeout, ...rest }): LoadSpec => ({ ...rest, ratePerSecond: rate, timeoutMs: timeout }),
  );

function compiles(source: string, flags: string): boolean {
  try {
    return new RegExp(source, flags).source !== '';
  } catch {
    // A syntax error is the answer.
    return false;
  }
}
