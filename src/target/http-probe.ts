import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  /** Pid of the worker that answered, where the agent could say so. */
  readonly worker: number | null;
}

/** A probe waits at most this long; a server that boots may be slower, and is asked again. */
const PROBE_TIMEOUT_MS = 2000;

/**
 * Asks once, on a connection of its own.
 * @returns the answer, or the reason why there was none
 */
export async function probe(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer | string> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const request = send(
      url,
      {
        agent: false,
        headers: { ...headers, connection: 'close' },
        timeout: PROBE_TIMEOUT_MS,
        rejectUnauthorized: false,
      },
      (response: IncomingMessage) => {
        const worker = Number(response.headers['x-chaos-worker']);
        response.on('error', () => {});
        response.resume();
        resolve({
          status: response.statusCode ?? 0,
          worker: Number.isInteger(worker) && worker > 0 ? worker : null,
        });
        response.on('end', () => request.destroy());
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${PROBE_TIMEOUT_MS} ms`)));
    request.on('error', (error) => resolve(error.message || String((error as NodeJS.ErrnoException).code)));
    request.end();
  });
}
