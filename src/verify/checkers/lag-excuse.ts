import { formatMs } from '../../base/format.ts';
import type { WindowName } from '../../model/phase.ts';
import { type Analysis, spansOf } from '../analysis/analyse.ts';

/** A load that was late by this share of a limit can't say whether the server broke it. */
const LIMIT_SHARE = 0.5;

/** Why a limit in ms that was broken in this window says nothing: the load process itself was late. */
export function loadLagExcuse(analysis: Analysis, window: WindowName, limitMs: number): string | null {
  const lags = spansOf(analysis, window).map((span) => analysis.loadLag.p99(span) ?? 0);
  const lagMs = Math.max(0, ...lags);
  if (lagMs === 0 || lagMs < limitMs * LIMIT_SHARE) return null;
  return `the harness lagged: its load process sent ${formatMs(lagMs)} late (p99) in this window; run it on a quieter machine`;
}
