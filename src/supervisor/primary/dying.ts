import type { WorkerState } from '../policy/model.ts';
import { nowMs } from './now.ts';
import { ProcessFile } from './process-table.ts';

type Worker = Pick<WorkerState, 'id' | 'hands' | 'heardAtMs'>;

/**
 * Who was heard or looked at this lately is not looked at: a worker with a core to itself takes a connection sooner than
 * that. A look takes some 5 µs where there is one for each connection, and 30 µs when one comes now and then.
 */
const LOOK_AFTER_MS = 2;

interface Watched {
  readonly file: ProcessFile;
  lookedAtMs: number;
}

/**
 * Finds workers that are dying before their exit is seen: clearing away a killed process takes the kernel some 10 ms, and
 * until then what is given to it would wait. Looked at, in the process table, is who was silent when it is given a
 * connection, and who leaves one untaken.
 */
export class Dying {
  readonly #workers: () => readonly Worker[];
  readonly #pidOf: (worker: number) => number | null;
  readonly #onDying: (worker: number) => void;
  readonly #watched = new Map<number, Watched>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    workers: () => readonly Worker[],
    pidOf: (worker: number) => number | null,
    onDying: (worker: number) => void,
  ) {
    this.#workers = workers;
    this.#pidOf = pidOf;
    this.#onDying = onDying;
  }

  /** A connection was given to this worker. From now on it is looked at every few ms, until it takes it. */
  given(id: number): void {
    this.#watch();
    for (const worker of this.#workers()) if (worker.id === id) this.#look(worker, nowMs());
  }

  /** It is gone. */
  forget(worker: number): void {
    this.#watched.get(worker)?.file.close();
    this.#watched.delete(worker);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const worker of this.#watched.keys()) this.forget(worker);
  }

  /** Goes on as long as somebody has not taken a connection. */
  #watch(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const now = nowMs();
      for (const worker of this.#workers()) {
        const [oldest] = worker.hands;
        if (oldest === undefined) continue;
        this.#watch();
        if (now - oldest.atMs >= LOOK_AFTER_MS) this.#look(worker, now);
      }
    }, LOOK_AFTER_MS);
  }

  #look({ id, heardAtMs }: Worker, now: number): void {
    if (now - heardAtMs < LOOK_AFTER_MS) return;
    const watched = this.#watched.get(id) ?? this.#begin(id);
    if (watched === undefined || now - watched.lookedAtMs < LOOK_AFTER_MS) return;
    watched.lookedAtMs = now;
    // After what it said last has been read: it may have taken the connection.
    if (watched.file.read()?.isDying === true) setImmediate(() => this.#onDying(id));
  }

  #begin(id: number): Watched | undefined {
    const pid = this.#pidOf(id);
    if (pid === null) return undefined;
    const watched = { file: new ProcessFile(pid), lookedAtMs: Number.NEGATIVE_INFINITY };
    this.#watched.set(id, watched);
    return watched;
  }
}
