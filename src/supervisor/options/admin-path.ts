import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** The address of a unix socket has 108 bytes in Linux, the last one is NUL; libuv cuts a longer path silently. See unix(7). */
export const SOCKET_PATH_BYTES_MAX = 107;

/** The admin socket of a working directory, in a folder of the user's own: below the temp folder, or /tmp if that is too long. */
export function defaultAdminPath(of: {
  readonly tmpDir: string;
  readonly uid: number;
  readonly cwd: string;
}): string {
  const hash = createHash('sha256').update(of.cwd).digest('hex').slice(0, 12);
  const below = (dir: string): string => join(dir, `cluster-chaos-${of.uid}`, `${hash}.sock`);
  const path = below(of.tmpDir);
  return Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX ? below('/tmp') : path;
}
