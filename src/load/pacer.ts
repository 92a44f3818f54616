/** After a long stall so many arrivals are let go before the sockets are looked at again. */
const BURST_MAX = 10_000;

/**
 * Constant arrivals: calls `arrive` with each due time once it has come. Timers are late by up to a millisecond and
 * more, so due times are computed and never taken from them; nothing is skipped.
 */
export class Pacer {
  private readonly now: () => number;
  private readonly arrive: (dueMs: number) => void;
  private periodMs: number;
  /** Due times are `baseMs + count x periodMs`: a sum of many periods would drift. */
  private baseMs = 0;
  private count = 0;
  private timer: NodeJS.Timeout | null = null;
  private running = false;

  constructor(now: () => number, arrive: (dueMs: number) => void, ratePerSecond: number) {
    this.now = now;
    this.arrive = arrive;
    this.periodMs = 1000 / ratePerSecond;
  }

  start(): void {
    this.running = true;
    this.baseMs = this.now();
    this.count = 0;
    this.sleep();
  }

  /** From now on; a rate of 0 is a pause. */
  setRate(ratePerSecond: number): void {
    const lastMs = this.count === 0 ? Number.NEGATIVE_INFINITY : this.dueMs(this.count - 1);
    this.periodMs = 1000 / ratePerSecond;
    this.baseMs = Math.max(this.now(), Number.isFinite(this.periodMs) ? lastMs + this.periodMs : 0);
    this.count = 0;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.running) this.sleep();
  }

  stop(): void {
    this.running = false;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private dueMs(count: number): number {
    // At a rate of 0 the period has no end, and 0 of them would be NaN.
    return count === 0 ? this.baseMs : this.baseMs + count * this.periodMs;
  }

  private sleep(): void {
    this.timer = null;
    if (this.periodMs === Number.POSITIVE_INFINITY) return;
    const leftMs = this.dueMs(this.count) - this.now();
    this.timer = setTimeout(wake, Math.max(1, Math.floor(leftMs)), this);
  }

  /** Called right after the sockets were read, so that no arrival goes to a connection known to be closed. */
  fire(): void {
    if (!this.running) return;
    const nowMs = this.now();
    for (let burst = 0; burst < BURST_MAX; burst++) {
      const dueMs = this.dueMs(this.count);
      if (dueMs > nowMs) break;
      this.count++;
      this.arrive(dueMs);
    }
    this.sleep();
  }
}

function wake(pacer: Pacer): void {
  setImmediate(fire, pacer);
}

function fire(pacer: Pacer): void {
  pacer.fire();
}
