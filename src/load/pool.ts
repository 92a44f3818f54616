import { FLAG_FRESH } from '../model/samples.ts';
import type { AutocannonClient } from './autocannon-internals.ts';
import { Backlog } from './backlog.ts';
import type { BodyTable } from './body-table.ts';
import { Lane, type LaneKit, type LaneOwner } from './lane.ts';
import type { WireRequest } from './request-bytes.ts';
import { ABORTED, EXPIRED, type RowRecorder, TIMEOUT } from './row-recorder.ts';

/** A server that is down is asked 20 times a second for each connection, not 27,000 times. */
const BACK_OFF_MS_MAX = 50;

export interface PoolOptions {
  readonly size: number;
  readonly fresh: boolean;
  readonly timeoutMs: number;
  readonly requests: readonly WireRequest[];
  /** Which request comes next. */
  readonly nextRequest: () => number;
  readonly now: () => number;
  readonly rows: RowRecorder;
  readonly bodies: BodyTable;
}

/** Lanes of one kind, and the arrivals that wait for them. What the kinds do differently is in the subclasses. */
export abstract class Pool implements LaneOwner {
  protected readonly lanes: Lane[] = [];
  protected readonly options: PoolOptions;
  protected readonly backlog = new Backlog();
  protected stopping = false;
  private readonly kit: LaneKit;

  constructor(options: PoolOptions) {
    this.options = options;
    this.kit = { ...options, owner: this };
  }

  /** Makes a lane of an autocannon client. */
  adopt(client: AutocannonClient): void {
    this.lanes.push(new Lane(client, this.lanes.length, this.kit));
  }

  /** Called once, when all lanes are there. */
  abstract start(): void;
  abstract connected(lane: Lane): void;
  abstract answered(lane: Lane): void;
  abstract broken(lane: Lane): void;
  abstract retry(lane: Lane): void;
  /** A lane that may take an arrival now. */
  protected abstract takeLane(): Lane | null;

  /** A request is due. */
  arrive(dueMs: number): void {
    const request = this.options.nextRequest();
    const lane = this.takeLane();
    if (lane !== null) lane.dispatch(dueMs, request);
    else if (!this.backlog.push(dueMs, request)) this.unsent(EXPIRED, dueMs, request);
  }

  /** Ends what took too long. To be called every few ms, after the sockets were read. */
  sweep(): void {
    const { timeoutMs } = this.options;
    const oldestMs = this.options.now() - timeoutMs;
    // First those that wait: a lane that is lost takes the oldest of them, which must not be one that is too old.
    while (this.backlog.size > 0 && this.backlog.dueMs <= oldestMs) this.dropOldest(EXPIRED);
    for (const lane of this.lanes) if (lane.busy && lane.sentMs <= oldestMs) lane.lose(TIMEOUT);
  }

  /** Replaces idle connections that the server is about to close. */
  renewIdle(): void {
    const nowMs = this.options.now();
    for (const lane of this.lanes) {
      if (!lane.busy && lane.link === 'up' && nowMs - lane.usedMs > lane.idleMsMax) lane.renew();
    }
  }

  /** Sends no more. What waits is aborted; what is in flight goes on. */
  drain(): void {
    this.stopping = true;
    while (this.backlog.size > 0) this.dropOldest(ABORTED);
  }

  /** Ends what is still in flight. */
  abort(): void {
    for (const lane of this.lanes) if (lane.busy) lane.lose(ABORTED);
  }

  /** How many lanes the pool is to have. */
  get size(): number {
    return this.options.size;
  }

  get inFlight(): number {
    let count = 0;
    for (const lane of this.lanes) if (lane.busy) count++;
    return count;
  }

  get waiting(): number {
    return this.backlog.size;
  }

  /** Gives the lane the arrival that has waited longest; false if none waits. */
  protected serveBacklog(lane: Lane): boolean {
    const { backlog } = this;
    if (backlog.size === 0) return false;
    const { dueMs, request } = backlog;
    backlog.drop();
    lane.dispatch(dueMs, request);
    return true;
  }

  /** At once after the first loss, then after 1, 2, 4, … ms: a healthy server may close a connection, a dead one all. */
  protected backOffMs(lane: Lane): number {
    return lane.losses <= 1 ? 0 : Math.min(BACK_OFF_MS_MAX, 2 ** Math.min(10, lane.losses - 2));
  }

  private dropOldest(outcome: number): void {
    const { dueMs, request } = this.backlog;
    this.backlog.drop();
    this.unsent(outcome, dueMs, request);
  }

  private unsent(outcome: number, dueMs: number, request: number): void {
    const { now, rows, fresh } = this.options;
    rows.add(dueMs, Number.NaN, now(), outcome, 0, 0, 0, request, fresh ? FLAG_FRESH : 0, 0, null);
  }
}
