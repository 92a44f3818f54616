import { readFileSync } from 'node:fs';
import { availableParallelism, release, type } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../model/journal.ts';

/** What a command may touch of the process that it runs in. */
export interface CliContext {
  readonly cwd: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Draw a live line and use colours: a terminal, outside of CI. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** The package's own folder. */
  readonly packageDir: string;
  readonly version: string;
}

/** Reads the process once; nothing below the cli does. */
export function cliContext(): CliContext {
  const { env, stdout, stderr } = process;
  const packageDir = fileURLToPath(new URL('../..', import.meta.url));
  const manifest = JSON.parse(readFileSync(`${packageDir}/package.json`, 'utf8')) as { version: string };
  const ci = env['CI'] !== undefined && env['CI'] !== 'false';
  // A reader that closed the pipe early (`| head`) is no reason to end a run half-way.
  stdout.on('error', () => {});
  stderr.on('error', () => {});
  return {
    cwd: process.cwd(),
    env,
    stdout,
    stderr,
    interactive: stderr.isTTY && !ci,
    color: (stdout.isTTY && !ci && env['NO_COLOR'] === undefined) || env['FORCE_COLOR'] === '1',
    packageDir,
    version: manifest.version,
  };
}

/** A path as one types it here: relative where it lies below the working directory. */
export function shortPath(cli: CliContext, path: string): string {
  const short = relative(cli.cwd, path);
  return short === '' || short.startsWith('..') ? path : short;
}

export function environmentOf(cli: CliContext): Environment {
  return {
    node: process.version,
    os: `${type()} ${release()}`,
    cpus: availableParallelism(),
    version: cli.version,
  };
}
