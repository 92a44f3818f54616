import type { Lane } from './lane.ts';

/** Lanes in the order of their turn; each at most once. */
export class LaneQueue {
  private readonly ring: (Lane | null)[];
  private readonly queued: Uint8Array;
  private head = 0;
  private size = 0;

  /** `capacity` is the number of lanes of the pool. */
  constructor(capacity: number) {
    this.ring = Array.from({ length: capacity }, () => null);
    this.queued = new Uint8Array(capacity);
  }

  /** Puts a lane at the end; one that is in the queue keeps its place. */
  add(lane: Lane): void {
    if (this.queued[lane.index] === 1) return;
    this.queued[lane.index] = 1;
    this.ring[(this.head + this.size) % this.ring.length] = lane;
    this.size++;
  }

  /** Takes the first lane that is usable still; those before it lost their turn. */
  take(isUsable: (lane: Lane) => boolean): Lane | null {
    while (this.size > 0) {
      const lane = this.ring[this.head] ?? null;
      this.ring[this.head] = null;
      this.head = (this.head + 1) % this.ring.length;
      this.size--;
      if (lane === null) continue;
      this.queued[lane.index] = 0;
      if (isUsable(lane)) return lane;
    }
    return null;
  }
}
