/** Tells the load who answered: one more header line in each HTTP/1 response of this process. */
import type * as Http from 'node:http';

type StoreHeader = (this: unknown, firstLine: unknown, headers: unknown) => unknown;

const HEADER = 'x-chaos-worker';

let installed = false;

/**
 * Adds `x-chaos-worker: <pid>` where Node writes a response's head: the app's own view of its headers stays as it
 * is, and nothing is done per request but one concatenation. `_storeHeader` is internal, so a Node without it, or
 * with another first argument, serves without attribution.
 */
function attributeResponses(): void {
  if (installed) return;
  installed = true;
  // Only now: a process that does not listen needs no http.
  const http = require('node:http') as typeof Http;
  const prototype = http.ServerResponse.prototype as unknown as { _storeHeader?: StoreHeader };
  const original = prototype._storeHeader;
  if (typeof original !== 'function' || original.length !== 2) return;
  const line = `${HEADER}: ${process.pid}\r\n`;
  prototype._storeHeader = function _storeHeader(firstLine, headers) {
    // A proxy passes on what the worker behind it has said.
    const isHead = typeof firstLine === 'string' && firstLine.endsWith('\r\n') && !isNamed(headers);
    return original.call(this, isHead ? firstLine + line : firstLine, headers);
  };
}

/** Whether a response that is being passed on names its worker already. */
function isNamed(headers: unknown): boolean {
  if (Array.isArray(headers)) return headers.flat().includes(HEADER);
  return typeof headers === 'object' && headers !== null && HEADER in headers;
}

const attribution = { attributeResponses };
export type Attribution = typeof attribution;
module.exports = attribution;
