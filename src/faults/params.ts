import { z } from 'zod';
import { ChaosError } from '../base/errors.ts';
import type { FaultParams } from '../model/fault.ts';
import type { FaultKind } from '../model/ports.ts';
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

/**
 * Reads parameters as the fault kind wants them, with its defaults.
 * @throws ChaosError 'usage' that names each key, the value that was got and what is allowed
 */
export function parseFaultParams<P extends FaultParams>(kind: FaultKind<P>, params: unknown): P {
  const read = kind.params.safeParse(params);
  if (read.success) return read.data;
  const problems = read.error.issues.map(({ path, message }) => [...path, message].join(': '));
  throw new ChaosError('usage', `fault ${kind.kind}: ${problems.join('; ')}`, {
    hint: `\`chaos faults ${kind.kind}\` shows the parameters.`,
  });
}
