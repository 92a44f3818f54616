import type { Connection } from '../policy/model.ts';
import type { Sticky } from '../settings.ts';
import type { Counters } from './counters.ts';
import { nowMs } from './now.ts';
import type { RawHandle } from './raw-handle.ts';
import { type Peeked, peek } from './sticky.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A connection that all workers have refused rests for so long. */
const REST_MS = 50;

interface Held {
  readonly handle: RawHandle;
  readonly peeked: Peeked;
  readonly listener: string;
  /** The worker it was last given to. */
  worker: number | null;
  /** So often a worker had no room for it. */
  refusals: number;
  /** Sends that are not through: it was given to one who does not read, and perhaps to another after that. */
  sends: number;
}

/** The connections that are still the primary's: accepted, and not yet taken over by a worker. */
export class Connections {
  readonly #held = new Map<number, Held>();
  readonly #counters: Counters;
  #lastId = 0;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  accept(
    from: {
      readonly listener: string;
      readonly handle: RawHandle;
      readonly isHttp: boolean;
      readonly sticky: Sticky | null;
    },
    onConnection: (connection: Connection) => void,
  ): void {
    const { listener, handle } = from;
    peek(handle, from, (peeked) => {
      const id = ++this.#lastId;
      this.#counters.connections++;
      this.#held.set(id, { handle, peeked, listener, worker: null, refusals: 0, sends: 0 });
      onConnection({ id, listener, key: peeked.key, slot: peeked.slot, sinceMs: nowMs() });
    });
  }

  give(id: number, worker: WorkerProcess, onFailed: () => void): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    if (held.worker !== null) this.#counters.regiven++;
    held.worker = worker.id;
    const { listener, handle, peeked } = held;
    // Whole ms: a fraction takes long to write and to read, for both sides.
    const sentAtMs = Math.floor(nowMs());
    worker.give(
      { id, listener, sentAtMs, headBase64: peeked.headBase64 },
      {
        handle,
        onSend: () => {
          held.sends++;
        },
        onSent: (isSent) => {
          held.sends--;
          this.#closeIfOver(id, held);
          if (!isSent) onFailed();
        },
      },
    );
  }

  /** The worker has its own copy by now, so ours can go. From another than it was last given to, it is not the word that counts. */
  taken(id: number, worker: number): void {
    if (this.#held.get(id)?.worker === worker) this.close(id);
  }

  /** A worker had no room for it. As with node:cluster it goes round until one has; but not without a rest after each round. */
  refused(id: number, workers: number, giveBack: () => void): void {
    const held = this.#held.get(id);
    if (held !== undefined) held.refusals++;
    if (held !== undefined && held.refusals % workers === 0) setTimeout(giveBack, REST_MS).unref();
    else giveBack();
  }

  close(id: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#closeIfOver(id, held);
  }

  closeAll(): void {
    for (const id of this.#held.keys()) this.close(id);
  }

  #closeIfOver(id: number, { sends, peeked }: Held): void {
    if (sends === 0 && !this.#held.has(id)) peeked.close();
  }
}
