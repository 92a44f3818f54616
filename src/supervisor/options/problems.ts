import { ChaosError } from '../../base/errors.ts';

/** One thing that is wrong with what the user wrote. */
export interface Problem {
  /** Key path, flag or variable. */
  readonly where: string;
  readonly what: string;
}

/** What a reader found wrong with one value. */
export interface Fault {
  /** Below the option's own key, such as `.PORT`. */
  readonly at?: string;
  readonly expected: string;
  readonly got: unknown;
  readonly hint?: string;
}

const SHOWN_MAX = 60;

/** What does not print, or changes the direction of what is printed after it. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Any text as one short, printable, quoted piece of a line. */
export function quoted(text: string): string {
  const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  const safe = cut
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replace(UNPRINTABLE, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
  return `'${safe}'`;
}

/** A key as part of a path: plain if it is a plain word. */
export function shownKey(key: string): string {
  return /^[\w-]{1,60}$/.test(key) ? key : quoted(key);
}

/** A value and its type, for messages. */
export function shownValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `${quoted(value)} (string)`;
    case 'number':
    case 'boolean':
    case 'bigint':
      return `${String(value)} (${typeof value})`;
    case 'undefined':
      return 'nothing';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
  }
}

export function faultProblem(where: string, fault: Fault): Problem {
  const hint = fault.hint === undefined ? '' : `; ${fault.hint}`;
  return {
    where: `${where}${fault.at ?? ''}`,
    what: `expected ${fault.expected}, got ${shownValue(fault.got)}${hint}`,
  };
}

/** All problems as one error, reason 'usage'. */
export function problemsError(problems: readonly Problem[], file: string | undefined): ChaosError {
  const lines = [...new Set(problems.map(({ where, what }) => (where === '' ? what : `${where}: ${what}`)))];
  const from = file === undefined ? '' : `${file}: `;
  const message =
    lines.length === 1
      ? `${from}${lines[0]}`
      : `${from}${lines.length} problems in the options\n${lines.map((line) => `  ${line}`).join('\n')}`;
  return new ChaosError('usage', message, {
    hint: 'chaos serve --help lists every option with its bounds and default.',
  });
}
