import { fileURLToPath } from 'node:url';
import { ChaosError, messageOf } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';

/** Our own code: never the place where a scenario is wrong. */
const OWN_CODE = fileURLToPath(new URL('..', import.meta.url));

/** An error from a scenario's own code, as one that names file and line and says what to do. */
export function explainLoadError(
  file: string,
  error: unknown,
  modules: Readonly<Record<string, unknown>>,
): ChaosError {
  const message = messageOf(error);
  const syntax = /^(?:ParseError|SyntaxError): (.*?)\s*\n\s*(\S.*):(\d+):(\d+)/s.exec(message);
  if (syntax) {
    const [, what, where, line, column] = syntax;
    return new ChaosError('usage', `${where}:${line}:${column} has a syntax error: ${what}`, {
      cause: error,
    });
  }
  const missing = /Cannot find (?:module|package) '([^']+)'/.exec(message)?.[1];
  if (missing !== undefined) {
    const hint = missing.startsWith('.')
      ? 'The path is relative to the file that imports it.'
      : `Install it where the scenario is: npm install --save-dev ${missing}`;
    return new ChaosError('usage', `${file} imports '${missing}', which cannot be found`, {
      hint,
      cause: error,
    });
  }
  const unknown = unknownImport(message, modules);
  return new ChaosError(
    'usage',
    `${position(file, error)} threw while it was loaded: ${unknown?.what ?? message}`,
    {
      hint: unknown?.hint ?? 'A scenario file only describes; it is run before anything is started.',
      cause: error,
    },
  );
}

/** Importing a name that does not exist shows only when it is called: `(0 , _clusterChaos.foo) is not a function`. */
function unknownImport(
  message: string,
  modules: Readonly<Record<string, unknown>>,
): { readonly what: string; readonly hint: string } | null {
  const name = /\(0 ?, ?_\w+\.(\w+)\) is not a function/.exec(message)?.[1];
  if (name === undefined) return null;
  const known = Object.values(modules).flatMap((module) => Object.keys(Object(module) as object));
  if (known.includes(name)) return null;
  const near = nearest(name, known);
  return {
    what: `'${name}' is not a function`,
    hint: near === undefined ? `Check what '${name}' is imported from.` : `Did you mean '${near}'?`,
  };
}

/** `file:line` of the innermost frame outside of node, node_modules and our own code, or the file alone. */
function position(file: string, error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const line of stack.split('\n')) {
    const frame = /\(?(?:file:\/\/)?(\/[^()]+):(\d+):\d+\)?$/.exec(line.trim());
    if (!frame?.[1]) continue;
    const theirs = frame[1] === file || !frame[1].includes('/node_modules/');
    if (theirs && !frame[1].startsWith(OWN_CODE)) return `${frame[1]}:${frame[2]}`;
  }
  return file;
}
