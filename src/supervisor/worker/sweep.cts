/** One look at all open connections of a draining worker: closes those that have come to their end. */
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Channel } from './channel.cts';
import type { Connection, Connections } from './connections.cts';
import type { LastResponses } from './last-responses.cts';
import type { Listen } from './listen.cts';

const { later, nowMs } = require('./channel.cjs') as Channel;
const { open, links, speaksHttp } = require('./connections.cjs') as Connections;
const { closeLingering } = require('./last-responses.cjs') as LastResponses;
const { closeUnneeded } = require('./listen.cjs') as Listen;

/** An end that the client does not answer with its own. */
const ENDED_MAX_MS = 1000;

interface Watch {
  bytes: number;
  /** When it was last seen to carry bytes. */
  activeAtMs: number;
  endedAtMs: number | null;
}

const watches = new WeakMap<Connection, Watch>();

/** All in ms of `nowMs`. */
export interface SweepTimes {
  /** When the drain began. */
  readonly fromMs: number;
  /** An idle connection silent for this long is closed. */
  readonly quietMs: number;
  /** When whatever is left is ended. */
  readonly endAtMs: number;
  /** Upgraded sockets are ended evenly between these two; null: not yet. */
  readonly spread: { readonly fromMs: number; readonly toMs: number } | null;
}

function watchOf(connection: Connection, atMs: number): Watch {
  const { socket } = connection;
  const bytes = socket.bytesRead + socket.bytesWritten;
  const watch = watches.get(connection) ?? { bytes, activeAtMs: atMs, endedAtMs: null };
  watches.set(connection, watch);
  if (watch.bytes !== bytes) Object.assign(watch, { bytes, activeAtMs: atMs });
  return watch;
}

function isBusy({ last }: Connection): boolean {
  if (!last) return false;
  const { req: request } = last;
  const answered = last.writableFinished || last.destroyed;
  return !answered || (request !== undefined && !request.complete && !request.destroyed);
}

/** A server of node:http keeps the parsers that are in the midst of a message for its own `closeIdleConnections`. */
function parsersInUse(server: object): readonly object[] {
  const key = Object.getOwnPropertySymbols(server).find((it) => it.description === 'http.server.connections');
  if (key === undefined) return [];
  const list = (server as Record<symbol, { active?(): readonly object[] } | undefined>)[key];
  return list?.active?.() ?? [];
}

/** Part of a request has come: the client is slow, and not idle. Node counts a new connection too, until its first request. */
function isAsking(connection: Connection): boolean {
  const { bytesRead, parser } = topOf(connection) as Socket & { readonly parser?: object | null };
  return bytesRead > 0 && parser != null && parsersInUse(connection.server).includes(parser);
}

/** Handshakes are judged by their silence too, as long as we know which are over. */
function inUnknownHandshake({ server, secure }: Connection): boolean {
  return secure === null && links.broken && 'setSecureContext' in server;
}

function topOf({ secure, socket }: Connection): Socket {
  return secure ?? socket;
}

/**
 * After the next poll, and only if that brought nothing: what had arrived by now is read first. What is still on its
 * way can't be seen by any server.
 */
function closeIfStillSilent(connection: Connection, close: () => void): void {
  const { socket } = connection;
  const { bytesRead } = socket;
  later.setImmediate(() => {
    later.setImmediate(() => {
      if (socket.bytesRead === bytesRead && !isBusy(connection)) close();
    });
  });
}

/**
 * A session that gets requests is closed by `last-streams`. Of the others a silent moment is chosen, as a request that
 * is under way then is refused (clients may send it again); how much silence is asked for falls from `quietMs` to
 * nothing, for those whose open streams never fall silent.
 */
function sweepSession(connection: Connection, session: ServerHttp2Session, watch: Watch, t: Sweep): void {
  if (session.closed || session.destroyed) return;
  const patienceMs = 2 * t.quietMs;
  const left = Math.max(0, 1 - (t.atMs - t.fromMs) / patienceMs);
  if (t.atMs - watch.activeAtMs < left * t.quietMs) return;
  if (left > 0) closeIfStillSilent(connection, () => session.close());
  else session.close();
}

type Sweep = SweepTimes & { readonly atMs: number };

function end(connection: Connection, watch: Watch, atMs: number): void {
  if (watch.endedAtMs !== null) return;
  watch.endedAtMs = atMs;
  topOf(connection).end();
}

function sweepOne(connection: Connection, t: Sweep): void {
  const watch = watchOf(connection, t.atMs);
  const { session, upgraded } = connection;
  const top = topOf(connection);
  if (watch.endedAtMs !== null) {
    if (t.atMs - watch.endedAtMs < ENDED_MAX_MS) return;
    if (session) session.destroy();
    top.destroy();
    return;
  }
  if (t.atMs >= t.endAtMs) return end(connection, watch, t.atMs);
  if (upgraded) return;
  if (session) return sweepSession(connection, session, watch, t);
  // Not for HTTP, it may be in the middle of a conversation of its own.
  if (!speaksHttp(connection.server) || isBusy(connection) || inUnknownHandshake(connection)) return;
  if (t.atMs - watch.activeAtMs < t.quietMs) return;
  // Not asked again at each look.
  if (isAsking(connection)) watch.activeAtMs = t.atMs;
  else closeIfStillSilent(connection, () => top.destroy());
}

/** Ends as many upgraded sockets as it takes to be through with all in time. */
function endUpgraded(t: Sweep): void {
  if (!t.spread) return;
  const waiting = open.filter((it) => it.upgraded && watches.get(it)?.endedAtMs === null);
  const leftMs = t.spread.toMs - t.atMs;
  const count = leftMs <= 0 ? waiting.length : Math.ceil((waiting.length * SWEEP_MS) / (leftMs + SWEEP_MS));
  for (const connection of waiting.slice(0, count)) end(connection, watchOf(connection, t.atMs), t.atMs);
}

const SWEEP_MS = 50;

/** Looks every 50 ms. Resolves when `isDone` holds after a look, or at `untilMs`. */
function sweepUntil(isDone: () => boolean, times: SweepTimes, untilMs: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const t = { ...times, atMs: nowMs() };
      closeLingering();
      for (const connection of open) sweepOne(connection, t);
      endUpgraded(t);
      closeUnneeded();
      if (isDone() || t.atMs >= untilMs) resolve();
      else later.setTimeout(look, SWEEP_MS);
    };
    look();
  });
}

const sweep = { sweepUntil };
export type SweepModule = typeof sweep;
module.exports = sweep;
