import type { LoadProgress } from '../model/ports.ts';

/** Sums over what the load has told since the last `reset`. */
export interface LoadTotals {
  readonly ok: number;
  readonly failed: number;
  readonly backlog: number;
  readonly p99Ms: number | null;
  readonly rps: number;
}

/** Follows the load's own progress, for the live view and for finding a rate. */
export class LoadWatch {
  /** Failed requests of the whole run. */
  failed = 0;
  /** Answers a second in the last report. */
  rps = 0;
  #since: LoadProgress[] = [];
  #lastAtMs: number | null = null;

  add(progress: LoadProgress): void {
    this.failed += progress.failed;
    if (this.#lastAtMs !== null && progress.atMs > this.#lastAtMs) {
      this.rps = (progress.ok / (progress.atMs - this.#lastAtMs)) * 1000;
    }
    this.#lastAtMs = progress.atMs;
    this.#since.push(progress);
  }

  reset(): void {
    this.#since = [];
  }

  totals(): LoadTotals {
    const list = this.#since;
    const spanMs = (list.at(-1)?.atMs ?? 0) - (list[0]?.atMs ?? 0);
    const ok = sum(list.slice(1).map((progress) => progress.ok));
    const p99s = list.flatMap((progress) => progress.p99Ms ?? []).sort((a, b) => a - b);
    return {
      ok,
      failed: sum(list.map((progress) => progress.failed)),
      backlog: list.at(-1)?.backlog ?? 0,
      p99Ms: p99s[Math.floor(p99s.length / 2)] ?? null,
      rps: spanMs > 0 ? (ok / spanMs) * 1000 : 0,
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
