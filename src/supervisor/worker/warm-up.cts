/**
 * A standby answers its first client as soon as a worker that has long served: V8 compiles a function when it is first
 * called, and node:net and node:http take some 10 ms of that for the first request. So a few requests of our own go through
 * a server of our own, which neither the app nor what instruments it gets to see.
 */
import type * as Crypto from 'node:crypto';
import type * as Diagnostics from 'node:diagnostics_channel';
import type * as Events from 'node:events';
import type * as Http from 'node:http';
import type * as Net from 'node:net';

const { randomUUID } = require('node:crypto') as typeof Crypto;
const { EventEmitter } = require('node:events') as typeof Events;
const diagnostics = require('node:diagnostics_channel') as typeof Diagnostics;
const net = require('node:net') as typeof Net;

const { emit } = EventEmitter.prototype as { readonly emit: (...args: unknown[]) => boolean };

/** Whoever listens to these would take our requests for the app's. */
const WATCHED = [
  'http.server.request.start',
  'http.server.response.created',
  'http.server.response.finish',
  'net.client.socket',
  'net.server.socket',
  'net.server.listen',
];
/** The third finds nothing left to compile. */
const REQUESTS = 3;
const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** For an app that listens with this server; nothing for one that does not speak HTTP/1, or that somebody watches. */
function warmUp(app: object): void {
  if (!('keepAliveTimeout' in app)) return;
  if (WATCHED.some((name) => diagnostics.channel(name).hasSubscribers)) return;
  const http = require('node:http') as typeof Http;
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { 'Content-Length': 2 });
    response.end('ok');
  });
  // Past whatever has been put into the prototype, by us too.
  Object.assign(server, { emit });
  const end = (): void => void server.close();
  server.on('error', end);
  // No port, which watchers would take for the app's, and no file: a name in Linux's abstract namespace (unix(7)).
  const path = `\0cluster-chaos-warm-up-${randomUUID()}`;
  // `exclusive`: a listening socket of this process, not one of the cluster's.
  server.listen({ path, exclusive: true }, () => ask(path, REQUESTS, end));
  server.unref();
}

function ask(path: string, times: number, done: () => void): void {
  if (times === 0) return done();
  const socket = net.connect(path, () => socket.write(REQUEST));
  socket.unref();
  socket.resume();
  socket.on('error', () => undefined);
  socket.on('close', () => ask(path, times - 1, done));
}

const warm = { warmUp };
export type WarmUp = typeof warm;
module.exports = warm;
