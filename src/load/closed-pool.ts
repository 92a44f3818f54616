import type { Lane } from './lane.ts';
import { Pool } from './pool.ts';

/** Each lane sends its next request when it has its answer; after a failure it backs off, so that a dead server does not
 * get all of the machine. */
export class ClosedPool extends Pool {
  start(): void {
    for (const lane of this.lanes) this.next(lane);
  }

  connected(): void {
    // The request was written when the connection was asked for.
  }

  answered(lane: Lane): void {
    this.next(lane);
  }

  broken(lane: Lane): void {
    const delayMs = this.backOffMs(lane);
    if (delayMs === 0) this.next(lane);
    else lane.retryLater(delayMs);
  }

  retry(lane: Lane): void {
    this.next(lane);
  }

  protected takeLane(): null {
    return null;
  }

  private next(lane: Lane): void {
    if (!this.stopping) lane.dispatchNow(this.options.nextRequest());
  }
}
