import { formatMs } from '../../base/format.ts';
import type { WindowName } from '../../model/phase.ts';
import type { Measurement } from '../../model/ports.ts';
import { type Analysis, spansOf } from '../analysis/analyse.ts';
import { unexpectedExits } from '../analysis/faults.ts';
import { contains, lengthMs } from '../analysis/interval.ts';
import type { Span } from '../analysis/windows.ts';
import type { WorkerLife } from '../analysis/workers.ts';
import { checker, evidenceOf, listed, noSuchWindow, plural, unmeasured } from '../checker.ts';

/** A new worker may listen for a moment before the one it replaces is gone. */
const EXCESS_MS = 1000;

export const workerCheckers = [
  checker(
    'workers.ready',
    'count',
    ['recovery', 'baseline', 'chaos', 'run'],
    'The fewest workers that were ready, and under no fault, at any time of the window.',
    (analysis, window) =>
      overSpan(analysis, window, (span) => ({ value: analysis.readiness.usable.min(span), lives: [] })),
  ),
  checker(
    'workers.missing',
    'count',
    ['recovery', 'baseline', 'chaos', 'run'],
    'Slots without a ready worker at the end of the window.',
    (analysis, window) => overSpan(analysis, window, (span) => missing(analysis, span)),
  ),
  checker(
    'workers.excess',
    'count',
    ['run', 'chaos', 'recovery'],
    'Ready workers beyond the number asked for, for longer than a second; one that is under a fault, or that its supervisor is about to retire, does not count.',
    (analysis, window) => overSpan(analysis, window, (span) => excess(analysis, span)),
    { partial: 'grows' },
  ),
  checker(
    'workers.restarts',
    'count',
    ['run', 'chaos', 'recovery'],
    'Workers that were started after the server was ready.',
    (analysis, window) =>
      overSpan(analysis, window, (span) => {
        const lives = analysis.workers.filter((life) => life.respawned && contains(span, life.spawnedAtMs));
        return { value: lives.length, lives };
      }),
    { partial: 'grows' },
  ),
  checker(
    'workers.unexpectedExits',
    'count',
    ['run', 'baseline', 'chaos', 'recovery'],
    'Exits of workers that neither a fault nor their supervisor asked for, or that a fault was to leave unharmed.',
    (analysis, window) => overSpan(analysis, window, (span) => unexpected(analysis, window, span)),
    { partial: 'grows' },
  ),
];

interface Found {
  readonly value: number;
  readonly lives: readonly WorkerLife[];
  readonly reason?: string;
}

function overSpan(analysis: Analysis, window: WindowName, read: (span: Span) => Found): Measurement {
  const [span] = spansOf(analysis, window);
  if (span === undefined) return noSuchWindow(window);
  if (analysis.workers.length === 0) {
    return unmeasured('no worker was seen', 'look at the target’s own output in target.log');
  }
  const { value, lives, reason } = read(span);
  const evidence = evidenceOf(lives.flatMap((life) => life.evidence));
  return { value, samples: analysis.workers.length, evidence, ...(reason === undefined ? {} : { reason }) };
}

function missing({ workers, readiness }: Analysis, span: Span): Found {
  // The very end belongs to what comes after: the stop.
  const atMs = span.toMs - 1e-3;
  const slots = readiness.wanted.at(atMs);
  const value = Math.max(0, slots - readiness.usable.at(atMs));
  if (value === 0) return { value, lives: [] };
  const back = (slot: number): boolean =>
    workers.some(
      (life) =>
        life.slot === slot &&
        life.listeningAtMs !== null &&
        life.listeningAtMs <= atMs &&
        (life.exit === null || life.exit.expected === 'stop' || life.exit.atMs > atMs),
    );
  const empty = [...new Set(workers.map((life) => life.slot))].filter((slot) => !back(slot));
  const lives = empty.flatMap((slot) => workers.findLast((life) => life.slot === slot) ?? []);
  const named = empty.length > 0 ? ` (slot ${empty.slice(0, 8).join(', ')})` : '';
  return {
    value,
    lives,
    reason: `${plural(value, 'slot')} of ${slots} had no ready worker at the end${named}`,
  };
}

function excess({ workers, readiness, slots }: Analysis, span: Span): Found {
  for (let value = readiness.surplus.max(span); value > 0; value--) {
    const tooMany = readiness.surplus.spans(span, (ready) => ready >= value);
    const longest = tooMany.find((it) => lengthMs(it) > EXCESS_MS);
    if (longest === undefined) continue;
    const lives = workers.filter((life) => life.slot > slots);
    const wanted = readiness.wanted.at(longest.fromMs);
    const reason = `${wanted + value} workers served in place of ${wanted} for ${formatMs(lengthMs(longest))} from ${formatMs(longest.fromMs)}`;
    return { value, lives, reason };
  }
  return { value: 0, lives: [] };
}

function unexpected({ faults, workers }: Analysis, window: WindowName, span: Span): Found {
  // What ended after the last phase, and before the stop, is nobody else's to find.
  const from = window === 'run' ? { fromMs: span.fromMs, toMs: Number.POSITIVE_INFINITY } : span;
  const lives = unexpectedExits(faults, workers).filter((life) => contains(from, life.exit?.atMs ?? 0));
  if (lives.length === 0) return { value: 0, lives };
  const each = lives.map((life) => {
    const how = life.exit?.signal ?? `code ${life.exit?.code ?? 'unknown'}`;
    const harmed = faults.find(
      (fault) =>
        fault.expect === 'survives' &&
        fault.episodes.some((it) => it.worker === life && it.exitAtMs !== null),
    );
    const why = harmed ? `did not survive ${harmed.id}` : 'ended by itself';
    return `slot ${life.slot} ${why} (${how}) at ${formatMs(life.exit?.atMs ?? 0)}`;
  });
  return { value: lives.length, lives, reason: listed(each) };
}
