import { formatMs } from '../../base/format.ts';
import type { Measurement } from '../../model/ports.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { contains, type Interval } from '../analysis/interval.ts';
import { groupValues, quantile, quantileOfSorted } from '../analysis/quantiles.ts';
import { isFresh, KIND, type Rows } from '../analysis/rows.ts';
import type { WorkerLife } from '../analysis/workers.ts';
import { checker, evidenceOf, listed, noSuchWindow, unmeasured } from '../checker.ts';

/** A worker has had its chance when it listened for this long … */
const SILENT_AFTER_MS = 3000;
/** … and an even share of the new connections of that time was this many. */
const SHARE_MIN = 20;
/** Fewer answers give no median worth comparing. */
const ANSWERS_MIN = 30;
/** Differences below these say more about a machine than about a worker. */
const FLOOR_MS = 5;
const FLOOR_LAGS = 2;
/** A crash loop has hundreds of generations: the slowest of them are enough to find the worst. */
const COMPARED_MAX = 50;

export const generationCheckers = [
  checker(
    'generations.silent',
    'count',
    ['run'],
    'Respawned workers that listened for 3 s or more under load and never gave an answer.',
    silent,
    { partial: 'grows' },
  ),
  checker(
    'generations.slowdown',
    'factor',
    ['run'],
    'Median time to serve of the slowest respawned worker after its first second, against baseline, its old peers at that time, or 5 ms, whichever is most.',
    slowdown,
    { partial: 'grows' },
  ),
];

/** Why nothing can be said about single workers; that is no fault of theirs. */
function unseen({ journal, rows }: Analysis, needsEvenShare: boolean): string | null {
  if (journal.ready?.visibility === 'process-table') {
    return 'not looked at: without an agent it is not known which worker answers';
  }
  if (needsEvenShare && journal.ready?.scheduling !== 'rr') {
    return 'not looked at: the kernel shares out connections here, and may leave a healthy worker without any';
  }
  for (let row = 0; row < rows.count; row++) if (isFresh(rows, row)) return null;
  return 'not looked at: only new connections reach a new worker, and this load keeps its own';
}

const nothing = (reason: string): Measurement => ({ value: 0, samples: 0, evidence: [], reason });

function silent(analysis: Analysis): Measurement {
  const { journal, rows, windows, workers, workerRows } = analysis;
  if (windows.spans.run === null) return noSuchWindow('run');
  if (rows.count === 0 || journal.ready === null) return unmeasured('no request was sent');
  const blind = unseen(analysis, true);
  if (blind !== null) return nothing(blind);
  const respawned = workers.flatMap((life, index) => (life.respawned ? [{ life, index }] : []));
  if (respawned.length === 0) return nothing('no worker was respawned');
  const judged = respawned.filter(({ life }) => hadItsChance(analysis, life));
  const deaf = judged.filter(({ index }) => workerRows.requests[index] === 0).map(({ life }) => life);
  const names = deaf.map(
    (life) =>
      `slot ${life.slot}, generation ${life.generation} (pid ${life.pid}) listened and never answered`,
  );
  return {
    value: deaf.length,
    samples: judged.length,
    evidence: evidenceOf(deaf.flatMap((life) => life.evidence)),
    ...(deaf.length > 0 ? { reason: listed(names) } : {}),
  };
}

/** Whether it was there long enough, under no fault, with enough new connections for each worker. */
function hadItsChance({ rows, faults, slots, windows }: Analysis, life: WorkerLife): boolean {
  if (life.listeningAtMs === null) return false;
  const held = faults.flatMap((fault) => fault.episodes).filter((episode) => episode.worker === life);
  const toMs = Math.min(
    windows.spans.run?.toMs ?? 0,
    life.exit?.atMs ?? Number.POSITIVE_INFINITY,
    ...held.map((episode) => episode.injectedAtMs),
  );
  if (toMs - life.listeningAtMs < SILENT_AFTER_MS) return false;
  const span = { fromMs: life.listeningAtMs, toMs };
  const { dueMs } = rows.samples.columns;
  let arrivals = 0;
  for (let row = 0; row < rows.count; row++) {
    if (rows.kind[row] === KIND.ok && isFresh(rows, row) && contains(span, dueMs[row] ?? 0)) arrivals++;
  }
  return arrivals / Math.max(1, slots) >= SHARE_MIN;
}

function slowdown(analysis: Analysis): Measurement {
  const { workers, workerRows, windows, loadLag } = analysis;
  const { run, baseline } = windows.spans;
  if (run === null || baseline === null) return noSuchWindow('baseline');
  if (analysis.rows.count === 0) return unmeasured('no request was sent');
  if (analysis.journal.start.scenario.load.mode === 'closed') {
    return nothing(
      'not looked at: in a closed loop a worker is as slow as the connections that it happens to hold are many',
    );
  }
  const blind = unseen(analysis, false);
  if (blind !== null) return nothing(blind);
  const before = quantile(
    servedMs(analysis.rows, baseline, () => true),
    0.5,
  );
  if (Number.isNaN(before)) return unmeasured('baseline has no answers to compare with');
  const lagMs = Math.max(loadLag.typicalP50(baseline) ?? 0, loadLag.typicalP50(run) ?? 0);
  const baseMs = Math.max(before, FLOOR_MS, FLOOR_LAGS * lagMs);
  const slowest = workers
    .map((life, index) => ({ life, served: groupValues(workerRows.servedFreshWarm, index) }))
    .filter(({ life, served }) => life.respawned && served.length >= ANSWERS_MIN)
    .map(({ life, served }) => ({ life, samples: served.length, ms: quantileOfSorted(served, 0.5) }))
    .sort((a, b) => b.ms - a.ms);
  if (slowest.length === 0) return nothing('no respawned worker gave enough answers to compare');
  const compared = slowest.slice(0, COMPARED_MAX).map((it) => {
    const peersMs = it.ms > baseMs ? peersServedMs(analysis, it.life) : Number.NaN;
    const againstMs = Math.max(baseMs, Number.isNaN(peersMs) ? 0 : peersMs);
    return { ...it, againstMs, factor: it.ms / againstMs };
  });
  const { life, ms, factor, againstMs } = compared.reduce((a, b) => (b.factor > a.factor ? b : a));
  return {
    value: factor,
    samples: slowest.reduce((sum, it) => sum + it.samples, 0),
    evidence: evidenceOf(life.evidence),
    reason: `slot ${life.slot}, generation ${life.generation} served in ${formatMs(ms)} (median), against ${formatMs(againstMs)}`,
  };
}

/**
 * Median time to serve of the workers that were never replaced, while this one lived: what slows all of them is the
 * machine, or the server, and not this generation. NaN where there were too few.
 */
function peersServedMs({ rows, workers, workerRows, endMs }: Analysis, life: WorkerLife): number {
  const span = { fromMs: life.listeningAtMs ?? endMs, toMs: life.exit?.atMs ?? endMs };
  const values = servedMs(rows, span, (row) => workers[workerRows.workerOf[row] ?? -1]?.respawned === false);
  return values.length < ANSWERS_MIN ? Number.NaN : quantile(values, 0.5);
}

/** Sent to answered of the new connections of a span, ms. */
function servedMs(rows: Rows, span: Interval, counts: (row: number) => boolean): Float32Array {
  const { dueMs, latencyMs, sendDelayMs } = rows.samples.columns;
  const values = new Float32Array(rows.count);
  let count = 0;
  for (let row = 0; row < rows.count; row++) {
    if (rows.kind[row] !== KIND.ok || !isFresh(rows, row) || !contains(span, dueMs[row] ?? 0)) continue;
    if (counts(row)) values[count++] = (latencyMs[row] ?? 0) - (sendDelayMs[row] ?? 0);
  }
  return values.subarray(0, count);
}
