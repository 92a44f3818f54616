import type { Socket } from 'node:net';

/**
 * Bounds how many clients are connected at a time. Who has been idle the longest makes room for the next: one that is refused
 * instead could be the health check, and slow clients would lock it out.
 */
export class Clients {
  readonly #max: number;
  /** The longest idle one first. Idle is who has not said all that it wants, or has its answer. */
  readonly #idle = new Set<Socket>();
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    this.#count++;
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#count--;
      this.#idle.delete(socket);
    });
    if (this.#count <= this.#max) return;
    // While all others wait for their answers, it is the new one.
    const [longest] = this.#idle;
    if (longest === undefined) return;
    this.#idle.delete(longest);
    longest.destroy();
  }

  /** It asked for something. */
  busy(socket: Socket): void {
    this.#idle.delete(socket);
  }

  /** It was answered. */
  idle(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }
}
