import type { WindowName } from '../model/phase.ts';
import type { CheckUnit } from '../model/report.ts';
import { CHECKERS } from './checkers/index.ts';

/** What an objective can be about. */
export interface Metric {
  readonly metric: string;
  /** One sentence. */
  readonly summary: string;
  readonly unit: CheckUnit;
  /** Where it can be measured; the first is the default. */
  readonly windows: readonly [WindowName, ...WindowName[]];
}

/** Every metric that an objective may name: what the checkers say of themselves. */
export const METRICS: readonly Metric[] = CHECKERS.map(({ metric, summary, unit, windows }) => ({
  metric,
  summary,
  unit,
  windows,
}));
