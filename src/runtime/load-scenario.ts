import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { createJiti, type Jiti } from 'jiti';
import { ChaosError, messageOf } from '../base/errors.ts';
import { explainLoadError } from './explain-load-error.ts';
import { privateCacheDir } from './private-cache.ts';

/** What a scenario file may be. */
export const SCENARIO_EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json'] as const;

/** A scenario is written by hand; what is larger is something else. */
const FILE_BYTES_MAX = 5_000_000;

export interface LoadOptions {
  /**
   * Modules by the name that scenarios import them by: `{ 'cluster-chaos': <our own index> }`. So the import works from
   * any folder, also for a global install, and there is only one instance of the package.
   */
  readonly modules: Readonly<Record<string, unknown>>;
}

/**
 * Loads a scenario file, TypeScript or JavaScript, ESM or CommonJS, with or without a package around it, or JSON.
 *
 * @param file absolute path
 * @returns its default export, unchecked
 * @throws ChaosError 'usage' with file, line and hint if it cannot be read, parsed or run, or exports nothing as default
 */
export async function loadScenarioModule(file: string, options: LoadOptions): Promise<unknown> {
  checkFile(file);
  if (extname(file) === '.json') return parseJson(file);
  const exported = await importModule(file, options);
  return defaultExport(file, exported);
}

function checkFile(file: string): void {
  const facts = statSync(file, { throwIfNoEntry: false });
  if (!facts?.isFile()) throw new ChaosError('usage', `${file} is not a file`);
  if (facts.size > FILE_BYTES_MAX) {
    throw new ChaosError(
      'usage',
      `${file} has ${facts.size} bytes; a scenario has at most ${FILE_BYTES_MAX}`,
    );
  }
  const extension = extname(file);
  if (SCENARIO_EXTENSIONS.some((known) => known === extension)) return;
  throw new ChaosError(
    'usage',
    `${file} is not a scenario: its name must end in ${SCENARIO_EXTENSIONS.join(', ')}`,
  );
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    throw new ChaosError('usage', `${file} is not valid JSON: ${messageOf(error)}`, { cause: error });
  }
}

async function importModule(file: string, { modules }: LoadOptions): Promise<unknown> {
  try {
    return await jitiFor(file, modules).import(file);
  } catch (error) {
    throw explainLoadError(file, error, modules);
  }
}

function jitiFor(file: string, modules: Readonly<Record<string, unknown>>): Jiti {
  return createJiti(file, {
    virtualModules: modules,
    fsCache: privateCacheDir('jiti') ?? false,
    // Without its interop a missing default export shows as what it is.
    interopDefault: false,
    sourceMaps: true,
  });
}

function defaultExport(file: string, exported: unknown): unknown {
  if (typeof exported !== 'object' || exported === null) return exported;
  if ('default' in exported) return exported.default;
  // CommonJS: `module.exports = defineScenario(...)`.
  if (!('__esModule' in exported) && Reflect.get(exported, Symbol.toStringTag) !== 'Module') {
    if (Object.keys(exported).length > 0) return exported;
  }
  const names = Object.keys(exported);
  const got = names.length > 0 ? `it exports ${names.join(', ')}` : 'it exports nothing';
  throw new ChaosError('usage', `${file} has no default export; ${got}`, {
    hint: 'Write `export default defineScenario({ ... })`.',
  });
}
