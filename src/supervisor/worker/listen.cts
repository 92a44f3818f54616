/**
 * Where the app's `listen` ends up: the primary owns the listening socket and hands accepted connections over one by
 * one. The server gets a handle that looks like node:cluster's own, so net, http, https and http2 run their own code.
 */
import type Cluster from 'node:cluster';
import type * as Net from 'node:net';
import type * as Os from 'node:os';
import type * as Path from 'node:path';
import type * as Util from 'node:util';
import type { ListenQuery, SockName, ToWorker, WorkerSettings } from '../wire.cts';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';

const cluster = require('node:cluster') as typeof Cluster;
const net = require('node:net') as typeof Net;
const os = require('node:os') as typeof Os;
const path = require('node:path') as typeof Path;
const { getSystemErrorName } = require('node:util') as typeof Util;
const { send, later, nowMs } = require('./channel.cjs') as Channel;
const { intercept, open, speaksHttp } = require('./connections.cjs') as Connections;

/** What `net` hands to `cluster._getServer`. Of a file descriptor it knows no more than that. */
interface ServerQuery {
  readonly address: string | null;
  readonly port: number | null;
  readonly addressType: number | string | null;
  readonly fd?: number | null;
  readonly flags?: number;
  readonly backlog?: number | undefined;
  readonly readableAll?: boolean;
  readonly writableAll?: boolean;
}

/** A server that node:cluster shares; TLS servers share the keys of their session tickets through the primary. */
interface Shared extends NodeJS.EventEmitter {
  /** `net`'s own limit, and its count. */
  maxConnections?: number;
  _connections?: number;
  /** Newer Nodes: what is too much is to be dropped here, and not to be given to another. */
  dropMaxConnection?: boolean;
  address(): Net.AddressInfo | string | null;
  _getServerData?(): unknown;
  _setServerData?(data: unknown): void;
  _handle?: Handle | null;
}

/** An accepted connection or a listening socket: libuv's TCP or Pipe. */
interface Handle {
  close(): void;
}

interface Listening extends Handle {
  listen(backlog: number): number;
}

interface Faux extends Listening {
  onconnection?: (error: number, handle: Handle) => void;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
  getsockname?(out: object): number;
}

/** Told of each server that listens; `isOwn`: past the cluster, on a socket of this process alone. */
type OnListening = (server: object, isOwn: boolean) => void;
type Callback = (errno: number, handle: Handle | null, ...rest: unknown[]) => void;
type GetServer = (this: unknown, server: Shared, query: ServerQuery, callback: Callback) => void;
type Connection = Extract<ToWorker, { t: 'connection' }>;
type Answer = Extract<ToWorker, { t: 'listening' | 'listen-error' }>;

/** As libuv has it: negative. */
const EADDRINUSE = -os.constants.errno.EADDRINUSE;
/** setInterval's longest. */
const FOREVER_MS = 2 ** 31 - 1;

/** Tells repeated `listen(0)` apart, numbered like node:cluster does, so that all workers share the n-th. */
const indexes = new Map<string, { next: number; readonly used: Set<number> }>();

function takeIndex(key: string): { readonly index: number; readonly isTaken: boolean } {
  const entry = indexes.get(key) ?? { next: 0, used: new Set() };
  indexes.set(key, entry);
  const index = entry.next++;
  const isTaken = entry.used.size > 0;
  entry.used.add(index);
  return { index, isTaken };
}

function freeIndex(key: string, index: number): void {
  const entry = indexes.get(key);
  entry?.used.delete(index);
  if (entry?.used.size === 0) indexes.delete(key);
}

const asked = new Map<number, (answer: Answer) => void>();
const listeners = new Map<string, { readonly faux: Faux; readonly server: Shared }>();
/** Listening sockets that this process accepts on itself, and that are shared: others get what it no longer accepts. */
const delegated = new Set<Handle>();
/** Those that are of this process alone: what it serves may depend on them. */
const own = new Map<object, Handle>();
/** What listens when this worker is taken into rotation. */
const deferred: (() => void)[] = [];
const state = { seq: 0, serving: false, closed: false };

function createFaux(sockname: SockName, onClose: () => void): Faux {
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  const faux: Faux = {
    listen: () => 0,
    close() {
      if (closed) return;
      closed = true;
      faux.unref();
      onClose();
    },
    // An open server keeps its process alive: there is no real handle to do it.
    ref() {
      if (!closed) timer ??= later.setInterval(() => {}, FOREVER_MS);
    },
    unref() {
      if (timer) later.clearInterval(timer);
      timer = null;
    },
    hasRef: () => timer !== null,
  };
  // A path has none; `net` then answers `address()` by the path it was told.
  if (sockname.port !== undefined) {
    faux.getsockname = (out) => {
      Object.assign(out, sockname);
      return 0;
    };
  }
  faux.ref();
  return faux;
}

/** The app listens. The primary tells `cluster.on('listening')` when it takes us into rotation: a standby is not there yet. */
function announce(server: Shared, onListening: OnListening): void {
  server.once('listening', () => {
    // Worker#state is not in Node's types.
    if (cluster.worker) (cluster.worker as { state?: string }).state = 'listening';
    onListening(server, false);
  });
}

/** What the primary needs to listen in the app's place. */
function resolved(query: ServerQuery): Omit<ListenQuery, 'index' | 'isHttp'> {
  const { port, addressType, backlog, flags, fd, readableAll, writableAll } = query;
  const isPath = (port ?? 0) < 0 && typeof query.address === 'string';
  // A name of Linux, not of a file (unix(7)).
  const isAbstract = query.address?.startsWith('\0');
  return {
    address: isPath && !isAbstract ? path.resolve(query.address ?? '') : query.address,
    port: port ?? 0,
    addressType: addressType ?? 4,
    backlog: backlog ?? 0,
    flags: flags ?? 0,
    ...(typeof fd === 'number' ? { fd } : {}),
    ...(readableAll ? { readableAll } : {}),
    ...(writableAll ? { writableAll } : {}),
  };
}

function listenThroughPrimary(
  server: Shared,
  query: ServerQuery,
  callback: Callback,
  onListening: OnListening,
): void {
  const wanted = resolved(query);
  const key = [wanted.address, wanted.port, wanted.addressType, wanted.fd].join(':');
  const { index, isTaken } = takeIndex(key);
  // A second server of this process on the first one's port; other processes share it.
  if (isTaken && wanted.port !== 0) {
    freeIndex(key, index);
    later.setImmediate(() => callback(EADDRINUSE, { close() {} }));
    return;
  }
  const seq = ++state.seq;
  asked.set(seq, (answer) => {
    if (answer.t === 'listen-error') {
      freeIndex(key, index);
      // A server closed meanwhile closes the handle it is given, without a look.
      return callback(answer.errno, { close() {} });
    }
    const { listener, sockname, data } = answer;
    if (data !== undefined) server._setServerData?.(data);
    const faux = createFaux(sockname, () => {
      if (listeners.get(listener)?.faux === faux) listeners.delete(listener);
      freeIndex(key, index);
      send({ t: 'unlisten', listener });
    });
    listeners.set(listener, { faux, server });
    // Only now: after an error the app may try again on the same server.
    announce(server, onListening);
    callback(0, faux);
  });
  const data = server._getServerData?.();
  send({
    t: 'listen',
    seq,
    query: { ...wanted, index, isHttp: speaksHttp(server) },
    ...(data === undefined ? {} : { data }),
  });
}

/**
 * Whoever listens on a shared socket gets connections from the system, and a standby shall not: it listens when it is taken
 * into rotation. It is bound meanwhile, so that a port that somebody else has is known at once.
 */
function deferListen(server: Shared, handle: Listening): void {
  const original = handle.listen.bind(handle);
  handle.listen = (backlog) => {
    if (state.serving) return original(backlog);
    deferred.push(() => {
      // Closed meanwhile by the app, or by a drain.
      if (server._handle !== handle || !delegated.has(handle)) return;
      const errno = original(backlog);
      if (errno !== 0) failToListen(server, handle, errno);
    });
    return 0;
  };
}

/** As `net` does it. */
function failToListen(server: Shared, handle: Handle, errno: number): void {
  const code = getSystemErrorName(errno);
  const address = server.address();
  handle.close();
  server._handle = null;
  const where = typeof address === 'string' ? { address } : { ...address };
  server.emit(
    'error',
    Object.assign(new Error(`listen ${code}`), { errno, code, syscall: 'listen', ...where }),
  );
}

/** In rotation from now on. */
function startAccepting(): void {
  state.serving = true;
  for (const listenNow of deferred.splice(0)) listenNow();
}

/** As node:cluster does it; we look on, and say when. */
function listenThroughNode(
  original: GetServer,
  server: Shared,
  query: ServerQuery,
  callback: Callback,
  onListening: OnListening,
): void {
  original.call(cluster, server, query, (errno, handle, ...rest) => {
    if (handle && !errno) {
      delegated.add(handle);
      deferListen(server, handle as Listening);
      server.once('close', () => delegated.delete(handle));
      server.once('listening', () => {
        const address = server.address();
        const port = typeof address === 'object' ? (address?.port ?? -1) : -1;
        send({ t: 'listens', address: query.address, port });
        onListening(server, false);
      });
    }
    callback(errno, handle, ...rest);
  });
}

/**
 * With `exclusive`, and with `reusePort` since Node 23.1, `net` listens without a word to node:cluster. A drain closes such a
 * socket too. As under node:cluster the primary does not announce it: its port may be this worker's alone.
 */
function watchOwn(onListening: OnListening): void {
  const reusing = noteReusePort();
  intercept.listening = (server) => {
    const { _handle: handle } = server as Pick<Shared, '_handle'>;
    // Some servers listen on nothing: they are handed their connections.
    if (typeof handle?.close !== 'function' || delegated.has(handle) || own.get(server) === handle) return;
    if ([...listeners.values()].some(({ faux }) => faux === handle)) return;
    if (reusing.has(server)) delegated.add(handle);
    else own.set(server, handle);
    server.once('close', () => {
      delegated.delete(handle);
      own.delete(server);
    });
    onListening(server, true);
  };
}

/** The servers that were told to share their port with other processes: a listening socket does not show it. */
function noteReusePort(): WeakSet<object> {
  const reusing = new WeakSet<object>();
  const prototype = net.Server.prototype as { listen: (...args: unknown[]) => Net.Server };
  const original = prototype.listen;
  prototype.listen = function listen(this: Net.Server, ...args: unknown[]): Net.Server {
    if ((args[0] as { readonly reusePort?: unknown } | null | undefined)?.reusePort) reusing.add(this);
    return Reflect.apply(original, this, args);
  };
  return reusing;
}

/** Puts back what the primary has read of the connection, before the app's own listeners see the socket. */
function giveWithHead(faux: Faux, handle: Handle, server: NodeJS.EventEmitter, headBase64: string): void {
  const unread = (socket: Net.Socket): void => {
    socket.unshift(Buffer.from(headBase64, 'base64'));
  };
  server.prependOnceListener('connection', unread);
  try {
    faux.onconnection?.(0, handle);
  } finally {
    // Over its maximum of connections a server drops one without the event.
    server.removeListener('connection', unread);
  }
}

/** Then a worker of node:cluster gives a connection back to the primary, too. */
function isFull({ maxConnections = 0, _connections = 0, dropMaxConnection }: Shared): boolean {
  return maxConnections > 0 && _connections >= maxConnections && dropMaxConnection !== true;
}

function onConnection(message: Connection, handle: Handle | undefined, claimMs: number): void {
  const target = listeners.get(message.listener);
  const late = nowMs() - message.sentAtMs > claimMs;
  const isStale = !handle || !target || late || state.closed;
  if (isStale || isFull(target.server)) {
    // Closed unread and without a shutdown: the primary holds the same connection and gives it to another.
    handle?.close();
    send({ t: isStale ? 'stale' : 'full', id: message.id });
    return;
  }
  // Said before the app gets it, however long it takes: by then the primary may have given it to another.
  send({ t: 'taken', id: message.id, open: open.length + 1 });
  const { faux, server } = target;
  if (message.headBase64 === null) faux.onconnection?.(0, handle);
  else giveWithHead(faux, handle, server, message.headBase64);
}

function onAnswer(answer: Answer): void {
  const then = asked.get(answer.seq);
  asked.delete(answer.seq);
  then?.(answer);
}

/** Replaces `cluster._getServer`. False when this Node has none: then node:cluster serves as it always does. */
function install(settings: WorkerSettings, onListening: OnListening): boolean {
  const inner = cluster as unknown as { _getServer?: GetServer };
  const original = inner._getServer;
  if (typeof original !== 'function') return false;
  watchOwn(onListening);
  inner._getServer = function _getServer(server, query, callback) {
    // UDP is no matter of connections, and binding a socket to send from says nothing about readiness.
    if (!(server instanceof net.Server)) return original.call(cluster, server, query, callback);
    if (settings.balance !== 'none') listenThroughPrimary(server, query, callback, onListening);
    else listenThroughNode(original, server, query, callback, onListening);
  };
  return true;
}

/** No new connection from now on. Servers stay `listening` to the app, which may close them itself. */
function stopAccepting(): void {
  state.closed = true;
  for (const handle of delegated) handle.close();
  delegated.clear();
}

/**
 * While it drains: a handler that is still at work may ask a server of its own process. Once nobody else is connected,
 * nobody needs that any more.
 */
function closeUnneeded(): void {
  if (own.size === 0 || open.some(({ server }) => !own.has(server))) return;
  for (const handle of own.values()) handle.close();
  own.clear();
}

/** Listening no longer keeps the process alive. */
function unrefAll(): void {
  for (const { faux } of listeners.values()) faux.unref();
}

const listen = { install, onConnection, onAnswer, startAccepting, stopAccepting, closeUnneeded, unrefAll };

export type { Handle };
export type Listen = typeof listen;
module.exports = listen;
