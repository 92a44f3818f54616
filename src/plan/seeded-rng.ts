import seedrandom from 'seedrandom';

/** A stream of random numbers that only its seed and name decide. */
export interface Rng {
  /** The next number in [0, 1). */
  next(): number;
  /** Another stream, which neither reads from this one nor moves it. */
  fork(name: string): Rng;
}

/**
 * The stream of a seed. The number 1 and the text '1' are one seed.
 *
 * The generator is seedrandom's ARC4: its key schedule sets neighbouring seeds apart, which matters because a fork is
 * a new seed, `<seed>/<name>`, and often only its first number is used.
 */
export function seededRng(seed: string | number): Rng {
  const key = String(seed);
  let generator: seedrandom.PRNG | null = null;
  return {
    next: () => {
      // A stream that is only forked never pays for the key schedule.
      generator ??= seedrandom(key);
      return generator();
    },
    fork: (name) => seededRng(`${key}/${name}`),
  };
}

/** A whole number in [0, below). */
export function drawIndex(rng: Rng, below: number): number {
  return Math.floor(rng.next() * below);
}

/** `count` different members of `items`, each set equally likely, in the order of `items`. */
export function drawSubset<T>(rng: Rng, items: readonly T[], count: number): readonly T[] {
  const indexes = items.map((_, index) => index);
  const drawn: number[] = [];
  while (drawn.length < count && indexes.length > 0) {
    drawn.push(...indexes.splice(drawIndex(rng, indexes.length), 1));
  }
  const chosen = new Set(drawn);
  return items.filter((_, index) => chosen.has(index));
}

/**
 * A draw from the exponential distribution with mean 1, by von Neumann's method: it compares uniform numbers and takes
 * no logarithm, whose last bit is not the same on every machine.
 *
 * @see J. von Neumann, "Various techniques used in connection with random digits" (1951)
 */
export function drawExponential(rng: Rng): number {
  for (let whole = 0; ; whole++) {
    const first = rng.next();
    let last = first;
    let length = 1;
    for (let next = rng.next(); next <= last; next = rng.next()) {
      last = next;
      length++;
    }
    if (length % 2 === 1) return whole + first;
  }
}
