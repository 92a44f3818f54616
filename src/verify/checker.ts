import type { WindowName } from '../model/phase.ts';
import type { Checker, Measurement } from '../model/ports.ts';
import type { CheckUnit } from '../model/report.ts';
import type { Analysis } from './analysis/analyse.ts';

/** A checker of this tool: a `Checker` that also says how its number may be read. */
export interface VerifyChecker extends Checker<Analysis> {
  /**
   * How a window that was cut short is read. `grows`: the number can only have become larger, so that what is broken
   * stays broken. `final`: it does not depend on the window. `unknown` (default): nothing can be told.
   */
  readonly partial?: 'grows' | 'final' | 'unknown';
  /**
   * Its interval is an error of measurement, so that a limit within the interval is inconclusive. Without it the
   * interval is one of sampling: the number itself may pass, and fails only if the whole interval does.
   */
  readonly strict?: true;
  /** Why a broken limit says nothing about the server; `null` where it does. */
  readonly excuse?: (analysis: Analysis, window: WindowName, limit: number) => string | null;
}

type Windows = readonly [WindowName, ...WindowName[]];

/** The parts of a checker in the order in which one reads them. */
export function checker(
  metric: string,
  unit: CheckUnit,
  windows: Windows,
  summary: string,
  measure: (analysis: Analysis, window: WindowName) => Measurement,
  reading: Pick<VerifyChecker, 'partial' | 'strict' | 'excuse'> = {},
): VerifyChecker {
  return { metric, unit, windows, summary, measure, ...reading };
}

/** Where requests can be counted. */
export const REQUEST_WINDOWS = ['baseline', 'chaos', 'recovery', 'fault'] as const satisfies Windows;

/** No number; `hint` says what to do about it. */
export function unmeasured(what: string, hint?: string): Measurement {
  return { value: null, reason: hint === undefined ? what : `${what}; ${hint}` };
}

export function noSuchWindow(window: WindowName): Measurement {
  return window === 'fault'
    ? unmeasured('no fault was injected', 'look at the fault table for what went wrong')
    : unmeasured(
        `the run has no ${window === 'run' ? 'judged' : window} phase`,
        'it ended before that began',
      );
}

export const NO_REQUESTS = unmeasured(
  'no request was due in this window',
  'look at the load in the journal: its rate, its errors',
);

/** How many records a check points to at most. */
const EVIDENCE_MAX = 20;

export function evidenceOf(seqs: Iterable<number>): number[] {
  return [...new Set(seqs)].sort((a, b) => a - b).slice(0, EVIDENCE_MAX);
}

/** `1 worker`, `3 workers`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** At most this many things are named in one sentence. */
const NAMED_MAX = 3;

export function listed(things: readonly string[]): string {
  const rest = things.length - NAMED_MAX;
  const named = things.slice(0, NAMED_MAX).join('; ');
  return rest > 0 ? `${named}; and ${rest} more` : named;
}
