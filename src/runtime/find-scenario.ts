import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { ChaosError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { SCENARIO_EXTENSIONS } from './load-scenario.ts';

export interface FindOptions {
  /** Where `chaos` was started, absolute. */
  readonly cwd: string;
  /** The scenarios that ship with the package. */
  readonly shippedDir: string;
}

/** What a folder of scenarios is taken to hold; JSON has to be named, since folders hold other JSON too. */
const IN_FOLDERS: readonly string[] = SCENARIO_EXTENSIONS.filter((extension) => extension !== '.json');

/**
 * The scenario files that names on the command line stand for, absolute, each once, in the order given.
 *
 * A path is taken as it is. A bare name is looked for in `cwd`, then in its `scenarios/`, then among the scenarios
 * shipped with the package; its extension may be left out. A folder stands for the scenario files in it, sorted,
 * without those that begin with `_` or `.` and without tests and type declarations. No name at all: `scenarios/`.
 *
 * @throws ChaosError 'usage' where a name stands for nothing, with the nearest name that exists
 */
export function findScenarios(names: readonly string[], options: FindOptions): readonly string[] {
  const wanted = names.length > 0 ? names : ['scenarios'];
  return [...new Set(wanted.flatMap((name) => findOne(name, options)))];
}

function findOne(name: string, options: FindOptions): readonly string[] {
  for (const dir of placesOf(name, options)) {
    for (const path of spellings(resolve(dir, name))) {
      const facts = statSync(path, { throwIfNoEntry: false });
      if (facts?.isFile()) return [path];
      if (facts?.isDirectory()) return expandFolder(path);
    }
  }
  throw notFound(name, options);
}

function placesOf(name: string, { cwd, shippedDir }: FindOptions): readonly string[] {
  const bare = !name.includes(sep) && name !== '.' && name !== '..';
  return bare ? [cwd, join(cwd, 'scenarios'), shippedDir] : [cwd];
}

function spellings(path: string): readonly string[] {
  return extname(path) === '' ? [path, ...SCENARIO_EXTENSIONS.map((extension) => path + extension)] : [path];
}

function expandFolder(dir: string): readonly string[] {
  const files = scenarioNames(dir);
  if (files.length === 0) {
    throw new ChaosError(
      'usage',
      `no scenario in the folder ${dir}; expected files *${IN_FOLDERS.join(', *')}`,
      {
        hint: '`chaos init` writes a first one.',
      },
    );
  }
  return files.map((file) => join(dir, file));
}

function scenarioNames(dir: string): readonly string[] {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && isScenarioName(entry.name))
    .map((entry) => entry.name)
    .sort();
}

function isScenarioName(name: string): boolean {
  const helper = /^[._]|\.(?:d|test|spec|config)\.[cm]?[jt]s$/.test(name);
  return !helper && IN_FOLDERS.includes(extname(name));
}

function notFound(name: string, { cwd, shippedDir }: FindOptions): ChaosError {
  // What lies around in the working directory itself is rarely a scenario.
  const folder = dirname(resolve(cwd, name));
  const folders = [...(folder === cwd ? [] : [folder]), join(cwd, 'scenarios'), shippedDir];
  const known = folders.flatMap(scenarioNames);
  const near = nearest(basename(name), known) ?? nearest(`${basename(name)}.ts`, known);
  const shipped = scenarioNames(shippedDir).join(', ');
  return new ChaosError('usage', `no scenario '${name}' in ${cwd}, in its scenarios/ or in the package`, {
    hint: near === undefined ? `Shipped with the package: ${shipped}.` : `Did you mean '${near}'?`,
  });
}
