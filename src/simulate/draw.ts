/** Cheap, seeded numbers: a world is drawn with `Dice`, and what happens within it is `hashed` from its seed. */

/** A stream by mulberry32 (Tommy Ettinger). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring streams.
    this.#state = mix(Math.imul(seed, 0x9e3779b1) ^ Math.floor(seed / 4_294_967_296));
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  of<T>(first: T, ...others: readonly T[]): T {
    return others[Math.floor(this.next() * (others.length + 1)) - 1] ?? first;
  }
}

/**
 * In [0, 1), by seed, subject and question only: taking an event out of a world does not change how long worker 7 boots.
 */
export function hashed(seed: number, subject: number, question: number): number {
  return (
    (mix(mix(Math.imul(seed, 0x9e3779b1) ^ subject) ^ Math.imul(question, 0x85ebca6b)) >>> 0) / 4_294_967_296
  );
}

/** The finisher of MurmurHash3 (Austin Appleby). */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
