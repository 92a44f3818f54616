import type { Episode, FaultRecord } from './faults.ts';
import type { Readiness } from './readiness.ts';
import { endOf, isFailure, KIND, type Rows, sentOf } from './rows.ts';

/** What a fault did to a request that failed. */
export const CAUSES = [
  'unattributed',
  'in-flight-at-kill',
  'lost-hand-off',
  'stuck-on-hung-worker',
  'no-worker-left',
] as const;
export type Cause = (typeof CAUSES)[number];
export const CAUSE: Readonly<Record<Cause, number>> = {
  unattributed: 0,
  'in-flight-at-kill': 1,
  'lost-hand-off': 2,
  'stuck-on-hung-worker': 3,
  'no-worker-left': 4,
};

/** For the rows that failed; 0 and -1 for all others. */
export interface Attribution {
  /** Index into `CAUSES`. */
  readonly cause: Uint8Array;
  /** Index into the faults, -1 for none. */
  readonly fault: Int16Array;
}

/** Clocks of several processes, and the time from a deed to its record. */
const SLACK_MS = 50;
/** A stamp is taken after the deed, by this much at most. */
const STAMP_MS = 1;
/** A connection of a dead process ends with it; what ends later than this had another reason. */
const CLOSED_AFTER_EXIT_MS = 1000;
/** Node loses about one connection a kill while the primary hands it over (RoundRobinHandle.handoff); more is not Node's. */
const LOST_HAND_OFFS_MAX = 2;
/** A killed process is gone by then; assumed where the evidence ends before its exit. */
const EXIT_ASSUMED_MS = 2000;

export interface AttributionInput {
  readonly rows: Rows;
  readonly faults: readonly FaultRecord[];
  readonly readiness: Readiness;
  readonly timeoutMs: number;
}

interface Held extends Episode {
  readonly noticedBoundMs: number;
  readonly exitBoundMs: number;
  handOffs: number;
}

/**
 * Explains each failed request by what the faults must do to requests, whatever the supervisor does:
 * - `in-flight-at-kill`: it was on the killed worker, or on one not known, between injection and the notice of the death;
 * - `stuck-on-hung-worker`: it was on the hung worker, or on one not known, during the hang;
 * - `lost-hand-off`: a connection given to a worker that died before it could take it, see LOST_HAND_OFFS_MAX;
 * - `no-worker-left`: faults had taken every worker, and the supervisor's time to bring one back was not over.
 *
 * A wrong status or body, and a request on another worker than the victim, is never explained.
 */
export function attribute(input: AttributionInput): Attribution {
  const { rows, faults } = input;
  const cause = new Uint8Array(rows.count);
  const fault = new Int16Array(rows.count).fill(-1);
  const held = faults.flatMap((record) => record.episodes).map(withBounds);
  const { worker } = rows.samples.columns;
  for (let row = 0; row < rows.count; row++) {
    const kind = rows.kind[row] ?? 0;
    if (!isFailure(kind) || kind === KIND['wrong-status'] || kind === KIND['wrong-body']) continue;
    const facts: FailedRow = {
      kind,
      pid: worker[row] ?? 0,
      dueMs: rows.samples.columns.dueMs[row] ?? 0,
      sentMs: sentOf(rows, row),
      endMs: endOf(rows, row),
    };
    const found = explain(input, held, facts);
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

interface FailedRow {
  readonly kind: number;
  /** 0: not known. */
  readonly pid: number;
  readonly dueMs: number;
  readonly sentMs: number;
  readonly endMs: number;
}

interface Explanation {
  readonly cause: Cause;
  readonly fault: number;
}

function explain(
  { readiness, timeoutMs }: AttributionInput,
  held: readonly Held[],
  row: FailedRow,
): Explanation | null {
  const known = row.pid !== 0;
  for (const episode of held) {
    if (known && episode.pid !== row.pid) continue;
    if (episode.hang && stuck(episode, row, timeoutMs)) {
      return { cause: 'stuck-on-hung-worker', fault: episode.fault };
    }
    if (!episode.hang && inFlight(episode, row)) return { cause: 'in-flight-at-kill', fault: episode.fault };
  }
  if (!known && row.kind === KIND.timeout) {
    const episode = held.find((it) => it.handOffs < LOST_HAND_OFFS_MAX && handedOver(it, row));
    if (episode) {
      episode.handOffs++;
      return { cause: 'lost-hand-off', fault: episode.fault };
    }
  }
  if (known) return null;
  const taken = readiness.taken.find(
    ({ fromMs, toMs }) =>
      row.dueMs <= toMs + SLACK_MS &&
      (row.kind === KIND.expired ? row.endMs >= fromMs : row.sentMs >= fromMs - SLACK_MS),
  );
  return taken && row.sentMs <= taken.toMs + SLACK_MS
    ? { cause: 'no-worker-left', fault: taken.fault }
    : null;
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

function inFlight(episode: Held, row: FailedRow): boolean {
  if (!brokeOff(row) || row.endMs < episode.injectedAtMs - STAMP_MS) return false;
  if (row.sentMs > episode.noticedBoundMs + SLACK_MS) return false;
  return row.pid !== 0 || row.endMs <= episode.exitBoundMs + CLOSED_AFTER_EXIT_MS;
}

function stuck(episode: Held, row: FailedRow, timeoutMs: number): boolean {
  if (!brokeOff(row) && row.kind !== KIND.expired) return false;
  if (row.endMs < episode.injectedAtMs - STAMP_MS) return false;
  const overMs = Math.max(episode.endMs, episode.noticedAtMs ?? episode.endMs) + SLACK_MS;
  const sentMs = row.kind === KIND.expired ? row.dueMs : row.sentMs;
  return sentMs >= episode.injectedAtMs - timeoutMs && sentMs <= overMs;
}

function handedOver(episode: Held, row: FailedRow): boolean {
  if (episode.exitAtMs === null) return false;
  // A hung worker that is killed loses what it was being given at that moment.
  const fromMs = episode.hang ? episode.exitAtMs : episode.injectedAtMs;
  return row.sentMs >= fromMs - SLACK_MS && row.sentMs <= episode.noticedBoundMs + SLACK_MS;
}
