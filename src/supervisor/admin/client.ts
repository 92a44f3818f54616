import { request } from 'node:http';
import type { AdminAddress } from '../settings.ts';

export interface AdminAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** The address as one would type it. */
export function shownAddress(address: AdminAddress): string {
  return 'path' in address ? address.path : `http://127.0.0.1:${address.port}`;
}

/**
 * Asks a supervisor at its admin address.
 *
 * @param timeoutMs without one it waits as long as the supervisor lives: a reload takes what it takes
 * @throws the system's error when nobody answers, an Error when what answers is no supervisor
 */
export function askAdmin(
  address: AdminAddress,
  ask: { readonly method: 'GET' | 'POST'; readonly path: string; readonly timeoutMs?: number },
): Promise<AdminAnswer> {
  const to = 'path' in address ? { socketPath: address.path } : { host: '127.0.0.1', port: address.port };
  return new Promise((resolve, reject) => {
    const req = request({ ...to, method: ask.method, path: ask.path, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', reject);
      res.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        try {
          resolve({ status: res.statusCode ?? 0, body: JSON.parse(text) as unknown });
        } catch (error) {
          reject(new Error(`what answers at ${shownAddress(address)} is no supervisor`, { cause: error }));
        }
      });
    });
    req.once('error', reject);
    if (ask.timeoutMs !== undefined) {
      const { timeoutMs } = ask;
      req.setTimeout(timeoutMs, () => req.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    }
    req.end();
  });
}
