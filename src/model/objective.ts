import type { WindowName } from './phase.ts';

export const OPERATORS = ['<', '<=', '>', '>=', '==', '!='] as const;
export type Operator = (typeof OPERATORS)[number];

/** One thing that must hold, parsed from `'<metric>[@<window>] <op> <limit>'`. */
export interface Objective {
  /** The text as the user wrote it; the id of its check. */
  readonly text: string;
  readonly metric: string;
  /** The metric's own default window where the text names none. */
  readonly window: WindowName;
  readonly op: Operator;
  /** In the metric's unit: ms, bytes, a share (99.9% is 0.999) or a count. */
  readonly limit: number;
  /** A broken `warn` objective is shown, and does not fail the run. */
  readonly level: 'error' | 'warn';
}
