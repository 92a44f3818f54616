import { lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * A folder of our own below the user's cache that nobody else can write to, or `null` where there is none. Code is
 * kept there, so a folder that somebody else could have made (as in /tmp) will not do.
 */
export function privateCacheDir(name: string): string | null {
  try {
    const dir = join(cacheHome(), 'cluster-chaos', name);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const facts = lstatSync(dir);
    const mine = facts.isDirectory() && facts.uid === process.getuid?.();
    return mine && (facts.mode & 0o077) === 0 ? dir : null;
  } catch {
    // Harmless: without a cache a scenario takes 0.1 s longer to load.
    return null;
  }
}

function cacheHome(): string {
  const named = process.env['XDG_CACHE_HOME'];
  return named !== undefined && isAbsolute(named) ? named : join(homedir(), '.cache');
}
