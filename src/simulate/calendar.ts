/** What is due in a world, soonest first; what is due at the same time comes in the order it was noted. */
export class Calendar<T> {
  readonly #heap: Entry<T>[] = [];
  #order = 0;

  /** Infinity when nothing is due. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  add(atMs: number, what: T): void {
    this.#push({ atMs, order: this.#order++, what });
  }

  take(): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first?.what;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (left === undefined) break;
      let next = left;
      if (right !== undefined && isBefore(right, left)) {
        next = right;
        child++;
      }
      if (!isBefore(next, last)) break;
      heap[at] = next;
      at = child;
    }
    heap[at] = last;
    return first.what;
  }

  /** Moves what `isMeant` to later. */
  postpone(byMs: number, isMeant: (what: T) => boolean): void {
    const all = this.#heap.splice(0).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    for (const { atMs, order, what } of all) {
      this.#push({ atMs: isMeant(what) ? atMs + byMs : atMs, order, what });
    }
  }

  #push(entry: Entry<T>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }
}

interface Entry<T> {
  readonly atMs: number;
  readonly order: number;
  readonly what: T;
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order;
}
