import { type Episode, type FaultRecord, faultOfExit, lostItsPrimary } from './faults.ts';
import type { Interval } from './interval.ts';
import { type Change, StepLine } from './step-line.ts';
import type { WorkerLife } from './workers.ts';

/** How many workers could serve, over time. */
export interface Readiness {
  /** Alive and listening, whatever else holds for them. */
  readonly listening: StepLine;
  /** Listening, and under no fault. */
  readonly usable: StepLine;
  /** Usable, and not about to be retired by their own supervisor. */
  readonly staying: StepLine;
  /** Those that the server should have: what it started with, until it is asked to scale. */
  readonly wanted: StepLine;
  /** Staying, beyond those wanted; below 0 where some are missing. */
  readonly surplus: StepLine;
  /** Spans without any usable worker, where faults took all of them, with the last such fault. */
  readonly taken: readonly TakenSpan[];
}

export interface TakenSpan extends Interval {
  /** Index into the faults. */
  readonly fault: number;
}

/** How long after the faults let go the lack of workers is still theirs, on top of two boots, ms. */
const RETURN_GRACE_MS = 5000;

/** A worker that was told to go drains for this long at the most, and its successor serves already, ms. */
const RETIRING_MS = 10_000;

export interface ReadinessInput {
  readonly workers: readonly WorkerLife[];
  readonly faults: readonly FaultRecord[];
  readonly bootMs: number;
  readonly readyAtMs: number;
  readonly evidenceEndMs: number;
  /** How the number of workers that the server should have changes. */
  readonly wanted: readonly Change[];
}

export function readinessOf(input: ReadinessInput): Readiness {
  const { workers, faults } = input;
  const listening: Change[] = [];
  const usable: Change[] = [];
  const staying: Change[] = [];
  const episodes = faults.flatMap((fault) => fault.episodes);
  for (const worker of workers) {
    const fromMs = worker.listeningAtMs;
    if (fromMs === null) continue;
    // The stop at the end of the run takes no worker away from the service: the load has ended by then.
    const stopped = worker.exit === null || worker.exit.expected === 'stop';
    const toMs = stopped ? Number.POSITIVE_INFINITY : Math.max(fromMs, worker.exit.atMs);
    span(listening, fromMs, toMs);
    // Without its primary nothing new reaches it, however long it lives.
    const lost = episodes.filter((episode) => lostItsPrimary(worker, episode));
    const servesToMs = Math.min(toMs, ...lost.map((episode) => Math.max(fromMs, episode.exitAtMs ?? toMs)));
    let freeMs = fromMs;
    const held = episodes
      .filter((episode) => episode.worker === worker)
      .sort((a, b) => a.injectedAtMs - b.injectedAtMs);
    for (const { injectedAtMs, endMs } of held) {
      if (injectedAtMs > freeMs) {
        span(usable, freeMs, Math.min(injectedAtMs, servesToMs));
        span(staying, freeMs, Math.min(injectedAtMs, servesToMs));
      }
      freeMs = Math.max(freeMs, endMs);
    }
    if (freeMs < servesToMs) span(usable, freeMs, servesToMs);
    const stayMs = worker.exit?.expected === 'supervisor' ? toMs - RETIRING_MS : toMs;
    if (freeMs < Math.min(stayMs, servesToMs)) span(staying, freeMs, Math.min(stayMs, servesToMs));
  }
  const line = new StepLine(usable);
  return {
    listening: new StepLine(listening),
    usable: line,
    staying: new StepLine(staying),
    wanted: new StepLine(input.wanted),
    surplus: new StepLine([...staying, ...input.wanted.map(({ atMs, by }) => ({ atMs, by: -by }))]),
    taken: takenSpans(input, line, episodes),
  };
}

function span(changes: Change[], fromMs: number, toMs: number): void {
  changes.push({ atMs: fromMs, by: 1 }, { atMs: toMs, by: -1 });
}

function takenSpans(input: ReadinessInput, usable: StepLine, episodes: readonly Episode[]): TakenSpan[] {
  const all = { fromMs: input.readyAtMs, toMs: input.evidenceEndMs };
  const spans: TakenSpan[] = [];
  for (const gap of usable.spans(all, (value) => value <= 0)) {
    const before = episodes.filter((episode) => episode.injectedAtMs <= gap.fromMs + 1);
    const last = before.at(-1);
    if (last === undefined || !allTakenByFaults(input, gap.fromMs)) continue;
    // Later faults can hit those that were just coming back.
    const involved = episodes.filter((it) => it.injectedAtMs <= gap.toMs && it.endMs >= gap.fromMs);
    const heldMs = Math.max(last.replaceableAtMs, ...involved.map((episode) => episode.replaceableAtMs));
    const boundMs = heldMs + 2 * input.bootMs + RETURN_GRACE_MS;
    spans.push({ fromMs: gap.fromMs, toMs: Math.min(gap.toMs, boundMs), fault: last.fault });
  }
  return spans;
}

/** Whether in every slot the worker that served last is held, or was ended, by a fault. */
function allTakenByFaults({ workers, faults }: ReadinessInput, atMs: number): boolean {
  const served = new Map<number, WorkerLife>();
  for (const worker of workers) {
    if (worker.listeningAtMs !== null && worker.listeningAtMs <= atMs) served.set(worker.slot, worker);
  }
  return [...served.values()].every((worker) => {
    const held = faults.some((fault) =>
      fault.episodes.some((it) => it.worker === worker && it.injectedAtMs <= atMs + 1 && it.endMs >= atMs),
    );
    return held || (worker.exit !== null && faultOfExit(faults, worker) !== null);
  });
}
