import type { Lane } from './lane.ts';
import { LaneQueue } from './lane-queue.ts';
import { Pool, type PoolOptions } from './pool.ts';

/**
 * Keep-alive connections under a constant arrival rate. An arrival takes the connection that is idle longest; if there
 * is none, a lane without connection, which connects for it, so that a missing listener is met by each arrival; if all
 * lanes are busy it waits, and stays due when it was.
 */
export class KeepAlivePool extends Pool {
  private readonly idle: LaneQueue;
  private readonly spare: LaneQueue;

  constructor(options: PoolOptions) {
    super(options);
    this.idle = new LaneQueue(options.size);
    this.spare = new LaneQueue(options.size);
  }

  start(): void {
    for (const lane of this.lanes) this.reconnect(lane);
  }

  connected(lane: Lane): void {
    if (lane.busy || this.stopping || this.serveBacklog(lane)) return;
    this.idle.add(lane);
  }

  answered(lane: Lane): void {
    if (this.stopping || this.serveBacklog(lane)) return;
    if (lane.link === 'up') this.idle.add(lane);
    else this.reconnect(lane);
  }

  broken(lane: Lane): void {
    if (this.stopping || this.serveBacklog(lane)) return;
    const delayMs = this.backOffMs(lane);
    if (delayMs === 0) {
      this.reconnect(lane);
      return;
    }
    this.spare.add(lane);
    lane.retryLater(delayMs);
  }

  retry(lane: Lane): void {
    if (!this.stopping) lane.connect();
  }

  protected takeLane(): Lane | null {
    return this.idle.take(isIdle) ?? this.spare.take(isSpare);
  }

  private reconnect(lane: Lane): void {
    this.spare.add(lane);
    lane.connect();
  }
}

function isIdle(lane: Lane): boolean {
  return !lane.busy && lane.link === 'up';
}

function isSpare(lane: Lane): boolean {
  return !lane.busy && lane.link !== 'up';
}

/** A connection for each request, under a constant arrival rate. */
export class FreshPool extends Pool {
  private readonly free: Lane[] = [];

  start(): void {
    this.free.push(...this.lanes.toReversed());
  }

  connected(): void {
    // The request was written when the connection was asked for.
  }

  answered(lane: Lane): void {
    if (!this.stopping && !this.serveBacklog(lane)) this.free.push(lane);
  }

  broken(lane: Lane): void {
    this.answered(lane);
  }

  retry(): void {
    // Fresh lanes connect for arrivals only.
  }

  protected takeLane(): Lane | null {
    return this.free.pop() ?? null;
  }
}
