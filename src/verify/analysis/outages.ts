import type { LoadSpec } from '../../model/scenario.ts';
import type { FaultRecord } from './faults.ts';
import { type Interval, lengthMs, overlapMs } from './interval.ts';
import type { LoadLag } from './load-lag.ts';
import type { Recovery } from './recovery.ts';
import type { Rows } from './rows.ts';
import { findSilences, type Silence } from './silences.ts';
import type { StepLine } from './step-line.ts';
import type { Span } from './windows.ts';

/** A time in which requests were due and none got a right answer. */
export interface Outage extends Silence {
  /** On connections of their own, else on kept ones. */
  readonly fresh: boolean;
  /** Index into the faults, -1 for none. */
  readonly fault: number;
  /** The longest part of it in which a ready worker without a fault was there, ms. */
  readonly avoidableMs: number;
  /** One was there all the time. */
  readonly avoidable: boolean;
}

export interface Outages {
  /** Longest first. */
  readonly list: readonly Outage[];
  /** A shorter silence is not told from chance, ms. */
  readonly thresholdMs: number;
  /** The arrivals that silence was looked for in. */
  readonly witnesses: number;
}

/** A fault's consequences are its own until this long after its last known step. */
const AFTERMATH_MS = 1000;

const CLOSED_LANES_MIN = 8;

export interface OutageInput {
  readonly load: Pick<LoadSpec, 'mode' | 'connections' | 'freshShare'>;
  readonly rows: Rows;
  readonly loadLag: LoadLag;
  readonly run: Span | null;
  readonly baseline: Span | null;
  readonly usable: StepLine;
  readonly faults: readonly FaultRecord[];
  readonly recoveries: readonly Recovery[];
}

/** Finds the outages of fresh and of kept connections, each by the gaps between its right answers. */
export function findOutages(input: OutageInput): Outages {
  const { run, baseline } = input;
  if (run === null) return { list: [], thresholdMs: 0, witnesses: 0 };
  const list: Outage[] = [];
  let thresholdMs = 0;
  let witnesses = 0;
  for (const fresh of [true, false]) {
    if (!isWitness(input.load, fresh)) continue;
    const silences = findSilences(input, fresh, { run, calm: baseline ?? run });
    if (silences === null) continue;
    thresholdMs = Math.max(thresholdMs, silences.thresholdMs);
    witnesses += silences.witnesses;
    for (const silence of silences.list) list.push(outage(input, silence, fresh));
  }
  list.sort((a, b) => b.durationMs - a.durationMs || a.fromMs - b.fromMs);
  return { list: apart(list), thresholdMs, witnesses };
}

/** In a closed loop the few requests that a kill takes can hold all of a few connections; that is no silence. */
function isWitness({ mode, connections, freshShare }: OutageInput['load'], fresh: boolean): boolean {
  return mode === 'open' || connections * (fresh ? freshShare : 1 - freshShare) >= CLOSED_LANES_MIN;
}

function outage({ usable, faults, recoveries }: OutageInput, silence: Silence, fresh: boolean): Outage {
  const served = usable.spans(silence, (value) => value > 0);
  const avoidableMs = Math.max(0, ...served.map(lengthMs));
  return {
    ...silence,
    fresh,
    fault: faultOf(silence, faults, recoveries),
    avoidableMs: Math.min(avoidableMs, silence.durationMs),
    avoidable: avoidableMs >= lengthMs(silence),
  };
}

/** The fault whose time overlaps the silence most; of equals the later one. */
function faultOf(silence: Interval, faults: readonly FaultRecord[], recoveries: readonly Recovery[]): number {
  let best = -1;
  let most = 0;
  for (const [index, { injectedAtMs, healedAtMs, doneAtMs, episodes }] of faults.entries()) {
    if (injectedAtMs === null) continue;
    const lastMs = Math.max(
      injectedAtMs + (recoveries[index]?.recoveryMs ?? 0),
      healedAtMs ?? injectedAtMs,
      doneAtMs ?? injectedAtMs,
      ...episodes.map((episode) => episode.endMs),
    );
    const shared = overlapMs(silence, { fromMs: injectedAtMs, toMs: lastMs + AFTERMATH_MS });
    if (shared > 0 && shared >= most) {
      best = index;
      most = shared;
    }
  }
  return best;
}

/** One incident that both kinds of connections saw counts once, as the longer of the two. */
function apart(list: readonly Outage[]): Outage[] {
  return list.filter(
    (outage, index) =>
      !list.slice(0, index).some((longer) => longer.fresh !== outage.fresh && overlapMs(longer, outage) > 0),
  );
}
