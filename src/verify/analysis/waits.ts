import { contains, type Interval } from './interval.ts';
import { KIND, type Rows } from './rows.ts';
import { waited } from './seconds.ts';

/** What happened to the requests that were due in one span. */
export interface Counts {
  /** All but those that we aborted ourselves. */
  readonly requests: number;
  readonly ok: number;
  readonly failed: number;
}

/** Exact waits and counts over any span; each span is computed once. */
export class Waits {
  readonly #rows: Rows;
  readonly #sorted = new Map<string, Float32Array>();
  readonly #counts = new Map<string, Counts>();

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** The sorted waits, due to end, of the requests that were due in the span, ms. */
  sorted(span: Interval): Float32Array {
    return remembered(this.#sorted, span, () => {
      const { dueMs, latencyMs } = this.#rows.samples.columns;
      const values = new Float32Array(this.counts(span).requests);
      let count = 0;
      for (let row = 0; row < this.#rows.count; row++) {
        if (!waited(this.#rows.kind[row] ?? 0) || !contains(span, dueMs[row] ?? 0)) continue;
        values[count++] = latencyMs[row] ?? 0;
      }
      return values.slice(0, count).sort();
    });
  }

  counts(span: Interval): Counts {
    return remembered(this.#counts, span, () => {
      const { dueMs } = this.#rows.samples.columns;
      let requests = 0;
      let ok = 0;
      for (let row = 0; row < this.#rows.count; row++) {
        const kind = this.#rows.kind[row];
        if (kind === KIND.aborted || !contains(span, dueMs[row] ?? 0)) continue;
        requests++;
        if (kind === KIND.ok) ok++;
      }
      return { requests, ok, failed: requests - ok };
    });
  }
}

function remembered<T>(known: Map<string, T>, { fromMs, toMs }: Interval, compute: () => T): T {
  const key = `${fromMs}:${toMs}`;
  const value = known.get(key) ?? compute();
  known.set(key, value);
  return value;
}
