import { FLAG_FRESH, OUTCOMES, type Samples } from '../../model/samples.ts';
import type { RequestSpec } from '../../model/scenario.ts';
import type { Expectations } from './expectations.ts';

/**
 * What a row is judged to be. `gateway`: 502, 503 or 504 from no known worker, so that a proxy in front of the
 * workers has said it. `aborted` counts as nothing.
 */
export const KINDS = [
  'ok',
  'wrong-status',
  'wrong-body',
  'gateway',
  'refused',
  'reset',
  'closed',
  'cut',
  'timeout',
  'expired',
  'other',
  'aborted',
] as const;
export type Kind = (typeof KINDS)[number];

export const KIND: Readonly<Record<Kind, number>> = Object.fromEntries(
  KINDS.map((kind, index) => [kind, index]),
) as Record<Kind, number>;

/** By outcome. */
const KIND_OF_OUTCOME = OUTCOMES.map((outcome) => KIND[outcome]);

/** Accessors of one row; `row` is its index in the columns. */
export interface Rows {
  readonly count: number;
  readonly samples: Samples;
  /** Index into `KINDS`. */
  readonly kind: Uint8Array;
}

export function endOf({ samples: { columns } }: Rows, row: number): number {
  return (columns.dueMs[row] ?? 0) + (columns.latencyMs[row] ?? 0);
}

/** When it was sent; its due time where it never was. */
export function sentOf({ samples: { columns } }: Rows, row: number): number {
  const delay = columns.sendDelayMs[row] ?? 0;
  return (columns.dueMs[row] ?? 0) + (Number.isNaN(delay) ? 0 : delay);
}

export function isFresh({ samples: { columns } }: Rows, row: number): boolean {
  return ((columns.flags[row] ?? 0) & FLAG_FRESH) !== 0;
}

/** Failed: due, not aborted by us, and without the right answer. */
export function isFailure(kind: number): boolean {
  return kind !== KIND.ok && kind !== KIND.aborted;
}

/** Judges every row by what was expected of its request. */
export function classifyRows(
  samples: Samples,
  requests: readonly RequestSpec[],
  expectations: Expectations,
  workerPids: ReadonlySet<number>,
): Rows {
  const { columns, bodies } = samples;
  const { count } = columns;
  const kind = new Uint8Array(count);
  for (let row = 0; row < count; row++) {
    const byOutcome = KIND_OF_OUTCOME[columns.outcome[row] ?? 0] ?? KIND.other;
    if (byOutcome !== KIND.ok) {
      kind[row] = byOutcome;
      continue;
    }
    const request = columns.request[row] ?? 0;
    const status = columns.status[row] ?? 0;
    const named = requests[request]?.expectStatus ?? null;
    if (named === null ? !expectations.statusFits(request, status) : !named.includes(status)) {
      const gateway = status >= 502 && status <= 504 && !workerPids.has(columns.worker[row] ?? 0);
      kind[row] = gateway ? KIND.gateway : KIND['wrong-status'];
      continue;
    }
    const accepted = bodies[columns.body[row] ?? 0]?.accepted ?? null;
    if (accepted === false || (accepted === null && !expectations.bodyFits(row))) {
      kind[row] = KIND['wrong-body'];
    }
  }
  return { count, samples, kind };
}
