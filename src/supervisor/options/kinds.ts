import { formatCount } from '../../base/format.ts';
import { parseDuration, parseSize } from '../../base/units.ts';
import type { Fault } from './problems.ts';

/** Where a value comes from. */
export interface Source {
  /** A flag or variable: everything is text. A config file or a program says numbers as numbers. */
  readonly textual: boolean;
  /** Paths are relative to this folder. */
  readonly baseDir: string;
}

export type Read<T> = { readonly value: T } | { readonly faults: readonly Fault[] };

/** How one sort of option is read. */
export interface Kind<T> {
  /** For messages and help. */
  readonly expected: string;
  /** Placeholder in the help of the flag; null: the flag takes no value. */
  readonly argument: string | null;
  /** Bounds, for the help. */
  readonly range?: string;
  readonly read: (input: unknown, source: Source) => Read<T>;
}

export function refuse(got: unknown, expected: string, hint?: string): { readonly faults: readonly Fault[] } {
  return { faults: [{ expected, got, ...(hint !== undefined && { hint }) }] };
}

/** A kind whose reader only says yes or no. */
export function simpleKind<T>(
  expected: string,
  argument: string | null,
  parse: (input: unknown, source: Source) => T | undefined,
  range?: string,
): Kind<T> {
  return {
    expected,
    argument,
    ...(range !== undefined && { range }),
    read(input, source) {
      const value = parse(input, source);
      return value === undefined ? refuse(input, expected) : { value };
    },
  };
}

/** `none` in text, `null` or `'none'` in a program: the option is off. */
export function orNone<T>(kind: Kind<T>): Kind<T | null> {
  const expected = `${kind.expected}, or none`;
  return {
    expected,
    argument: kind.argument,
    range: kind.range === undefined ? 'or none' : `${kind.range}, or none`,
    read(input, source) {
      if (input === 'none' || (!source.textual && input === null)) return { value: null };
      const read = kind.read(input, source);
      if ('value' in read) return read;
      return {
        faults: read.faults.map((fault) =>
          fault.expected === kind.expected ? { ...fault, expected } : fault,
        ),
      };
    },
  };
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

export function wholeNumber({ min, max }: Bounds): Kind<number> {
  const range = `${formatCount(min)} to ${formatCount(max)}`;
  const parse = (input: unknown, source: Source): number | undefined => {
    const value = numberOf(input, source);
    return value !== undefined && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  };
  return simpleKind(`a whole number from ${range}`, '<n>', parse, range);
}

export function share({ min, max }: Bounds): Kind<number> {
  const range = `${min} to ${max}`;
  const parse = (input: unknown, source: Source): number | undefined => {
    const value = numberOf(input, source);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  };
  return simpleKind(`a share from ${range}`, '<share>', parse, range);
}

/** Bounds as one writes them, so that messages say them so. */
interface WrittenBounds {
  readonly min: string;
  readonly max: string;
}

export function duration({ min, max }: WrittenBounds): Kind<number> {
  return withUnit(`a duration from ${min} to ${max}, such as '250ms', '1.5s' or '10m'`, '<duration>', {
    parse: parseDuration,
    min,
    max,
  });
}

export function size({ min, max }: WrittenBounds): Kind<number> {
  return withUnit(`a size from ${min} to ${max}, such as '512MB' or '1GiB'`, '<size>', {
    parse: (input) => {
      const bytes = parseSize(input);
      return bytes === undefined ? undefined : Math.floor(bytes);
    },
    min,
    max,
  });
}

function withUnit(
  expected: string,
  argument: string,
  { parse, min, max }: WrittenBounds & { readonly parse: (input: string | number) => number | undefined },
): Kind<number> {
  const low = parse(min) ?? 0;
  const high = parse(max) ?? 0;
  const read = (input: unknown): number | undefined => {
    if (typeof input !== 'string' && typeof input !== 'number') return undefined;
    const value = parse(input);
    return value !== undefined && value >= low && value <= high ? value : undefined;
  };
  return simpleKind(expected, argument, read, `${min} to ${max}`);
}

export function choice<const T extends string>(values: readonly T[]): Kind<T> {
  return simpleKind(`one of ${values.join(', ')}`, `<${values.join('|')}>`, (input) =>
    values.find((value) => value === input),
  );
}

export const yesNo: Kind<boolean> = simpleKind('true or false', null, (input, { textual }) => {
  if (typeof input === 'boolean') return input;
  if (!textual) return undefined;
  if (input === 'true' || input === '1') return true;
  return input === 'false' || input === '0' ? false : undefined;
});

/** Texts for a command line; a NUL would end them early. */
export const words: Kind<readonly string[]> = {
  expected: 'an array of texts',
  argument: '<text>',
  read(input) {
    if (!Array.isArray(input)) return refuse(input, this.expected);
    const items: readonly unknown[] = input;
    const faults = items.flatMap((item, index): readonly Fault[] =>
      typeof item === 'string' && !item.includes('\0')
        ? []
        : [{ at: `[${index}]`, expected: 'a text without NUL', got: item }],
    );
    return faults.length > 0 ? { faults } : { value: items.map(String) };
  },
};

export function numberOf(input: unknown, { textual }: Source): number | undefined {
  if (typeof input === 'number') return input;
  if (!textual || typeof input !== 'string' || !/^\s*-?(\d+\.?\d*|\.\d+)\s*$/.test(input)) return undefined;
  return Number(input);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
