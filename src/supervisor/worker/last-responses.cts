/** HTTP/1 while draining: every response whose head is still to be written says `Connection: close`. */
import type * as Http from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Connections } from './connections.cts';

const { connectionOf } = require('./connections.cjs') as Connections;

type Rest = [status: number, ...rest: unknown[]];
type WriteHead = (this: ServerResponse, ...args: Rest) => ServerResponse;

/**
 * Patched when a drain begins, so that serving costs nothing. Each head goes through `writeHead`, implicit ones too;
 * responses begun before the drain are reached as well.
 */
function closeAfterResponses(): void {
  const http = require('node:http') as typeof Http;
  const prototype = http.ServerResponse.prototype as unknown as { writeHead: WriteHead };
  const original = prototype.writeHead;
  prototype.writeHead = function writeHead(...args) {
    return original.apply(this, this.headersSent || isFollowed(this) ? args : closing(this, args));
  };
}

/** Pipelining: after `Connection: close` nothing more may come, so only the last response on a socket says it. */
function isFollowed(response: ServerResponse): boolean {
  const last = connectionOf(response.req?.socket)?.last;
  return last !== null && last !== undefined && last !== response;
}

function closing(response: ServerResponse, args: Rest): Rest {
  const { req: request } = response;
  response.shouldKeepAlive = false;
  if (response.hasHeader('connection')) response.setHeader('Connection', 'close');
  // Some code makes responses without a request.
  if (request?.socket && !request.complete) lingerFor(request.socket, request);
  return args.map((part) => withoutKeepAlive(part)) as Rest;
}

/** Headers given to `writeHead` as an object or as a flat array of names and values. */
function withoutKeepAlive(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return headers;
  if (Array.isArray(headers)) {
    return headers.map((value: unknown, index) =>
      index % 2 === 1 && isConnection(headers[index - 1]) ? 'close' : value,
    );
  }
  const name = Object.keys(headers).find(isConnection);
  return name === undefined ? headers : { ...headers, [name]: 'close' };
}

function isConnection(name: unknown): boolean {
  return typeof name === 'string' && name.toLowerCase() === 'connection';
}

const lingering = new Map<Socket, { readonly request: Http.IncomingMessage; readonly close: () => void }>();

/**
 * An answer that was complete before the upload was: Node would now close the socket with bytes unread, and the reset
 * that follows can destroy the answer on its way. So the closing waits until the upload is read (Node discards it).
 */
function lingerFor(socket: Socket, request: Http.IncomingMessage): void {
  const original = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    if (request.complete || request.destroyed) return original();
    lingering.set(socket, { request, close: original });
  };
}

/** Closes the sockets whose upload has come to its end. To be called now and then. */
function closeLingering(): void {
  for (const [socket, { request, close }] of lingering) {
    if (!request.complete && !socket.destroyed) continue;
    lingering.delete(socket);
    close();
  }
}

const lastResponses = { closeAfterResponses, closeLingering };
export type LastResponses = typeof lastResponses;
module.exports = lastResponses;
