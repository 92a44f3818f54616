/**
 * Requests with replies, and broadcasts, over one cluster channel. The same code serves a worker's end and, once for
 * each worker, the primary's. It holds limits on both directions: a flooded channel makes errors, not memory.
 */
import type { BusMessage, IpcLimits } from '../wire.cts';
import type { Times } from './times.cts';

const { timeoutMsOf } = require('./times.cjs') as Times;

export type BusErrorCode = 'IPC_TIMEOUT' | 'IPC_TOO_LARGE' | 'IPC_BUSY' | 'IPC_CLOSED' | 'IPC_NO_HANDLER';

/** What `ask` rejects with when no handler could answer. What a handler threw comes as an `Error` with its message and code. */
export interface BusError extends Error {
  readonly code: BusErrorCode;
}

export interface AskOptions {
  /** 1 to 2^31-1 ms. Default 5,000 ms. */
  readonly timeoutMs?: number;
}

/** `from`: slot of the asking worker (0: a standby), or 0 for the primary. */
export type Handler = (body: unknown, from: number) => unknown;

export interface BusOptions {
  /** False when the channel is closed. `done` is to be called when the message was written or has failed. */
  readonly send: (message: BusMessage, done: () => void) => boolean;
  readonly limits: IpcLimits;
  /** Our own slot now, 0 for the primary. */
  readonly slot: () => number;
  /** By topic; the primary shares one map between all its buses. */
  readonly handlers: Map<string, Handler>;
  /** Told of each broadcast that arrived, before its handler: the primary passes it on to the other workers. */
  readonly onCast?: (message: Extract<BusMessage, { t: 'cast' }>) => void;
}

export interface Bus {
  /**
   * Rejects with `BusError`, with what the handler threw, with a `TypeError` when the body is no JSON, or with a `TypeError`
   * or `RangeError` when `timeoutMs` is none.
   */
  readonly ask: (topic: string, body: unknown, options?: AskOptions) => Promise<unknown>;
  /** Throws `BusError`. Nobody answers, and nobody need listen. */
  readonly broadcast: (topic: string, body: unknown) => void;
  /** Sends a broadcast as it is; returns what forbids it, or null. Throws a `TypeError` when the body is no JSON. */
  readonly relay: (message: Extract<BusMessage, { t: 'cast' }>) => BusError | null;
  readonly receive: (message: BusMessage) => void;
  /** The channel is gone: whoever waits is told. */
  readonly close: () => void;
}

const timers = { setTimeout, clearTimeout };

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

function busError(code: BusErrorCode, message: string): BusError {
  return Object.assign(new Error(message), { code });
}

/** How a thrown value goes over the wire. It may be anything: one without a text, or whose getters throw. */
function describe(error: unknown): { readonly code: string | null; readonly message: string } {
  try {
    const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as Partial<BusError>;
    return {
      code: typeof code === 'string' ? code : null,
      message: typeof message === 'string' ? message : String(error),
    };
  } catch {
    return { code: null, message: 'a value that has no text was thrown' };
  }
}

function revive(body: unknown): Error {
  const { code, message } = describe(body);
  return Object.assign(new Error(message), code === null ? {} : { code });
}

/** What a handler has not answered while its asker waited. */
const LATE = Symbol('late');

type TrySend = (message: BusMessage) => BusError | null;
type Ask = Extract<BusMessage, { t: 'ask' }>;
type Reply = Extract<BusMessage, { t: 'reply' }>;
type Cast = Extract<BusMessage, { t: 'cast' }>;

/** Sends within limits, or says which one forbids it. A body that is no JSON throws, to whoever gave it. */
function createSender({ send, limits }: BusOptions, isClosed: () => boolean): TrySend {
  const closedError = (): BusError =>
    busError('IPC_CLOSED', 'the channel between primary and worker is closed');
  let queuedBytes = 0;
  return (message) => {
    if (isClosed()) return closedError();
    const what = message.t === 'reply' ? 'a reply' : message.topic;
    const bytes = Buffer.byteLength(JSON.stringify(message));
    const { messageBytesMax, queuedBytesMax } = limits;
    if (bytes > messageBytesMax)
      return busError(
        'IPC_TOO_LARGE',
        `${what}: a message of ${bytes} bytes; the limit is ${messageBytesMax}`,
      );
    if (queuedBytes + bytes > queuedBytesMax)
      return busError(
        'IPC_BUSY',
        `${what}: ${queuedBytes} bytes wait in the channel; the limit is ${queuedBytesMax}`,
      );
    queuedBytes += bytes;
    const sent = send(message, () => {
      queuedBytes -= bytes;
    });
    return sent ? null : closedError();
  };
}

/** The asking side. */
function createAsker(
  { limits, slot }: BusOptions,
  trySend: TrySend,
): Pick<Bus, 'ask' | 'close'> & { readonly onReply: (message: Reply) => void } {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  const settle = (id: number): Waiting | undefined => {
    const entry = waiting.get(id);
    waiting.delete(id);
    if (entry) timers.clearTimeout(entry.timer);
    return entry;
  };
  return {
    ask: (topic, body, options) =>
      new Promise((resolve, reject) => {
        const timeoutMs = timeoutMsOf(options);
        const { outstandingMax } = limits;
        if (waiting.size >= outstandingMax)
          throw busError(
            'IPC_BUSY',
            `${topic}: ${waiting.size} requests wait; the limit is ${outstandingMax}`,
          );
        const id = ++lastId;
        const error = trySend({ t: 'ask', id, topic, body, from: slot(), timeoutMs });
        if (error) throw error;
        const timer = timers.setTimeout(() => {
          settle(id)?.reject(busError('IPC_TIMEOUT', `${topic}: no answer within ${timeoutMs} ms`));
        }, timeoutMs);
        waiting.set(id, { resolve, reject, timer });
      }),
    onReply({ id, ok, body }) {
      const entry = settle(id);
      if (ok) entry?.resolve(body);
      else entry?.reject(revive(body));
    },
    close() {
      for (const id of waiting.keys())
        settle(id)?.reject(busError('IPC_CLOSED', 'the channel between primary and worker was closed'));
    },
  };
}

/** The answering side. */
function createAnswerer(
  { limits, handlers, onCast }: BusOptions,
  trySend: TrySend,
): { readonly answer: (message: Ask) => Promise<void>; readonly hear: (message: Cast) => Promise<void> } {
  let answering = 0;
  /** Twice this fits into a message: in JSON, a character takes up to six bytes. */
  const cut = (text: string): string => {
    const lengthMax = Math.floor(limits.messageBytesMax / 16);
    return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  };
  const refuse = (id: number, error: unknown): void => {
    const { code, message } = describe(error);
    const refused = trySend({ t: 'reply', id, ok: false, body: { code, message } });
    if (refused?.code !== 'IPC_TOO_LARGE') return;
    const body = { code: code === null ? null : cut(code), message: cut(message) };
    trySend({ t: 'reply', id, ok: false, body });
  };
  const run = async ({ id, topic, body, from, timeoutMs }: Ask): Promise<void> => {
    const handler = handlers.get(topic);
    if (!handler) throw busError('IPC_NO_HANDLER', `${topic}: nobody handles it`);
    if (answering >= limits.outstandingMax)
      throw busError('IPC_BUSY', `${topic}: ${answering} requests are being answered already`);
    const limitMs = timeoutMsOf({ timeoutMs });
    answering++;
    let timer: NodeJS.Timeout | undefined;
    // One that never settles shall not keep its place from others for ever.
    const late = new Promise<typeof LATE>((resolve) => {
      timer = timers.setTimeout(() => resolve(LATE), limitMs).unref();
    });
    try {
      const answer = await Promise.race([(async () => handler(body, from))(), late]);
      if (answer === LATE) return;
      const error = trySend({ t: 'reply', id, ok: true, body: answer });
      if (error) throw error;
    } finally {
      timers.clearTimeout(timer);
      answering--;
    }
  };
  return {
    async answer(message) {
      try {
        await run(message);
      } catch (error) {
        refuse(message.id, error);
      }
    },
    async hear(message) {
      onCast?.(message);
      try {
        await handlers.get(message.topic)?.(message.body, message.from);
      } catch (error) {
        // Nobody waits for an answer that could carry it.
        console.error(`cluster-chaos: the handler of ${message.topic} failed:`, error);
      }
    },
  };
}

function createBus(options: BusOptions): Bus {
  let closed = false;
  const trySend = createSender(options, () => closed);
  const { ask, onReply, close } = createAsker(options, trySend);
  const { answer, hear } = createAnswerer(options, trySend);
  return {
    ask,
    broadcast(topic, body) {
      const error = trySend({ t: 'cast', topic, body, from: options.slot() });
      if (error) throw error;
    },
    relay: trySend,
    receive(message) {
      switch (message.t) {
        case 'ask':
          return void answer(message);
        case 'cast':
          return void hear(message);
        case 'reply':
          return onReply(message);
      }
    },
    close() {
      closed = true;
      close();
    },
  };
}

const bus = { createBus, busError };
export type BusModule = typeof bus;
module.exports = bus;
