// Reads one config of `chaos serve`, which its argument names, and tells its parent the options. In a process of its own
// nothing is left of an older reading, and whatever the config's code does ends with this process, not with the supervisor.
import { createRequire } from 'node:module';
import { serialize } from 'node:v8';
import { createJiti } from 'jiti';
import { messageOf } from '../../base/errors.ts';
import { explainLoadError } from '../../runtime/explain-load-error.ts';
import { privateCacheDir } from '../../runtime/private-cache.ts';
import * as supervisor from '../../supervisor/index.ts';
import { faultProblem, type Problem, problemsError, shownKey } from '../../supervisor/options/problems.ts';
import type { ParentWatch } from '../../supervisor/worker/watch-parent.cts';

/** What the parent is told, once. */
export type ConfigAnswer =
  /** The default export, as data. */
  { readonly config: unknown } | { readonly refused: string; readonly hint: string | undefined };

/** Options are some kilobytes; what is larger is something else. */
const CONFIG_BYTES_MAX = 1_000_000;

const HINT =
  'It exports its options: `export default { entry: "app.js", workers: 4 }`, or is the same as JSON.';

const MODULES = { 'cluster-chaos/supervisor': supervisor };

const file = process.argv[2] ?? '';
const send = process.send?.bind(process);
let answered = false;

/** The first answer counts, and is the end of this process. */
function answer(message: ConfigAnswer): void {
  if (answered) return;
  answered = true;
  send?.(message, () => process.exit(0));
}

function explain(error: unknown): void {
  answer({ refused: explainLoadError(file, error, MODULES).message, hint: HINT });
}

async function read(): Promise<void> {
  const jiti = createJiti(file, {
    virtualModules: MODULES,
    fsCache: privateCacheDir('jiti') ?? false,
    interopDefault: false,
  });
  const found = defaultOf(await jiti.import(file));
  if (found === null) return answer({ refused: `${file} has no default export`, hint: HINT });

  const problems: Problem[] = [];
  const config = dataOf(await found.value, '', problems);
  if (problems.length > 0) {
    const { message, hint } = problemsError(problems, file);
    return answer({ refused: message, hint });
  }
  const bytes = serialize(config).byteLength;
  if (bytes > CONFIG_BYTES_MAX) {
    return answer({
      refused: `${file} exports ${bytes} bytes of options; at most ${CONFIG_BYTES_MAX}`,
      hint: HINT,
    });
  }
  answer({ config });
}

function defaultOf(exported: unknown): { readonly value: unknown } | null {
  if (typeof exported !== 'object' || exported === null) return { value: exported };
  if ('default' in exported) return { value: exported.default };
  // CommonJS: `module.exports = { ... }`.
  const isModule = '__esModule' in exported || Reflect.get(exported, Symbol.toStringTag) === 'Module';
  return !isModule && Object.keys(exported).length > 0 ? { value: exported } : null;
}

/**
 * A copy that can be sent: what an object has as its own keys, which is all that the options are read from. Objects that
 * keep what they hold elsewhere (a URL, a Map, a Promise) would arrive empty, so they are problems, as functions are.
 */
function dataOf(
  value: unknown,
  where: string,
  problems: Problem[],
  copies: Map<object, object> = new Map(),
): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') {
    const expected = where === '' ? 'an object of options' : 'data';
    problems.push(faultProblem(where, { expected, got: value }));
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return value;
  const before = copies.get(value);
  if (before !== undefined) return before;

  const isArray = Array.isArray(value);
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (!isArray && tag !== 'Object' && tag !== 'Module') {
    problems.push({ where, what: `expected data, got an object of class ${shownKey(tag)}` });
    return undefined;
  }
  const copy: object = isArray ? [] : {};
  copies.set(value, copy);
  for (const key of Object.keys(value)) {
    const at = isArray ? `${where}[${key}]` : `${where}${where === '' ? '' : '.'}${shownKey(key)}`;
    let member: unknown;
    try {
      member = Reflect.get(value, key);
    } catch (error) {
      problems.push({ where: at, what: `threw while it was read: ${messageOf(error)}` });
      continue;
    }
    // Defined, not assigned: a key may be `__proto__`.
    Object.defineProperty(copy, key, {
      value: dataOf(member, at, problems, copies),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return copy;
}

const require = createRequire(import.meta.url);
(require('../../supervisor/worker/watch-parent.cjs') as ParentWatch).watchParent();
// Who means to end the supervisor may signal all of its processes; the parent decides what comes of it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// The channel is ours: the config's code sees a process without one, as the supervisor is.
delete process.send;
// A rejection that nobody handles comes here too, unless NODE_OPTIONS say otherwise.
process.on('uncaughtException', explain);
process.once('beforeExit', () =>
  answer({
    refused: `${file} never comes to its default export: nothing is left that could settle what it waits for`,
    hint: 'Look for an `await`, or a promise as default export, that neither resolves nor rejects.',
  }),
);
read().catch(explain);
