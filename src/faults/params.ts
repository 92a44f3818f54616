import { z } from 'zod';
import { didYouMean, gotAllowed, show } from '../scenario/schema-parts.ts';

/** The parameters of a fault kind: exactly these keys; an unknown one is refused with its name and value. */
export function faultParams<T extends z.core.$ZodShape>(
  shape: T,
): z.ZodObject<z.core.util.Writeable<T>, z.core.$strict> {
  const known = Object.keys(shape);
  const allowed = known.length === 0 ? 'no parameters' : known.join(', ');
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return gotAllowed(issue.input, `an object: ${allowed}`);
      const got = issue.keys
        .map((key) => `${key}: ${show(Reflect.get(Object(issue.input), key))}`)
        .join(', ');
      return `got the unknown ${got}; allowed: ${allowed}${didYouMean(issue.keys[0], known)}`;
    },
  });
}

/** A whole number of this many at least and at most, or `null`. */
export function wholeOrNull(min: number, max: number, what: string): z.ZodNullable<z.ZodInt> {
  const error = ({ input }: { readonly input?: unknown }): string => gotAllowed(input, what);
  return z.int({ error }).min(min, { error }).max(max, { error }).nullable();
}
