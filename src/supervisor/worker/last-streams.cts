/**
 * HTTP/2 while draining. A final GOAWAY refuses the requests that are under way at that moment, so RFC 9113 (6.8) asks
 * for a notice first, a GOAWAY that refuses nothing, and the final one a round trip later. Node stops reading from a
 * session that has sent a GOAWAY and has no open stream, so the notice goes out when a request has come, and that
 * request is held back from the app until the client has answered two pings: an answer overtakes the requests that wait
 * in the client for being sent, and the second answer comes after them.
 */
import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';

const { later } = require('./channel.cjs') as Channel;
const { intercept } = require('./connections.cjs') as Connections;

const NO_ERROR = 0;
const LAST_STREAM_ID_MAX = 2 ** 31 - 1;
/** A client that does not answer a ping for this long does not keep its request waiting. */
const HOLD_MAX_MS = 1000;

const noticed = new WeakSet<Http2Session>();

/** From now on the next request of each session makes it its last round trip. */
function closeAfterStreams(): void {
  intercept.stream = (stream, deliver) => {
    const { session } = stream;
    if (!session || session.closed || noticed.has(session)) return deliver();
    noticed.add(session);
    giveNotice(session, stream, deliver);
  };
}

function giveNotice(session: Http2Session, stream: ServerHttp2Stream, deliver: () => void): void {
  let done = false;
  const finish = (): void => {
    if (done) return;
    done = true;
    later.clearTimeout(timer);
    if (!session.destroyed) session.close();
    // Given up by its client meanwhile: node:http2 has no listeners for that yet, so neither has the app.
    if (!stream.destroyed) deliver();
  };
  const timer = later.setTimeout(finish, HOLD_MAX_MS);
  session.goaway(NO_ERROR, LAST_STREAM_ID_MAX);
  const ping = (then: () => void): void => {
    if (session.destroyed || !session.ping(then)) finish();
  };
  ping(() => ping(finish));
}

const lastStreams = { closeAfterStreams };
export type LastStreams = typeof lastStreams;
module.exports = lastStreams;
