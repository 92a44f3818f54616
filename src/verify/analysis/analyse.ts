import type { WindowName } from '../../model/phase.ts';
import type { JudgeInput } from '../../model/ports.ts';
import { type Attribution, attribute } from './attribution.ts';
import { learnExpectations } from './expectations.ts';
import { type FaultRecord, faultRecords } from './faults.ts';
import { measureGoodput } from './goodput.ts';
import { indexJournal, type JournalIndex } from './journal-index.ts';
import { type LoadLag, measureLoadLag } from './load-lag.ts';
import { findOutages, type Outages } from './outages.ts';
import { type Readiness, readinessOf } from './readiness.ts';
import { type Recovery, recoveries } from './recovery.ts';
import { classifyRows, type Rows } from './rows.ts';
import { bySecond, type Seconds } from './seconds.ts';
import { Waits } from './waits.ts';
import { wantedWorkers } from './wanted.ts';
import { findWindows, type Span, type Windows } from './windows.ts';
import { rowsByWorker, type WorkerRows } from './worker-rows.ts';
import { type WorkerLife, workerLives } from './workers.ts';

/** The analysed evidence of one run: all that checkers and the report read. */
export interface Analysis {
  readonly journal: JournalIndex;
  readonly windows: Windows;
  readonly rows: Rows;
  readonly workers: readonly WorkerLife[];
  readonly workerRows: WorkerRows;
  readonly faults: readonly FaultRecord[];
  readonly readiness: Readiness;
  readonly attribution: Attribution;
  /** One a fault, in the same order. */
  readonly recoveries: readonly Recovery[];
  readonly outages: Outages;
  readonly seconds: Seconds;
  readonly waits: Waits;
  readonly loadLag: LoadLag;
  /** Slots that the server started with. */
  readonly slots: number;
  /** When the last evidence was recorded, ms. */
  readonly endMs: number;
}

/**
 * Reads journal and samples once, in passes over typed columns. The input is left as it is.
 * @throws ChaosError 'usage' for a journal without the start of a run
 */
export function analyse({ journal: events, samples }: JudgeInput): Analysis {
  const journal = indexJournal(events);
  const lastRowMs = lastEnd(samples.columns);
  const windows = findWindows(journal, lastRowMs);
  const endMs = Math.max(journal.lastAtMs, lastRowMs);
  const requests = journal.start.scenario.load.requests;
  const workers = workerLives(journal);
  const workerPids = new Set(workers.map((worker) => worker.pid));
  const rows = classifyRows(samples, requests, learnExpectations(samples, windows.calmUntilMs), workerPids);
  const faults = faultRecords({ journal, windows, workers });
  const bootMs = journal.ready?.bootMs ?? 0;
  const readyAtMs = journal.ready?.atMs ?? 0;
  const slots = journal.ready?.workers ?? journal.plan.workers;
  const readiness = readinessOf({
    workers,
    faults,
    bootMs,
    readyAtMs,
    evidenceEndMs: endMs,
    wanted: wantedWorkers(journal, slots),
  });
  const { load } = journal.start.scenario;
  const loadLag = measureLoadLag(rows, endMs);
  const attribution = attribute({
    rows,
    faults,
    readiness,
    workerPids,
    load,
    ratePerSecond: journal.of('load.rate').at(-1)?.ratePerSecond ?? load.ratePerSecond,
    lagMs: (windows.spans.run && loadLag.p99(windows.spans.run)) ?? 0,
  });
  const workerRows = rowsByWorker(rows, workers);
  const { run, baseline, recovery } = windows.spans;
  const recovered = recoveries({
    faults,
    workers,
    workerRows,
    wanted: readiness.wanted,
    goodput: measureGoodput(rows, baseline, endMs),
    bootMs,
    evidenceEndMs: journal.lastAtMs,
    // A completed run without its last phase is one whose server ended by itself: nothing can come back any more.
    ranToEnd: recovery?.complete === true || journal.end?.outcome === 'completed',
  });
  return {
    journal,
    windows,
    rows,
    workers,
    workerRows,
    faults,
    readiness,
    attribution,
    recoveries: recovered,
    outages: findOutages({
      load,
      rows,
      loadLag,
      run,
      baseline,
      usable: readiness.usable,
      faults,
      recoveries: recovered,
    }),
    seconds: bySecond(rows, endMs),
    waits: new Waits(rows),
    loadLag,
    slots,
    endMs,
  };
}

function lastEnd(columns: JudgeInput['samples']['columns']): number {
  let last = 0;
  for (let row = 0; row < columns.count; row++) {
    const end = (columns.dueMs[row] ?? 0) + (columns.latencyMs[row] ?? 0);
    if (end > last) last = end;
  }
  return last;
}

/** The spans that a window stands for: one, or with `fault` one an injected fault; none where the run has no such part. */
export function spansOf(
  { windows, faults, recoveries, endMs }: Analysis,
  window: WindowName,
): readonly Span[] {
  if (window !== 'fault') {
    const span = windows.spans[window];
    return span === null ? [] : [span];
  }
  return faults.flatMap((fault, index): Span[] => {
    if (fault.injectedAtMs === null) return [];
    const recoveryMs = recoveries[index]?.recoveryMs ?? 0;
    const lastMs = Math.max(
      fault.injectedAtMs + recoveryMs,
      fault.healedAtMs ?? 0,
      fault.doneAtMs ?? 0,
      ...fault.episodes.map((episode) => episode.endMs),
    );
    // Goodput comes back after the worker does.
    const toMs = lastMs + EPISODE_TAIL_MS;
    return [{ fromMs: fault.injectedAtMs, toMs: Math.min(toMs, endMs), complete: toMs <= endMs }];
  });
}

const EPISODE_TAIL_MS = 1000;
