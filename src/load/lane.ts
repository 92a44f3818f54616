import type { Socket } from 'node:net';
import { invariant } from '../base/errors.ts';
import { FLAG_FRESH } from '../model/samples.ts';
import {
  type AutocannonClient,
  ON_BODY,
  ON_COMPLETE,
  ON_HEADERS,
  type ResponseHead,
} from './autocannon-internals.ts';
import { BODY_READ_MAX, type BodyTable, type KnownBody, NO_KNOWN_BODY } from './body-table.ts';
import type { WireRequest } from './request-bytes.ts';
import { CLOSED, CUT, OK, OTHER, REFUSED, RESET, type RowRecorder, TIMEOUT } from './row-recorder.ts';

const WORKER_HEADER = 'x-chaos-worker';
const KEEP_ALIVE_HEADER = 'keep-alive';
/** How long an unused connection is trusted where the server does not say: below the 60 s of Node's own servers. */
const IDLE_MS_DEFAULT = 55_000;
const NOTHING = Buffer.alloc(0);

/** Decides what a lane does next. */
export interface LaneOwner {
  /** The lane has a connection; it may already be busy. */
  connected(lane: Lane): void;
  /** The lane's request was answered; the lane may or may not have a connection still. */
  answered(lane: Lane): void;
  /** The lane lost its connection, or got none; a request it was busy with has its row. */
  broken(lane: Lane): void;
  /** The time given to `retryLater` is over, and the lane has nothing to do. */
  retry(lane: Lane): void;
}

/** What all lanes of one kind share. */
export interface LaneKit {
  readonly owner: LaneOwner;
  /** Each request on a connection of its own. */
  readonly fresh: boolean;
  readonly requests: readonly WireRequest[];
  readonly now: () => number;
  readonly rows: RowRecorder;
  readonly bodies: BodyTable;
}

interface LaneSocket extends Socket {
  /** Taken away when the lane gives the socket up: what it still reports is nobody's matter. */
  chaosLane?: Lane | undefined;
}

/**
 * One autocannon client, made truthful: at most one request at a time, and every request that was dispatched ends in
 * exactly one row. Takes over when the client connects and what it sends; autocannon's parser and connections stay.
 */
export class Lane {
  /** Number of the lane in its pool. */
  readonly index: number;
  busy = false;
  link: 'none' | 'connecting' | 'up' = 'none';
  /** Connections lost in a row, without an answer in between. */
  losses = 0;
  sentMs = 0;
  usedMs = 0;
  idleMsMax = IDLE_MS_DEFAULT;
  private readonly client: AutocannonClient;
  private readonly kit: LaneKit;
  private readonly openClient: () => void;
  private dueMs = 0;
  private request = 0;
  /** The first byte of the answer has arrived. */
  private begun = false;
  private status = 0;
  private keepAlive = true;
  /** Who serves this connection, 0 while unknown. */
  private worker = 0;
  /** Who gave the answer at hand. */
  private answerer = 0;
  /** Answers of several workers came over it: a proxy is in between, and a lost request's worker is not known. */
  private isShared = false;
  private port = 0;
  private bodyBytes = 0;
  private part: Buffer = NOTHING;
  private parts: Buffer[] | null = null;
  private known: KnownBody = NO_KNOWN_BODY;
  private timer: NodeJS.Timeout | null = null;

  /** To be called in autocannon's `setupClient`. */
  constructor(client: AutocannonClient, index: number, kit: LaneKit) {
    this.client = client;
    this.index = index;
    this.kit = kit;
    this.openClient = client._connect.bind(client);
    client._connect = () => this.install();
    // autocannon calls this when a connection is made: when to send is for the pool to say.
    client._doRequest = () => undefined;
  }

  /** Sends a request, on a new connection if the lane has none; `dueMs` is when it should have been sent. */
  dispatch(dueMs: number, request: number): void {
    const sentMs = this.kit.now();
    this.send(dueMs, sentMs, request);
  }

  /** Sends a request that is due when it is sent. */
  dispatchNow(request: number): void {
    const sentMs = this.kit.now();
    this.send(sentMs, sentMs, request);
  }

  /** Makes a connection ahead of need. */
  connect(): void {
    if (this.link === 'none') this.open();
  }

  /** Calls `owner.retry` after a time, unless the lane is used before. */
  retryLater(delayMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (!this.busy && this.link === 'none') this.kit.owner.retry(this);
    }, delayMs);
  }

  /** Gives up the connection; a request in flight gets a row with this outcome. */
  lose(outcome: number): void {
    if (this.busy) {
      const broken = this.begun && (outcome === RESET || outcome === CLOSED);
      this.finish(broken ? CUT : outcome, 0, NO_KNOWN_BODY);
    }
    this.close();
    this.losses++;
    this.kit.owner.broken(this);
  }

  /** Replaces the connection of an idle lane before the server closes it. */
  renew(): void {
    this.close();
    this.open();
  }

  private install(): void {
    const { client } = this;
    const { parser } = client;
    invariant(typeof client.timeoutTicker?.clear === 'function', 'autocannon has its timeout timer');
    // One timer restarted by each request knows nothing of idle clients; the engine sweeps for timeouts.
    client.timeoutTicker.clear();
    const execute = parser.execute.bind(parser);
    parser.execute = (chunk) => this.receive(execute, chunk);
    parser[ON_HEADERS] = (head) => this.onHead(head);
    parser[ON_BODY] = (part) => this.onBody(part);
    parser[ON_COMPLETE] = () => this.onComplete();
  }

  private send(dueMs: number, sentMs: number, request: number): void {
    this.busy = true;
    this.begun = false;
    this.dueMs = dueMs;
    this.sentMs = sentMs;
    this.request = request;
    if (this.link === 'none') this.open();
    this.client.conn.write((this.kit.requests[request] as WireRequest).bytes);
  }

  private open(): void {
    const { client } = this;
    this.link = 'connecting';
    this.openClient();
    const socket: LaneSocket = client.conn;
    socket.chaosLane = this;
    socket.removeAllListeners('error').removeAllListeners('end');
    socket.on('error', onError).on('end', onEnd).on('close', onClose);
    socket.once(client.secure ? 'secureConnect' : 'connect', onConnect);
    socket.setNoDelay(true);
  }

  private close(): void {
    if (this.link === 'none') return;
    const { client } = this;
    const socket: LaneSocket = client.conn;
    socket.chaosLane = undefined;
    socket.removeAllListeners('data');
    socket.destroy();
    client.parser.reinitialize('RESPONSE');
    // Called while parsing, this keeps what is left of the chunk from being taken for the next connection's answer.
    client.parser.offset = client.parser.end;
    this.link = 'none';
    this.begun = false;
    this.bodyBytes = 0;
    this.parts = null;
    this.worker = 0;
    this.isShared = false;
    this.port = 0;
    this.idleMsMax = IDLE_MS_DEFAULT;
  }

  private receive(execute: (chunk: Buffer) => number | Error, chunk: Buffer): number | Error {
    if (!this.busy) {
      // Nobody asked: a 408 to an idle connection, or bytes after the end of an answer.
      this.lose(CLOSED);
      return chunk.length;
    }
    this.begun = true;
    const parsed = execute(chunk);
    // What is not HTTP is no answer, and what follows it cannot be told apart.
    if (typeof parsed !== 'number') this.lose(OTHER);
    return parsed;
  }

  private onHead(head: ResponseHead): boolean {
    this.status = head.statusCode;
    this.keepAlive = head.shouldKeepAlive;
    this.answerer = this.readHeaders(head.headers);
    if (this.isShared) return this.isHeadRequest();
    if (this.worker === 0) this.worker = this.answerer;
    else if (this.worker !== this.answerer) {
      this.isShared = true;
      this.worker = 0;
    }
    return this.isHeadRequest();
  }

  private isHeadRequest(): boolean {
    return (this.kit.requests[this.request] as WireRequest).isHead;
  }

  /** @returns the worker that the answer names, 0 for none */
  private readHeaders(headers: readonly string[]): number {
    // The agent puts its line first: one comparison for every answer but the first of a connection.
    if (this.worker !== 0 && headers[0] === WORKER_HEADER) return Number(headers[1]) || 0;
    let worker = 0;
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = headers[i] as string;
      if (name.length === WORKER_HEADER.length && name.toLowerCase() === WORKER_HEADER) {
        worker = Number(headers[i + 1]) || 0;
      } else if (name.length === KEEP_ALIVE_HEADER.length && name.toLowerCase() === KEEP_ALIVE_HEADER) {
        const seconds = Number(/timeout=(\d+)/i.exec(headers[i + 1] as string)?.[1] ?? 0) * 1000;
        // Leaves before the server does, so that no request meets its FIN half way.
        if (seconds > 0) this.idleMsMax = Math.max(seconds / 2, seconds - 1000);
      }
    }
    return worker;
  }

  private onBody(part: Buffer): void {
    if (this.bodyBytes === 0) this.part = part;
    else if (this.bodyBytes < BODY_READ_MAX) {
      this.parts ??= [this.part];
      this.parts.push(part);
    }
    this.bodyBytes += part.length;
  }

  private onComplete(): void {
    if (!this.busy) return;
    if (this.status < 200 && this.status !== 101) {
      // 100 Continue, 103 Early Hints: the answer is still to come.
      this.begun = false;
      return;
    }
    this.losses = 0;
    this.finish(OK, this.status, this.takeBody());
    const { parser } = this.client;
    // More bytes than announced: they are not the answer to what is sent next.
    const isOverlong = parser.offset < parser.end;
    if (this.kit.fresh || !this.keepAlive || isOverlong) this.close();
    this.kit.owner.answered(this);
  }

  private takeBody(): KnownBody {
    const { known, request, bodyBytes: total } = this;
    let bytes = total === 0 ? NOTHING : this.parts === null ? this.part : Buffer.concat(this.parts);
    this.bodyBytes = 0;
    this.part = NOTHING;
    this.parts = null;
    if (bytes.length > BODY_READ_MAX) bytes = bytes.subarray(0, BODY_READ_MAX);
    if (known.total === total && known.request === request && known.bytes?.equals(bytes)) return known;
    this.known = this.kit.bodies.find(bytes, total, request);
    return this.known;
  }

  private finish(outcome: number, status: number, body: KnownBody): void {
    const endMs = this.kit.now();
    this.busy = false;
    this.usedMs = endMs;
    this.kit.rows.add(
      this.dueMs,
      this.sentMs,
      endMs,
      outcome,
      status,
      outcome === OK ? this.answerer : this.worker,
      this.port,
      this.request,
      this.kit.fresh ? FLAG_FRESH : 0,
      body.id,
      body.accepted,
    );
  }

  /** Called by the socket's listeners. */
  onConnect(port: number): void {
    this.link = 'up';
    this.port = port;
    this.usedMs = this.kit.now();
    this.kit.owner.connected(this);
  }

  /** Called by the socket's listeners: the server sent its FIN. */
  onFin(): void {
    // An answer without a length ends with its connection.
    if (this.busy && this.client.parser.state === 'BODY_RAW') this.client.parser.finish();
    else this.lose(CLOSED);
  }
}

function onConnect(this: LaneSocket): void {
  this.chaosLane?.onConnect(this.localPort ?? 0);
}

function onError(this: LaneSocket, error: NodeJS.ErrnoException): void {
  this.chaosLane?.lose(outcomeOf(error.code));
}

function onEnd(this: LaneSocket): void {
  this.chaosLane?.onFin();
}

function onClose(this: LaneSocket): void {
  this.chaosLane?.lose(CLOSED);
}

const OUTCOME_OF_CODE: Readonly<Record<string, number>> = {
  ECONNREFUSED: REFUSED,
  ECONNRESET: RESET,
  ECONNABORTED: RESET,
  EPIPE: RESET,
  ETIMEDOUT: TIMEOUT,
};

function outcomeOf(code: string | undefined): number {
  return OUTCOME_OF_CODE[code ?? ''] ?? OTHER;
}
