import type { Socket } from 'node:net';
import { ChaosError } from '../base/errors.ts';

/*
 * The members of autocannon's client, and of its parser (http-parser-js), that `lane.ts` builds on. Only `setupClient`
 * is documented; the rest is checked at start, so that another version is refused and never misread.
 */

/** Keys of the parser's callbacks. */
export const ON_HEADERS = 2;
export const ON_BODY = 3;
export const ON_COMPLETE = 4;

/** What the parser hands over when the headers of an answer are complete. */
export interface ResponseHead {
  /** Name, value, name, value, … */
  readonly headers: readonly string[];
  readonly statusCode: number;
  readonly shouldKeepAlive: boolean;
}

export interface ResponseParser {
  state: string;
  offset: number;
  end: number;
  /** Bytes parsed, or the error. */
  execute(chunk: Buffer): number | Error;
  /** The connection ended: completes an answer whose end is the end of the connection. */
  finish(): void;
  reinitialize(type: 'RESPONSE'): void;
  /** Returns true if the answer has no body whatever its headers say. */
  [ON_HEADERS]: (head: ResponseHead) => boolean;
  [ON_BODY]: (part: Buffer) => void;
  [ON_COMPLETE]: () => void;
}

export interface AutocannonClient {
  readonly opts: { hostname: string; servername?: string };
  readonly secure: boolean;
  conn: Socket;
  readonly parser: ResponseParser;
  readonly timeoutTicker: { clear(): void };
  readonly pipelinedRequests: { addByteCount(count: number): void; size(): number };
  /** Opens `conn`; called once by the constructor, after `setupClient`. */
  _connect(): void;
  /** Sends the next request; called when a connection is made and when an answer is complete. */
  _doRequest(): void;
}

/**
 * Proves that this autocannon has what the lanes build on, by using it.
 * @throws ChaosError 'bug' that names what is missing
 */
export function checkAutocannon(client: AutocannonClient): void {
  const missing = findMissing(client);
  if (missing === null) return;
  throw new ChaosError('bug', `this version of autocannon cannot be used: ${missing}`, {
    hint: 'cluster-chaos is made for autocannon 9.0: install it with its own lock file, or report this.',
  });
}

function findMissing(client: AutocannonClient): string | null {
  for (const method of ['_connect', '_doRequest'] as const) {
    if (typeof client[method] !== 'function') return `client.${method} is not a function`;
  }
  if (typeof client.pipelinedRequests?.addByteCount !== 'function') return 'client.pipelinedRequests changed';
  if (typeof client.opts?.hostname !== 'string') return 'client.opts.hostname is not a string';
  const { parser } = client;
  for (const method of ['execute', 'finish', 'reinitialize'] as const) {
    if (typeof parser?.[method] !== 'function') return `client.parser.${method} is not a function`;
  }
  return tryParser(parser);
}

/** Lets the parser read an answer in two parts, and one that ends with its connection. */
function tryParser(parser: ResponseParser): string | null {
  const seen: string[] = [];
  const before = [parser[ON_HEADERS], parser[ON_BODY], parser[ON_COMPLETE]] as const;
  parser[ON_HEADERS] = (head) => {
    seen.push(`${head.statusCode} ${head.headers[0]} ${head.shouldKeepAlive}`);
    return false;
  };
  parser[ON_BODY] = (part) => void seen.push(part.toString());
  parser[ON_COMPLETE] = () => void seen.push('end');
  parser.reinitialize('RESPONSE');
  parser.execute(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab'));
  seen.push(parser.state);
  parser.execute(Buffer.from('cd'));
  parser.execute(Buffer.from('HTTP/1.1 503 Busy\r\nx: y\r\n\r\nef'));
  seen.push(parser.state);
  parser.finish();
  parser.reinitialize('RESPONSE');
  const garbage = parser.execute(Buffer.from('garbage\r\n'));
  seen.push(parser.state, garbage instanceof Error ? 'error' : 'no error');
  parser.reinitialize('RESPONSE');
  [parser[ON_HEADERS], parser[ON_BODY], parser[ON_COMPLETE]] = before;
  const got = seen.join(', ');
  const expected =
    '200 content-length true, ab, BODY_SIZED, cd, end, 503 x false, ef, BODY_RAW, end, RESPONSE_LINE, error';
  return got === expected ? null : `its parser reads test answers as "${got}", expected "${expected}"`;
}
