/**
 * Every connection that the app's servers hold, and what was asked on it. One override of `emit` on `net.Server`
 * sees http, https, http2 and whatever is built on them, without adding a listener: Node looks at the number of
 * listeners of 'upgrade' or 'checkContinue' to decide what it does itself.
 */
import type * as Events from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type * as Net from 'node:net';

const net = require('node:net') as typeof Net;
const { EventEmitter } = require('node:events') as typeof Events;

const CONNECTION = Symbol('cluster-chaos.connection');

/** One accepted connection. Fields are written on the hot path: it is a class so that all have one shape. */
class Connection {
  /** The server that got it last: a multiplexer may accept on one and hand on to another. */
  server: Net.Server;
  readonly socket: Net.Socket;
  /** The TLS socket on it, once the handshake is done. */
  secure: Net.Socket | null = null;
  session: ServerHttp2Session | null = null;
  /** The latest HTTP/1 response: it is finished last. */
  last: ServerResponse | null = null;
  upgraded = false;
  /** Its place in `open`. */
  at = open.length;

  constructor(server: Net.Server, socket: Net.Socket) {
    this.server = server;
    this.socket = socket;
  }
}

interface Marked {
  [CONNECTION]?: Connection | undefined;
}

/**
 * Not a Set: one that has outgrown its table leaves the old one behind with a reference to the next, and once such a table is
 * in the old generation, V8 keeps all later ones, with most connections there ever were, until a full collection.
 */
const open: Connection[] = [];
const counts = { taken: 0, requests: 0 };
/** Set once a TLS socket could not be told to belong to an accepted one: then handshakes are never judged. */
const links = { broken: false };

/**
 * `listening` is told of each server that does. `stream` is set while draining: it holds new HTTP/2 streams back from the app,
 * and delivers them later.
 */
const intercept: {
  listening: ((server: Net.Server) => void) | null;
  stream: ((stream: ServerHttp2Stream, deliver: () => void) => void) | null;
} = { listening: null, stream: null };

/** The connection that a socket, plain or secure, belongs to. */
function connectionOf(socket: object | null | undefined): Connection | undefined {
  return socket === null || socket === undefined ? undefined : (socket as Marked)[CONNECTION];
}

/** Is it for HTTP, so that a client without a request is idle? */
function speaksHttp(server: object): boolean {
  return 'keepAliveTimeout' in server || 'updateSettings' in server;
}

function onClose(this: Net.Socket): void {
  const connection = connectionOf(this);
  const last = open.at(-1);
  // An app may emit 'close' once more: by then the place is another's.
  if (!connection || !last || open[connection.at] !== connection) return;
  // The last one fills the gap.
  open[connection.at] = last;
  last.at = connection.at;
  open.pop();
}

function onConnection(server: Net.Server, socket: unknown): void {
  // Libraries hand in-memory streams to a server too.
  if (!(socket instanceof net.Socket)) return;
  const known = connectionOf(socket);
  if (known) {
    known.server = server;
    return;
  }
  const connection = new Connection(server, socket);
  (socket as Marked)[CONNECTION] = connection;
  open.push(connection);
  counts.taken++;
  // Not `once`: it comes once, and a wrapper costs.
  socket.on('close', onClose);
}

function onSecure(socket: Marked & { readonly _parent?: unknown }): void {
  const connection = connectionOf(socket._parent as object | undefined);
  if (!connection) {
    links.broken = true;
    return;
  }
  socket[CONNECTION] = connection;
  connection.secure = socket as unknown as Net.Socket;
}

function onRequest(request: IncomingMessage, response: ServerResponse): void {
  // The compatibility layer of http2 emits 'request' for a stream that was counted already.
  if (request.httpVersionMajor !== 1) return;
  counts.requests++;
  const connection = connectionOf(request.socket);
  if (connection) connection.last = response;
}

function onSession(session: ServerHttp2Session): void {
  const connection = connectionOf(session.socket);
  if (connection) connection.session = session;
}

function onUpgrade(request: IncomingMessage): void {
  counts.requests++;
  const connection = connectionOf(request.socket);
  if (connection) connection.upgraded = true;
}

function note(server: Net.Server, event: unknown, first: unknown, second: unknown): void {
  switch (event) {
    case 'request':
    case 'checkContinue':
    case 'checkExpectation':
      return onRequest(first as IncomingMessage, second as ServerResponse);
    case 'connection':
      return onConnection(server, first);
    case 'secureConnection':
      return onSecure(first as Marked);
    case 'stream':
      counts.requests++;
      return;
    case 'session':
      return onSession(first as ServerHttp2Session);
    case 'upgrade':
    case 'connect':
      return onUpgrade(first as IncomingMessage);
    case 'listening':
      return intercept.listening?.(server);
    default:
  }
}

/** From now on every connection and request of this process is seen. */
function watchConnections(): void {
  type Emit = (...args: unknown[]) => boolean;
  const prototype = net.Server.prototype as { emit: Emit };
  const base = EventEmitter.prototype as { emit: Emit };
  const own = Object.hasOwn(prototype, 'emit') ? prototype.emit : null;
  prototype.emit = function emit(this: Net.Server, event: unknown, first: unknown, second: unknown): boolean {
    note(this, event, first, second);
    // Looked up each time: `domain` replaces it when it is loaded. `arguments`: listeners may count theirs.
    const original: Emit = own ?? base.emit;
    if (event === 'stream' && intercept.stream !== null) {
      // oxlint-disable-next-line prefer-rest-params -- all that listeners are to get, later.
      const args = arguments;
      intercept.stream(first as ServerHttp2Stream, () => Reflect.apply(original, this, args));
      return true;
    }
    // oxlint-disable-next-line prefer-rest-params -- forwarding `arguments` allocates nothing on the hot path.
    return Reflect.apply(original, this, arguments) as boolean;
  };
}

const connections = { watchConnections, connectionOf, speaksHttp, open, counts, links, intercept };

export type { Connection };
export type Connections = typeof connections;
module.exports = connections;
