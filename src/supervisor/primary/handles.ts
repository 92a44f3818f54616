import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Wire } from '../wire.cts';
import type { RawHandle } from './raw-handle.ts';

const { HANDLE_ACK, HANDLE_NACK } = createRequire(import.meta.url)('../wire.cjs') as Wire;
/** Elsewhere it was not tried how reads end at handles, so each goes alone. */
const CAN_GO_TOGETHER = process.platform === 'linux';

/** A handle on its way to a worker, and the message that it comes with. */
export interface Passage {
  readonly message: { readonly cmd: string; readonly id: number };
  readonly handle: RawHandle;
  /** From now on, until `onSent`, the handle must stay open: libuv would send whatever is in its place by then. */
  readonly onSend: () => void;
  /** It is with the kernel, or could not be sent. */
  readonly onSent: (isSent: boolean) => void;
}

interface Internal {
  cmd?: string | null;
}

/**
 * Sends handles over a worker's channel, as many at a time as there are. Node itself sends the next one, and any other
 * message, only when the one before is acknowledged: a turn of the worker's event loop and one of ours for each
 * connection, which costs a busy machine a fifth of its throughput. So Node is told at once that it was, and what a worker
 * answers is our own affair.
 *
 * Node's reason to wait: it takes the last handle that it received for the one of the next complete message. A message
 * with a handle must then not be read in two pieces, of which the second brings another handle along. The kernel ends a
 * read at each handle, so that takes other messages before it that fill Node's buffer (64 kB). Hence a handle after
 * other words goes alone: no other until it is answered.
 */
export class Handles {
  readonly #child: ChildProcess;
  readonly #send: ChildProcess['send'];
  readonly #waiting: Passage[] = [];
  /** Sent after other words, and not answered. */
  #alone: number | null = null;
  #hasSpoken = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    // A child that could not be started has none.
    this.#send = (child as Partial<ChildProcess>).send?.bind(child) ?? (() => false);
    // Whoever speaks to the worker, through `cluster.workers` too.
    child.send = (...args: unknown[]): boolean => {
      this.#hasSpoken = true;
      return Reflect.apply(this.#send, child, args) as boolean;
    };
    child.prependListener('internalMessage', (message: Internal) => {
      // Node's listener, which comes next, throws at what it does not wait for.
      const isOfHandle = message.cmd === HANDLE_ACK || message.cmd === HANDLE_NACK;
      if (isOfHandle && !this.#isNodeWaiting) message.cmd = null;
    });
    // Of somebody else's handle; only then can Node still be waiting.
    child.on('internalMessage', ({ cmd }: Internal) => {
      if (cmd === HANDLE_ACK || cmd === HANDLE_NACK) this.#sendWaiting();
    });
  }

  /** Sends it now, or once those before it are sent. */
  pass(passage: Passage): void {
    this.#waiting.push(passage);
    this.#sendWaiting();
  }

  /** The worker has taken or dropped the one with this id. */
  answered(id: number): void {
    if (this.#alone !== id) return;
    this.#alone = null;
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    while (this.#alone === null && !this.#isNodeWaiting) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#sendOne(next);
    }
  }

  #sendOne({ message, handle, onSend, onSent }: Passage): void {
    if (this.#hasSpoken || !CAN_GO_TOGETHER) this.#alone = message.id;
    this.#hasSpoken = false;
    onSend();
    const onDone = (error: Error | null): void => {
      if (error === null) return onSent(true);
      // Not at once: a channel that closed refuses on 'nextTick', and trying again there would keep its exit from being seen.
      setImmediate(() => {
        this.answered(message.id);
        onSent(false);
      });
    };
    this.#send(message, handle as never, undefined, onDone);
    if (this.#isNodeWaiting) this.#child.emit('internalMessage', { cmd: HANDLE_ACK });
  }

  /** Node keeps all that is sent until a handle is acknowledged. */
  get #isNodeWaiting(): boolean {
    return Array.isArray((this.#child as { readonly _handleQueue?: unknown })._handleQueue);
  }
}
