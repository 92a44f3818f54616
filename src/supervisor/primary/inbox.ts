import type { Logger } from 'pino';
import type { Event } from '../policy/model.ts';
import type { BusMessage, ToPrimary } from '../wire.cts';
import type { Connections } from './connections.ts';
import { type ListenError, type Listeners, listenFailure } from './listeners.ts';
import { eventOf, inBrief, listenerOf } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

interface InboxGiven {
  readonly log: () => Logger;
  readonly listeners: Listeners;
  readonly connections: Connections;
  readonly onBus: (worker: WorkerProcess, message: BusMessage) => void;
  readonly onEvent: (event: Event) => void;
  /** The worker has no room for this connection. */
  readonly onFull: (worker: number, connection: number) => void;
  readonly isServing: (worker: number) => boolean;
  /** It drains or is being killed: what it closes, its replacement opens. */
  readonly isLeaving: (worker: number) => boolean;
}

/** What workers say: a listen is opened for them, the app's own messages are passed on, and the rest becomes events. */
export class Inbox {
  readonly #given: InboxGiven;
  /** A worker of the service has listened through the primary. */
  hasListened = false;

  constructor(given: InboxGiven) {
    this.#given = given;
  }

  hear(worker: WorkerProcess, message: ToPrimary): void {
    // Read after its exit was seen: what it had is with others by now.
    if (worker.hasExited) return;
    const { connections, isLeaving, listeners, log, onBus, onEvent, onFull } = this.#given;
    switch (message.t) {
      case 'listen':
        return this.#listen(worker, message);
      case 'unlisten':
        worker.addresses.delete(message.listener);
        if (isLeaving(worker.id)) listeners.leave(worker.id, message.listener);
        else listeners.unlisten(worker.id, message.listener);
        break;
      case 'listens':
        this.hasListened = true;
        worker.addresses.set(listenerOf(message), { address: message.address ?? '', port: message.port });
        break;
      case 'taken':
        worker.answered(message.id);
        worker.took(message.open);
        connections.taken(message.id, worker.id);
        break;
      case 'stale':
        worker.answered(message.id);
        break;
      case 'full':
        worker.answered(message.id);
        return onFull(worker.id, message.id);
      case 'rehearse':
        return this.#rehearse(worker);
      case 'plain':
        log().warn(
          { worker: worker.id, detail: message.detail },
          'this Node is not as expected: plain node:cluster',
        );
        return worker.onPlainListening(() => onEvent({ type: 'ready', worker: worker.id }));
      case 'health':
        if (!message.ok)
          log().warn({ worker: worker.id, detail: inBrief(message.detail) }, 'worker says it is unhealthy');
        break;
      case 'drained':
        worker.hasDrained = true;
        break;
      case 'retire':
        worker.wish ??= inBrief(message.reason);
        break;
      case 'ask':
      case 'cast':
      case 'reply':
        worker.messages++;
        return onBus(worker, message);
      default:
    }
    const event = eventOf(worker.id, message);
    if (event !== null) onEvent(event);
  }

  #listen(worker: WorkerProcess, { seq, query, data }: Extract<ToPrimary, { t: 'listen' }>): void {
    const { listeners, log, onEvent, isServing } = this.#given;
    listeners.listen(worker.id, query, data).then(
      ({ key, sockname, data }) => {
        this.hasListened = true;
        worker.refused = null;
        worker.addresses.set(key, sockname);
        // Told to the policy first: 'ready' follows on the worker's answer to this.
        onEvent({ type: 'listening', worker: worker.id, listener: key });
        worker.send({ t: 'listening', seq, listener: key, sockname, data });
        if (isServing(worker.id)) worker.announce(key);
      },
      (error: ListenError) => {
        const where = query.port < 0 ? String(query.address) : `${query.address ?? 'port'} ${query.port}`;
        log().error({ code: error.code, worker: worker.id }, `cannot listen on ${where}`);
        worker.refused = listenFailure(error, where);
        // As under node:cluster: the app may go on to another port.
        worker.send({ t: 'listen-error', seq, errno: error.errno, code: error.code });
      },
    );
  }

  /** A copy of a listening socket takes the way of a connection. Nobody accepts on it: it is too late, and dropped. */
  #rehearse(worker: WorkerProcess): void {
    const [listener = ''] = worker.addresses.keys();
    const handle = this.#given.listeners.handleOf(listener);
    if (handle === null) return;
    const passage = { handle, onSend: () => undefined, onSent: () => undefined };
    worker.give({ id: 0, listener, sentAtMs: 0, headBase64: null }, passage);
  }
}
