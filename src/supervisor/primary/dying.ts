import type { WorkerState } from '../policy/model.ts';
import { nowMs } from './now.ts';
import { readProcess } from './process-table.ts';

type Worker = Pick<WorkerState, 'id' | 'hands' | 'heardAtMs'>;

/** A worker with a core to itself takes a connection sooner than that. */
const LOOK_AFTER_MS = 2;
/** One that is merely busy is looked at no more often. */
const LOOK_EVERY_MS = 15;

/**
 * Finds workers that are dying before their exit is seen: who leaves a connection untaken and says nothing is looked at in
 * the process table. Clearing away a killed process takes the kernel 10 ms and more, and until then what is given to it would wait.
 */
export class Dying {
  readonly #workers: () => readonly Worker[];
  readonly #pidOf: (worker: number) => number | null;
  readonly #onDying: (worker: number) => void;
  /** When those with untaken connections were last looked at. */
  #lookedAtMs = new Map<number, number>();
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

  /** Begins to look, and goes on as long as somebody has a connection in hand. To be called whenever one is given. */
  watch(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#look()) this.watch();
    }, LOOK_AFTER_MS);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** @returns whether somebody has a connection in hand */
  #look(): boolean {
    const now = nowMs();
    const before = this.#lookedAtMs;
    let isAny = false;
    this.#lookedAtMs = new Map();
    for (const { id, hands, heardAtMs } of this.#workers()) {
      const [oldest] = hands;
      if (oldest === undefined) continue;
      isAny = true;
      if (now - Math.max(oldest.atMs, heardAtMs) < LOOK_AFTER_MS) continue;
      const lastMs = before.get(id) ?? Number.NEGATIVE_INFINITY;
      const isDue = now - lastMs >= LOOK_EVERY_MS;
      this.#lookedAtMs.set(id, isDue ? now : lastMs);
      const pid = isDue ? this.#pidOf(id) : null;
      // After what it said last has been read: it may have taken the connection.
      if (pid !== null && readProcess(pid)?.isDying === true) setImmediate(() => this.#onDying(id));
    }
    return isAny;
  }
}
