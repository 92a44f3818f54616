import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

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

/** Resolves when it has ended, with all that it wrote. */
export async function finished(
  child: ChildProcess,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
