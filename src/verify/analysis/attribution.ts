import { FLAG_FRESH } from '../../model/samples.ts';
import type { LoadSpec } from '../../model/scenario.ts';
import type { Episode, FaultRecord } from './faults.ts';
import type { Readiness, TakenSpan } from './readiness.ts';
import { endOf, isFailure, KIND, type Rows, sentOf } from './rows.ts';

/** What a fault did to a request that failed. */
export const CAUSES = [
  'unattributed',
  'in-flight-at-kill',
  'lost-hand-off',
  'stuck-on-hung-worker',
  'no-worker-left',
  'primary-down',
] as const;
export type Cause = (typeof CAUSES)[number];
export const CAUSE: Readonly<Record<Cause, number>> = {
  unattributed: 0,
  'in-flight-at-kill': 1,
  'lost-hand-off': 2,
  'stuck-on-hung-worker': 3,
  'no-worker-left': 4,
  'primary-down': 5,
};

/** For the rows that failed; 0 and -1 for all others. */
export interface Attribution {
  /** Index into `CAUSES`. */
  readonly cause: Uint8Array;
  /** Index into the faults, -1 for none. */
  readonly fault: Int16Array;
}

/** The time from a deed to its record, on a quiet machine; how late the load was is added, up to a bound. */
const SLACK_MS = 50;
const SLACK_LAG_MS_MAX = 200;
/** How often a kept connection is used again, at the least: Node's own servers close it after 5 s. */
const KEPT_IDLE_MS_MAX = 5000;
/** A stamp is taken after the deed, by this much at most. */
const STAMP_MS = 1;
/** A connection of a dead process ends with it; what ends later than this had another reason. */
const CLOSED_AFTER_EXIT_MS = 1000;
/** Node loses about one connection a kill while the primary hands it over (RoundRobinHandle.handoff); more is not Node's. */
const LOST_HAND_OFFS_MAX = 2;
/** A hand-off waits in the victim's channel while it has no time to read: so long before its death, at the most. */
const HAND_OFF_WAITS_MS = 1000;
/** A killed process is gone by then; assumed where the evidence ends before its exit. */
const EXIT_ASSUMED_MS = 2000;

export interface AttributionInput {
  readonly rows: Rows;
  readonly faults: readonly FaultRecord[];
  readonly readiness: Readiness;
  /** Pids of all workers: an answer of somebody else, such as a proxy, names no worker. */
  readonly workerPids: ReadonlySet<number>;
  readonly load: Pick<LoadSpec, 'timeoutMs' | 'connections' | 'freshShare'>;
  readonly ratePerSecond: number | null;
  /** p99 of how late the load process was, ms. */
  readonly lagMs: number;
}

interface Bounds {
  readonly timeoutMs: number;
  readonly slackMs: number;
  /** How long a kept connection may wait for its next request. */
  readonly keptIdleMs: number;
}

interface Held extends Episode {
  readonly noticedBoundMs: number;
  readonly exitBoundMs: number;
  handOffs: number;
}

/**
 * Explains each failed request by what the faults must do to requests, whatever the supervisor does:
 * - `in-flight-at-kill`: it was on the killed worker, or on one not known, between injection and the notice of the death,
 *   and ended with it;
 * - `stuck-on-hung-worker`: it was on the hung worker, or on one not known, during the hang;
 * - `lost-hand-off`: a connection given to a worker that died before it could take it, see LOST_HAND_OFFS_MAX;
 * - `no-worker-left`: faults had taken every worker, and the supervisor's time to bring one back was not over;
 * - `primary-down`: a fault had killed the primary, and the server that was started again did not serve yet.
 *
 * A wrong status or body, and a request on another worker than the victim, is never explained.
 */
export function attribute(input: AttributionInput): Attribution {
  const { rows, faults } = input;
  const cause = new Uint8Array(rows.count);
  const fault = new Int16Array(rows.count).fill(-1);
  const held = faults.flatMap((record) => record.episodes).map(withBounds);
  const bounds = boundsOf(input);
  const { worker, flags } = rows.samples.columns;
  for (let row = 0; row < rows.count; row++) {
    const kind = rows.kind[row] ?? 0;
    if (!isFailure(kind) || kind === KIND['wrong-status'] || kind === KIND['wrong-body']) continue;
    const facts: FailedRow = {
      kind,
      pid: input.workerPids.has(worker[row] ?? 0) ? (worker[row] ?? 0) : 0,
      fresh: ((flags[row] ?? 0) & FLAG_FRESH) !== 0,
      dueMs: rows.samples.columns.dueMs[row] ?? 0,
      sentMs: sentOf(rows, row),
      endMs: endOf(rows, row),
    };
    const found = explain(facts, { held, taken: input.readiness.taken, bounds });
    if (found === null) continue;
    cause[row] = CAUSE[found.cause];
    fault[row] = found.fault;
  }
  return { cause, fault };
}

function withBounds(episode: Episode): Held {
  return {
    ...episode,
    exitBoundMs: episode.exitAtMs ?? Math.min(episode.endMs, episode.injectedAtMs + EXIT_ASSUMED_MS),
    noticedBoundMs: episode.noticedAtMs ?? Math.min(episode.endMs, episode.injectedAtMs + EXIT_ASSUMED_MS),
    handOffs: 0,
  };
}

function boundsOf({ load, ratePerSecond, lagMs }: AttributionInput): Bounds {
  const slackMs = SLACK_MS + Math.min(SLACK_LAG_MS_MAX, lagMs);
  const keptRate = (ratePerSecond ?? 0) * (1 - load.freshShare);
  // Idle connections are used in turn; twice the time of one turn leaves room for a burst in between.
  const turnMs = keptRate > 0 ? (2 * load.connections * 1000) / keptRate : 0;
  return { timeoutMs: load.timeoutMs, slackMs, keptIdleMs: Math.min(KEPT_IDLE_MS_MAX, turnMs) };
}

interface FailedRow {
  readonly kind: number;
  /** 0: not known. */
  readonly pid: number;
  readonly fresh: boolean;
  readonly dueMs: number;
  readonly sentMs: number;
  readonly endMs: number;
}

interface Explanation {
  readonly cause: Cause;
  readonly fault: number;
}

interface Suspects {
  readonly held: readonly Held[];
  readonly taken: readonly TakenSpan[];
  readonly bounds: Bounds;
}

function explain(row: FailedRow, { held, taken, bounds }: Suspects): Explanation | null {
  const known = row.pid !== 0;
  const handOff = !known && row.kind === KIND.timeout ? lostHandOff(row, held, bounds) : null;
  if (handOff) {
    handOff.handOffs++;
    return { cause: 'lost-hand-off', fault: handOff.fault };
  }
  for (const episode of held) {
    if (episode.tookPrimary) {
      if (primaryDown(episode, row, { taken, bounds }))
        return { cause: 'primary-down', fault: episode.fault };
      continue;
    }
    if (known && episode.pid !== row.pid) continue;
    if (episode.hang && stuck(episode, row, bounds)) {
      return { cause: 'stuck-on-hung-worker', fault: episode.fault };
    }
    if (!episode.hang && inFlight(episode, row, bounds)) {
      return { cause: 'in-flight-at-kill', fault: episode.fault };
    }
  }
  if (known) return null;
  const span = taken.find((it) => within(it, row, bounds));
  return span ? { cause: 'no-worker-left', fault: span.fault } : null;
}

function brokeOff({ kind }: FailedRow): boolean {
  return (
    kind === KIND.reset ||
    kind === KIND.closed ||
    kind === KIND.cut ||
    kind === KIND.timeout ||
    kind === KIND.gateway
  );
}

function inFlight(episode: Held, row: FailedRow, { slackMs }: Bounds): boolean {
  if (!brokeOff(row) || row.endMs < episode.injectedAtMs - STAMP_MS) return false;
  // A connection of the victim stays one until the load has read its end, which it does late on a full machine.
  if (row.pid !== 0) return row.sentMs <= episode.exitBoundMs + CLOSED_AFTER_EXIT_MS;
  if (row.sentMs > episode.noticedBoundMs + slackMs) return false;
  // The kernel closes the connections of a dead process: who waits on was not on it, unless it took long to die.
  if (row.kind === KIND.timeout) {
    return row.sentMs >= episode.injectedAtMs - slackMs && row.endMs <= episode.exitBoundMs + slackMs;
  }
  return row.endMs <= episode.exitBoundMs + CLOSED_AFTER_EXIT_MS;
}

function stuck(episode: Held, row: FailedRow, { timeoutMs, slackMs }: Bounds): boolean {
  if (!brokeOff(row) && row.kind !== KIND.expired) return false;
  if (row.endMs < episode.injectedAtMs - STAMP_MS) return false;
  const overMs = Math.max(episode.endMs, episode.noticedAtMs ?? episode.endMs) + slackMs;
  const sentMs = row.kind === KIND.expired ? row.dueMs : row.sentMs;
  return sentMs >= episode.injectedAtMs - timeoutMs && sentMs <= overMs;
}

/** All that was under way goes with the primary, on whichever worker, and all that comes until a new one serves. */
function primaryDown(
  { injectedAtMs, exitBoundMs }: Held,
  row: FailedRow,
  { taken, bounds }: Omit<Suspects, 'held'>,
): boolean {
  const gap = taken.find(({ fromMs, toMs }) => fromMs <= exitBoundMs + STAMP_MS && toMs >= exitBoundMs);
  const toMs = (gap?.toMs ?? exitBoundMs) + bounds.slackMs;
  const sentMs = row.kind === KIND.expired ? row.dueMs : row.sentMs;
  return row.endMs >= injectedAtMs - STAMP_MS && sentMs <= toMs;
}

/** Of the deaths in whose course the connection may have been handed over, the one nearest to the request. */
function lostHandOff(row: FailedRow, held: readonly Held[], bounds: Bounds): Held | null {
  let best: Held | null = null;
  let nearestMs = Number.POSITIVE_INFINITY;
  for (const episode of held) {
    if (episode.exitAtMs === null || episode.handOffs >= LOST_HAND_OFFS_MAX) continue;
    // A hung worker that is killed loses what it was being given at that moment.
    const diesMs = episode.hang ? episode.exitAtMs : episode.injectedAtMs;
    // A kept connection is made ahead of its first request.
    const lateMs = bounds.slackMs + (row.fresh ? 0 : bounds.keptIdleMs);
    if (row.sentMs < diesMs - HAND_OFF_WAITS_MS || row.sentMs > episode.noticedBoundMs + lateMs) continue;
    const awayMs = Math.abs(row.sentMs - diesMs);
    if (awayMs < nearestMs) {
      best = episode;
      nearestMs = awayMs;
    }
  }
  return best;
}

function within({ fromMs, toMs }: TakenSpan, row: FailedRow, { slackMs }: Bounds): boolean {
  if (row.kind === KIND.expired) return row.endMs >= fromMs && row.dueMs <= toMs + slackMs;
  return row.sentMs >= fromMs - slackMs && row.sentMs <= toMs + slackMs;
}
