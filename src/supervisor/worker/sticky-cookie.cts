/** Names the slot that served in a cookie, so that the primary can send the client to the same slot again. */
import type * as Http from 'node:http';
import type { ServerResponse } from 'node:http';

type Rest = [status: number, ...rest: unknown[]];
type WriteHead = (this: ServerResponse, ...args: Rest) => ServerResponse;

const SET_COOKIE = 'Set-Cookie';

/**
 * Adds `Set-Cookie` to HTTP/1 responses whose request did not name this slot. `slot` answers null while this worker
 * has none: then nothing is added. Done when the head is written, so the app can't overwrite it by accident.
 */
function addStickyCookie(name: string, slot: () => number | null): void {
  const http = require('node:http') as typeof Http;
  const prototype = http.ServerResponse.prototype as unknown as { writeHead: WriteHead };
  const original = prototype.writeHead;
  let servedSlot: number | null = null;
  let pair = '';
  prototype.writeHead = function writeHead(...args) {
    const ours = slot();
    if (ours === null || this.headersSent) return original.apply(this, args);
    if (ours !== servedSlot) {
      servedSlot = ours;
      pair = `${name}=${ours}`;
    }
    // Some code makes responses without a request.
    if (hasPair(this.req?.headers?.cookie, pair)) return original.apply(this, args);
    return original.apply(this, withCookie(this, args, `${pair}; Path=/; HttpOnly; SameSite=Lax`));
  };
}

/** Is `name=value` one of the cookies? */
function hasPair(cookies: string | undefined, pair: string): boolean {
  if (cookies === undefined) return false;
  for (let at = cookies.indexOf(pair); at >= 0; at = cookies.indexOf(pair, at + 1)) {
    const before = at === 0 ? ';' : cookies[at - 1];
    const after = cookies[at + pair.length] ?? ';';
    if ((before === ';' || before === ' ') && (after === ';' || after === ' ')) return true;
  }
  return false;
}

function isSetCookie(name: unknown): boolean {
  return typeof name === 'string' && name.toLowerCase() === 'set-cookie';
}

/**
 * Headers given to `writeHead` replace those set before, so the cookie goes where the app's own cookies are: into
 * those headers when they have any, among the response's headers otherwise.
 */
function withCookie(response: ServerResponse, args: Rest, cookie: string): Rest {
  const at = args.findIndex((part) => typeof part === 'object' && part !== null);
  const headers = args[at];
  // Nothing was set before: an array is written as it is, which is Node's fastest way.
  if (at < 0 && response.getHeaderNames().length === 0) return [...args, [SET_COOKIE, cookie]];
  if (Array.isArray(headers)) return args.with(at, withArray(response, headers, cookie)) as Rest;
  const name = Object.keys(headers ?? {}).find(isSetCookie);
  if (name === undefined) {
    response.appendHeader(SET_COOKIE, cookie);
    return args;
  }
  const given = headers as Readonly<Record<string, string | readonly string[]>>;
  return args.with(at, { ...given, [name]: [given[name] ?? [], cookie].flat() }) as Rest;
}

/** A flat array of names and values. */
function withArray(
  response: ServerResponse,
  headers: readonly unknown[],
  cookie: string,
): readonly unknown[] {
  // With no header set before, Node writes the array as it is, repeated names included.
  if (response.getHeaderNames().length === 0) return [...headers, SET_COOKIE, cookie];
  const mine = headers.filter((_, index) => index % 2 === 1 && isSetCookie(headers[index - 1])).flat();
  if (mine.length === 0) {
    response.appendHeader(SET_COOKIE, cookie);
    return headers;
  }
  const others = headers.filter((_, index) => !isSetCookie(headers[index - (index % 2)]));
  return [...others, SET_COOKIE, [...mine, cookie]];
}

const stickyCookie = { addStickyCookie };
export type StickyCookie = typeof stickyCookie;
module.exports = stickyCookie;
