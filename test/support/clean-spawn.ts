import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/**
 * Spawns with exactly this environment. The test runner adds its own preloads to the environment of every child,
 * even of one that was given its own; `env -i` drops them again and becomes the command, under the same pid.
 */
export function cleanSpawn(
  command: string,
  args: readonly string[],
  {
    env,
    ...options
  }: Omit<SpawnOptions, 'env'> & { readonly env: Readonly<Record<string, string | undefined>> },
): ChildProcess {
  const pairs = Object.entries({ PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }).flatMap(
    ([key, value]) => (value === undefined ? [] : [`${key}=${value}`]),
  );
  return spawn('/usr/bin/env', ['-i', ...pairs, command, ...args], options);
}
