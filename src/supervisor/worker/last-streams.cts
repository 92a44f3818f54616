/**
 * HTTP/2 while draining: the next requests of a session are its last. GOAWAY goes out between their arrival and their
 * answers: a client that waits for an answer before it asks again has nothing under way then. A request that crosses
 * GOAWAY is refused, and its client may send it again (RFC 9113, 6.8). The notice that the RFC suggests before it, a
 * GOAWAY that refuses nothing yet, is not to be had: after any GOAWAY of Node's, nghttp2 takes no new stream.
 */
import type { Http2Session } from 'node:http2';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';

const { later } = require('./channel.cjs') as Channel;
const { intercept } = require('./connections.cjs') as Connections;

/** Requests that the app gets once GOAWAY is sent. */
const held = new WeakMap<Http2Session, (() => void)[]>();

/** From now on. Sessions without requests are left to `sweep`. */
function closeAfterStreams(): void {
  intercept.stream = (stream, deliver) => {
    const { session } = stream;
    if (!session || session.closed) return deliver();
    const deliverLiving = (): void => {
      // Given up by its client meanwhile: the app has not heard of it and need not.
      if (!stream.destroyed) deliver();
    };
    const others = held.get(session);
    if (others) others.push(deliverLiving);
    else closeAfterThisTurn(session, deliverLiving);
  };
}

/** GOAWAY names the last request that was read: those of the same packet are not all read yet. */
function closeAfterThisTurn(session: Http2Session, deliver: () => void): void {
  const waiting = [deliver];
  held.set(session, waiting);
  later.setImmediate(() => {
    // Streams that are open run to their end.
    if (!session.destroyed) session.close();
    for (const deliverOne of waiting) deliverOne();
  });
}

const lastStreams = { closeAfterStreams };
export type LastStreams = typeof lastStreams;
module.exports = lastStreams;
