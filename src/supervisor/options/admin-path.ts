import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** The admin socket of a working directory, in a folder of the user's own. */
export function defaultAdminPath(of: {
  readonly tmpDir: string;
  readonly uid: number;
  readonly cwd: string;
}): string {
  const hash = createHash('sha256').update(of.cwd).digest('hex').slice(0, 12);
  return join(of.tmpDir, `cluster-chaos-${of.uid}`, `${hash}.sock`);
}
