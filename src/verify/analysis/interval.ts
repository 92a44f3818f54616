/** A span of the run's clock: `fromMs` belongs to it, `toMs` does not. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

export function lengthMs({ fromMs, toMs }: Interval): number {
  return Math.max(0, toMs - fromMs);
}

export function contains({ fromMs, toMs }: Interval, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

/** How long two spans overlap, ms; 0 where they do not. */
export function overlapMs(a: Interval, b: Interval): number {
  return Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));
}
