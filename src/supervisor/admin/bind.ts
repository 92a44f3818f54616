import { existsSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { ChaosError, messageOf } from '../../base/errors.ts';
import { defaultAdminPath } from '../options/admin-path.ts';
import { isRecord } from '../options/kinds.ts';
import { thisMachine } from '../options/machine.ts';
import type { AdminAddress } from '../settings.ts';
import { askAdmin, shownAddress } from './client.ts';

/** A supervisor answers within some ms; one that is stopped or very busy is alive all the same. */
const ANSWER_MS = 2000;

/**
 * Makes the server listen at an admin address: on a socket that only this user can open, or on 127.0.0.1.
 * A socket file that a dead supervisor left is replaced.
 *
 * @throws ChaosError 'usage' when somebody is there already (with the pid of a supervisor), or the system refuses
 */
export async function bindAdmin(server: Server, address: AdminAddress): Promise<void> {
  if ('path' in address) preparePath(address.path);
  const refused = await tryListen(server, address);
  if (refused === null) return;
  if (refused.code !== 'EADDRINUSE') throw cannotListen(address, refused);
  if (!(await isLeftOver(address))) throw cannotListen(address, refused);
  if ('path' in address) unlinkSync(address.path);
  const again = await tryListen(server, address);
  if (again !== null) throw cannotListen(address, again);
}

function tryListen(server: Server, address: AdminAddress): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => resolve(error);
    server.once('error', onError);
    const onListening = (): void => {
      server.off('error', onError);
      resolve(null);
    };
    if ('port' in address) {
      server.listen({ port: address.port, host: '127.0.0.1', exclusive: true }, onListening);
      return;
    }
    // The socket is made within `listen`, so nobody else can open it for a moment either.
    const before = process.umask(0o177);
    try {
      server.listen({ path: address.path }, onListening);
    } finally {
      process.umask(before);
    }
  });
}

/** Whether the socket file is one that nobody listens on. @throws ChaosError when somebody does */
async function isLeftOver(address: AdminAddress): Promise<boolean> {
  try {
    const { body } = await askAdmin(address, { method: 'GET', path: '/status', timeoutMs: ANSWER_MS });
    const pid = isRecord(body) && typeof body['pid'] === 'number' ? ` (pid ${body['pid']})` : '';
    throw new ChaosError('usage', `a supervisor${pid} runs already, steered at ${shownAddress(address)}`, {
      hint: 'chaos serve --status, --reload and --stop steer it; a second one needs an address of its own: --admin.',
      cause: Object.assign(new Error('the address is taken'), { code: 'EADDRINUSE' }),
    });
  } catch (error) {
    if (error instanceof ChaosError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const isSocket =
      'path' in address && lstatSync(address.path, { throwIfNoEntry: false })?.isSocket() === true;
    return isSocket && code === 'ECONNREFUSED';
  }
}

function cannotListen(address: AdminAddress, error: NodeJS.ErrnoException): ChaosError {
  const what = error.code === 'EADDRINUSE' ? 'something else is there' : messageOf(error);
  return new ChaosError('usage', `admin: cannot listen at ${shownAddress(address)}: ${what}`, {
    hint: 'Give another socket path or port with --admin, or none.',
    cause: error,
  });
}

/** Whether an address is one that nobody chose: the socket of some working directory. */
export function isDefaultAdmin(address: AdminAddress): boolean {
  if (!('path' in address)) return false;
  return dirname(address.path) === dirname(defaultAdminPath({ ...thisMachine(), cwd: '' }));
}

/** The default folder lies where everybody may write, so it must prove to be ours. */
function preparePath(path: string): void {
  const dir = dirname(path);
  try {
    makeDir(dir);
  } catch (error) {
    throw new ChaosError('usage', `admin: cannot make the folder ${dir}: ${messageOf(error)}`, {
      hint: 'Give another socket path or port with --admin, or none.',
      cause: error,
    });
  }
  if (!isDefaultAdmin({ path })) return;
  const facts = lstatSync(dir);
  if (facts.isDirectory() && facts.uid === thisMachine().uid && (facts.mode & 0o077) === 0) return;
  throw new ChaosError('usage', `admin: ${dir} is not a folder that only this user can enter`, {
    hint: 'Remove it, or give a socket path of your own with --admin.',
  });
}

/** Step by step: below /proc, where mkdir says ENOENT although the parent is there, Node's own recursive mkdir never returns. */
function makeDir(dir: string): void {
  if (existsSync(dir)) return;
  makeDir(dirname(dir));
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    // Another supervisor may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
