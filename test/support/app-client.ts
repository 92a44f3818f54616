import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable, Writable } from 'node:stream';

/** How to talk to a fixture app. */
export type Protocol = 'http' | 'https' | 'h2c' | 'h2';

export interface AppAddress {
  readonly protocol: Protocol;
  readonly port: number;
  /** Instead of the port. */
  readonly socketPath?: string;
  /** The client's own address: 127.0.0.0/8. */
  readonly localAddress?: string;
}

/** Who answered, as every fixture app says it. */
export interface Who {
  readonly pid: number;
  readonly worker: number | null;
}

interface Answer {
  readonly status: number;
  readonly body: Readable;
}

/** One request and its answer, both streams. */
export interface Exchange {
  readonly request: Writable;
  readonly answer: Promise<Answer>;
}

/** One kept connection; it opens another when the server ended it between two requests, as clients do. */
export interface Line {
  readonly exchange: (method: string, path: string) => Exchange;
  /** Connections opened so far. */
  readonly connections: () => number;
  readonly close: () => void;
}

/**
 * A GOAWAY crossed a request on its way: the server is known not to have looked at it, so it may be sent again on
 * another connection. See RFC 9113, 8.7.
 */
class RefusedStream extends Error {}

const REFUSED = constants.NGHTTP2_REFUSED_STREAM;

/** No answer of a fixture app takes this long, also while all workers are replaced. */
const ANSWER_MS = 60_000;

export function openLine(address: AppAddress): Line {
  return address.protocol === 'h2' || address.protocol === 'h2c' ? http2Line(address) : http1Line(address);
}

function http1Line({ protocol, port, socketPath, localAddress }: AppAddress): Line {
  const agent = new (protocol === 'https' ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  return {
    exchange(method, path) {
      const target = socketPath === undefined ? { host: '127.0.0.1', port, localAddress } : { socketPath };
      const headers = method === 'POST' ? { 'content-type': 'application/octet-stream' } : {};
      const options = { ...target, method, path, agent, headers, rejectUnauthorized: false };
      const request = (protocol === 'https' ? httpsRequest : httpRequest)(options);
      request.once('socket', (socket) => sockets.add(socket));
      request.setTimeout(ANSWER_MS, () => request.destroy(new Error('no answer in time')));
      const answer = once(request, 'response').then(([message]) => ({
        status: message.statusCode as number,
        body: message as Readable,
      }));
      return guarded({ request, answer });
    },
    connections: () => sockets.size,
    close: () => agent.destroy(),
  };
}

function http2Line({ protocol, port, localAddress }: AppAddress): Line {
  let session: ClientHttp2Session | null = null;
  let connections = 0;
  const open = (): ClientHttp2Session => {
    // After a GOAWAY, streams in progress go on, and a new one needs a new connection.
    if (session !== null && !session.closed && !session.destroyed) return session;
    const url = `${protocol === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}`;
    session = connectHttp2(url, {
      rejectUnauthorized: false,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    // Each stream reports what happened to it.
    session.on('error', () => undefined);
    connections += 1;
    return session;
  };
  return {
    exchange(method, path) {
      const request = open().request({ ':method': method, ':path': path }, { endStream: method === 'GET' });
      request.setTimeout(ANSWER_MS, () => request.destroy(new Error('no answer in time')));
      const answer = new Promise<Answer>((resolve, reject) => {
        request.once('response', (headers) => resolve({ status: Number(headers[':status']), body: request }));
        request.once('error', (error) => reject(request.rstCode === REFUSED ? new RefusedStream() : error));
        request.once('close', () => reject(new Error(`closed without an answer (${request.rstCode})`)));
      });
      return guarded({ request, answer });
    },
    connections: () => connections,
    close: () => session?.destroy(),
  };
}

/** A failure is told to whoever awaits the answer, never as an unhandled event of a stream. */
function guarded(exchange: Exchange): Exchange {
  exchange.request.on('error', () => undefined);
  exchange.answer.catch(() => undefined);
  return exchange;
}

/** The whole answer. Rejects when it breaks off. */
export async function readAll(answer: Promise<Answer>): Promise<Buffer> {
  const { status, body } = await answer;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  const whole = Buffer.concat(chunks);
  if (status !== 200) throw new Error(`status ${status}: ${whole.toString()}`);
  return whole;
}

/** A GET of JSON. A stream that was refused is sent again, as browsers do it. */
export async function ask<T = Who>(line: Line, path = '/'): Promise<T> {
  for (;;) {
    const { request, answer } = line.exchange('GET', path);
    request.end();
    try {
      return JSON.parse((await readAll(answer)).toString()) as T;
    } catch (error) {
      if (!(error instanceof RefusedStream)) throw error;
    }
  }
}

/** The same over a connection of its own. */
export async function askFresh<T = Who>(address: AppAddress, path = '/'): Promise<T> {
  const line = openLine(address);
  try {
    return await ask<T>(line, path);
  } finally {
    line.close();
  }
}

export interface Digest extends Who {
  readonly bytes: number;
  readonly sha256: string;
}

export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The body of `GET /bytes/<count>`. */
export function patternOf(count: number): Buffer {
  const chunk = Buffer.alloc(65_536, 'chaos');
  return Buffer.concat(
    Array.from({ length: Math.ceil(count / chunk.length) }, () => chunk),
    count,
  );
}
