import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { ChaosError, messageOf } from '../../base/errors.ts';
import type { CliContext } from '../context.ts';
import { CI_TEMPLATE, scenarioTemplate } from './init-templates.ts';

export interface InitFile {
  /** Relative to the project. */
  readonly path: string;
  readonly content: string;
}

/** What `chaos init` writes into a project: a commented scenario for its own server, and a CI job. */
export function initFiles(cwd: string): readonly InitFile[] {
  return [
    { path: 'scenarios/kill-workers.ts', content: scenarioTemplate(startCommand(cwd)) },
    { path: '.github/workflows/chaos.yml', content: CI_TEMPLATE },
  ];
}

/**
 * Writes the files, all or none, and never over one that exists.
 *
 * @throws ChaosError 'usage' if one exists or cannot be written
 */
export function writeInitFiles(cwd: string, files: readonly InitFile[]): void {
  const existing = files.filter(({ path }) => read(join(cwd, path)) !== null).map(({ path }) => path);
  if (existing.length > 0) {
    throw new ChaosError('usage', `${existing.join(', ')} already there; nothing was written`, {
      hint: 'Move it away first, or edit it as it is.',
    });
  }
  for (const { path, content } of files) writeNew(join(cwd, path), content);
}

function writeNew(file: string, content: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    // `wx`: refuses also what appeared since the check.
    writeFileSync(file, content, { flag: 'wx' });
  } catch (error) {
    throw new ChaosError('usage', `cannot write ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** `npm start` where the project has such a script, else its main file. */
function startCommand(cwd: string): string {
  const manifest = parse(read(join(cwd, 'package.json')));
  if (hasStart(manifest['scripts'])) return 'npm start';
  const main = manifest['main'];
  return `node ${typeof main === 'string' && main !== '' ? main : 'server.js'}`;
}

function hasStart(scripts: unknown): boolean {
  return typeof scripts === 'object' && scripts !== null && 'start' in scripts;
}

function parse(text: string | null): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A broken package.json is not for us to report: the default command is shown in the file anyway.
    return {};
  }
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    // Anything but "not there" (a folder, no permission) is there, and must not be written over.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : '';
  }
}

/** `chaos init`: a first scenario for the project's own server, and a CI job. */
export function registerInit(program: Command, cli: CliContext): void {
  program
    .command('init')
    .description('write a first scenario for the server of this project, and a CI job')
    .action(() => {
      const files = initFiles(cli.cwd);
      writeInitFiles(cli.cwd, files);
      for (const { path } of files) cli.stdout.write(`wrote ${path}\n`);
      cli.stdout.write(`next: look it over, then run\n  npx chaos run ${files[0]?.path ?? ''}\n`);
    });
}
