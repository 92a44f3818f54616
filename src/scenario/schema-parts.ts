import { z } from 'zod';
import { formatMs } from '../base/format.ts';
import { nearest } from '../base/nearest.ts';
import { parseDuration } from '../base/units.ts';

// The pieces that scenario schemas are made of. Each says in its error what it got and what is allowed.

export interface Bounds {
  readonly min?: number;
  readonly max: number;
  /** The reason of the bounds, for the error. */
  readonly why: string;
}

/** A value as an error shows it, cut to one short line. */
export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  const text = value instanceof RegExp ? String(value) : safeJson(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The sentence of every error here. */
export function gotAllowed(got: unknown, allowed: string): string {
  return got === undefined ? `is missing; expected: ${allowed}` : `got ${show(got)}; allowed: ${allowed}`;
}

/** An object with exactly these keys; an unknown one is named with the nearest known. */
export function strict<T extends z.core.$ZodShape>(
  shape: T,
): z.ZodObject<z.core.util.Writeable<T>, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return unknownKeys(issue.keys, known);
      return gotAllowed(issue.input, `an object with the keys ${known.join(', ')}`);
    },
  });
}

/** One of these words. */
export function oneOf<const T extends readonly [string, ...string[]]>(
  words: T,
): z.ZodEnum<z.core.util.ToEnum<T[number]>> {
  return z.enum(words, {
    error: ({ input }) => gotAllowed(input, words.join(', ')) + didYouMean(input, words),
  });
}

/** An object whose `key` says which of these it is. */
export function oneKindOf<
  const T extends readonly [z.core.$ZodTypeDiscriminable, ...z.core.$ZodTypeDiscriminable[]],
>(key: string, words: readonly string[], options: T): z.ZodDiscriminatedUnion<T> {
  return z.discriminatedUnion(key, options, {
    error: ({ input }) => {
      const got = typeof input === 'object' && input !== null ? Reflect.get(input, key) : input;
      return gotAllowed(got, `an object whose ${key} is ${words.join(', ')}`) + didYouMean(got, words);
    },
  });
}

export function text(
  allowed: string,
  check: { readonly pattern?: RegExp; readonly max: number },
): z.ZodString {
  const error = ({ input }: { readonly input?: unknown }): string => gotAllowed(input, allowed);
  const schema = z.string({ error }).max(check.max, { error });
  return check.pattern ? schema.regex(check.pattern, { error }) : schema;
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: ({ input }) => gotAllowed(input, 'true, false') });
}

/** A whole number within bounds. */
export function whole(bounds: Bounds): z.ZodInt {
  const error = numberError('a whole number', bounds);
  return z
    .int({ error })
    .min(bounds.min ?? 0, { error })
    .max(bounds.max, { error });
}

/** A number within bounds. */
export function real(bounds: Bounds): z.ZodNumber {
  const error = numberError('a number', bounds);
  return z
    .number({ error })
    .min(bounds.min ?? 0, { error })
    .max(bounds.max, { error });
}

/** A duration as users write it, read as whole ms. */
export function duration(bounds: Bounds): z.ZodType<number, string | number> {
  const { min = 0, max, why } = bounds;
  const allowed = `a duration from ${boundText(min)} to ${boundText(max)}, such as '1.5s' or 1500 (${why})`;
  return z
    .union([z.string(), z.number()], { error: ({ input }) => gotAllowed(input, allowed) })
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= min && ms <= max) return Math.round(ms);
      context.addIssue({ code: 'custom', message: gotAllowed(value, allowed) });
      return z.NEVER;
    });
}

/** A list, with a bound on its length. */
export function list<T extends z.ZodType>(item: T, bounds: Bounds): z.ZodArray<T> {
  const { min = 0, max, why } = bounds;
  const error = ({ input }: { readonly input?: unknown }): string => {
    const got = Array.isArray(input) ? `a list of ${input.length}` : show(input);
    return `got ${got}; allowed: a list of ${min} to ${max} (${why})`;
  };
  return z.array(item, { error }).min(min, { error }).max(max, { error });
}

/** `; did you mean 'x'?`, or nothing. */
export function didYouMean(got: unknown, known: readonly string[]): string {
  const near = typeof got === 'string' ? nearest(got, known) : undefined;
  return near === undefined ? '' : `; did you mean '${near}'?`;
}

/** One line a key: whoever shows the issue puts the key's own path before each. */
function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  return keys
    .map((key) => `unknown key${didYouMean(key, known) || `; allowed: ${known.join(', ')}`}`)
    .join('\n');
}

function numberError(what: string, { min = 0, max, why }: Bounds) {
  return ({ input }: { readonly input?: unknown }): string =>
    gotAllowed(input, `${what} from ${min} to ${max} (${why})`);
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // Cyclic, or with a BigInt inside: its type is all that can be said.
    return `a value of type ${typeof value}`;
  }
}

/** A bound as people write it: `24h`, `10min`, `1s`. */
function boundText(ms: number): string {
  if (ms > 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  return ms > 0 && ms % 60_000 === 0 ? `${ms / 60_000}min` : formatMs(ms);
}
