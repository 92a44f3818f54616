import type { Connection, PolicyState, WorkerState } from '../../supervisor/policy/model.ts';
import type { Offered } from '../process.ts';
import { violated } from '../violation.ts';
import type { Known, Seen } from './known.ts';

/** Sticky clients come back to their own slot, and slots that come or go move no others. */
export class StickyChecks {
  readonly #known: Known;
  /** Where clients with a key were served while all slots were there. */
  readonly #homes = new Map<number, number>();
  #homesOf = 0;

  constructor(known: Known) {
    this.#known = known;
  }

  /** A sticky client gets its own slot, or another when its own was away for long. */
  given({ after }: Seen, worker: WorkerState, connection: Offered): void {
    const { config } = after;
    const { slot } = worker;
    if (slot === null) return;
    const home = this.homeOf(connection, config.workers);
    const isAllThere = inRotation(after, connection.listener) === config.workers;
    if (home === null) {
      if (!isAllThere || connection.key === null) return;
      const before = this.#homes.get(-connection.key);
      this.#homes.set(connection.key, slot);
      const old = before === undefined ? null : { slot: before % 100, of: Math.floor(before / 100) };
      const isMoved = old !== null && old.slot !== slot && old.slot <= config.workers && slot <= old.of;
      if (isMoved) {
        violated(
          'sticky',
          `a change from ${old?.of} to ${config.workers} workers moved a client from slot ${old?.slot} to ${slot}`,
        );
      }
      return;
    }
    if (home === slot) return;
    const isHomeThere = after.workers.some(
      (other) => other.slot === home && isIn(other, connection.listener),
    );
    if (isHomeThere) {
      violated('sticky', `connection ${connection.id} goes to slot ${slot}, and its own slot ${home} serves`);
    }
    const { nowMs } = this.#known;
    const sinceMs = acceptedAtMs(worker, connection);
    if (nowMs < this.heldUntilMs(after, sinceMs, home) - 1e-6) {
      violated(
        'sticky',
        `connection ${connection.id} goes to slot ${slot} instead of ${home} after ${nowMs - sinceMs} ms`,
      );
    }
  }

  /** It waits for its own slot, if somebody is to come there, to be heard again, or to listen soon. */
  heldUntilMs({ config, workers }: PolicyState, sinceMs: number, home: number | null): number {
    const own = workers.find(({ slot, phase, suspect }) => slot === home && phase === 'serving' && !suspect);
    const { servingAtMs = null } = own === undefined ? {} : (this.#known.machine.processes[own.id] ?? {});
    return Math.min(sinceMs, servingAtMs ?? sinceMs) + config.stickyHoldMs;
  }

  homeOf({ key, slot }: Connection | Offered, workers: number): number | null {
    if (slot !== null && slot <= workers) return slot;
    return key === null ? null : (this.#homes.get(key) ?? null);
  }

  /** Slots come or go: only the clients of those move. Old homes are kept under the negative key. */
  slots(workers: number): void {
    if (this.#homesOf === workers) return;
    for (const [key, slot] of Array.from(this.#homes)) {
      if (key < 0) continue;
      this.#homes.delete(key);
      this.#homes.set(-key, slot + 100 * this.#homesOf);
    }
    this.#homesOf = workers;
  }
}

/** When the primary accepted a connection, which is later than it came if the primary was away. */
export function acceptedAtMs(worker: WorkerState, { id, sinceMs }: Offered): number {
  return worker.hands.find((hand) => hand.connection.id === id)?.connection.sinceMs ?? sinceMs;
}

export function isIn(worker: WorkerState, listener: string): boolean {
  return worker.phase === 'serving' && !worker.suspect && worker.listeners.includes(listener);
}

export function inRotation(state: PolicyState, listener: string): number {
  let count = 0;
  for (const worker of state.workers) if (isIn(worker, listener)) count++;
  return count;
}
