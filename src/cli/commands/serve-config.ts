import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { createJiti } from 'jiti';
import { ChaosError, messageOf } from '../../base/errors.ts';
import { explainLoadError } from '../../runtime/explain-load-error.ts';
import { privateCacheDir } from '../../runtime/private-cache.ts';
import { quoted } from '../../supervisor/options/problems.ts';

const EXTENSIONS = ['.json', '.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/** A config is written by hand; what is larger is something else. */
const FILE_BYTES_MAX = 1_000_000;

const HINT =
  'It exports its options: `export default { entry: "app.js", workers: 4 }`, or is the same as JSON.';

/**
 * Reads a config file of `chaos serve`, again each time it is called.
 *
 * @returns its default export, or the JSON document, unchecked
 * @throws ChaosError 'usage' with file, line and hint
 */
export async function loadServeConfig(cwd: string, name: string): Promise<unknown> {
  const file = resolve(cwd, name);
  const facts = statSync(file, { throwIfNoEntry: false });
  if (!facts?.isFile()) throw new ChaosError('usage', `--config: ${quoted(name)} is not a file`);
  if (!EXTENSIONS.includes(extname(file))) {
    throw new ChaosError('usage', `--config: ${quoted(name)} must end in ${EXTENSIONS.join(', ')}`);
  }
  if (facts.size > FILE_BYTES_MAX) {
    throw new ChaosError(
      'usage',
      `--config: ${quoted(name)} has ${facts.size} bytes; at most ${FILE_BYTES_MAX}`,
    );
  }
  return extname(file) === '.json' ? readJson(file) : importConfig(file);
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    throw new ChaosError('usage', `${file} is not valid JSON: ${messageOf(error)}`, { cause: error });
  }
}

async function importConfig(file: string): Promise<unknown> {
  const modules = { 'cluster-chaos/supervisor': await import('../../supervisor/index.ts') };
  // Without a module cache: a reload reads the file as it is then, and all that it imports.
  const jiti = createJiti(file, {
    virtualModules: modules,
    fsCache: privateCacheDir('jiti') ?? false,
    moduleCache: false,
    interopDefault: false,
  });
  const exported: unknown = await jiti.import(file).catch((error: unknown) => {
    throw new ChaosError('usage', explainLoadError(file, error, modules).message, {
      hint: HINT,
      cause: error,
    });
  });
  if (typeof exported !== 'object' || exported === null) return exported;
  if ('default' in exported) return exported.default;
  // CommonJS: `module.exports = { ... }`.
  const isModule = '__esModule' in exported || Reflect.get(exported, Symbol.toStringTag) === 'Module';
  if (!isModule && Object.keys(exported).length > 0) return exported;
  throw new ChaosError('usage', `${file} has no default export`, { hint: HINT });
}
