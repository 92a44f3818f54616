import type { Interval } from './interval.ts';

export interface Change {
  readonly atMs: number;
  readonly by: number;
}

/** A number that changes in steps over the time of the run, such as the count of ready workers; 0 before its first change. */
export class StepLine {
  readonly #times: readonly number[];
  readonly #values: readonly number[];

  constructor(changes: readonly Change[]) {
    const sorted = changes.filter((change) => Number.isFinite(change.atMs)).sort((a, b) => a.atMs - b.atMs);
    const times: number[] = [];
    const values: number[] = [];
    let value = 0;
    for (const { atMs, by } of sorted) {
      value += by;
      if (times.at(-1) === atMs) values[values.length - 1] = value;
      else {
        times.push(atMs);
        values.push(value);
      }
    }
    this.#times = times;
    this.#values = values;
  }

  /** The value at a moment, changes of that very moment included. */
  at(atMs: number): number {
    return this.#values[this.#indexAt(atMs)] ?? 0;
  }

  /** The lowest value within a span. */
  min(span: Interval): number {
    let lowest = this.at(span.fromMs);
    for (let i = this.#indexAt(span.fromMs) + 1; i < this.#times.length; i++) {
      if ((this.#times[i] ?? 0) >= span.toMs) break;
      lowest = Math.min(lowest, this.#values[i] ?? 0);
    }
    return lowest;
  }

  /** The spans within `span` in which the value satisfies the condition, joined where they touch. */
  spans(span: Interval, holds: (value: number) => boolean): Interval[] {
    const found: { fromMs: number; toMs: number }[] = [];
    let fromMs = span.fromMs;
    for (let i = this.#indexAt(span.fromMs); fromMs < span.toMs; i++) {
      const toMs = Math.min(span.toMs, this.#times[i + 1] ?? span.toMs);
      if (toMs > fromMs && holds(i < 0 ? 0 : (this.#values[i] ?? 0))) {
        const last = found.at(-1);
        if (last && last.toMs === fromMs) last.toMs = toMs;
        else found.push({ fromMs, toMs });
      }
      fromMs = toMs;
    }
    return found;
  }

  max(span: Interval): number {
    let highest = this.at(span.fromMs);
    for (let i = this.#indexAt(span.fromMs) + 1; i < this.#times.length; i++) {
      if ((this.#times[i] ?? 0) >= span.toMs) break;
      highest = Math.max(highest, this.#values[i] ?? 0);
    }
    return highest;
  }

  /** Index of the last change at or before a moment, -1 before the first. */
  #indexAt(atMs: number): number {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.#times[mid] ?? 0) <= atMs) low = mid + 1;
      else high = mid;
    }
    return low - 1;
  }
}
