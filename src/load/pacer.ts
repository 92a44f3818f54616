/** After a long stall so many arrivals are let go before the sockets are looked at again. */
const BURST_MAX = 10_000;
/** Node's timers take no more than 24 days; one that is early fires nothing. */
const TIMER_MS_MAX = 60_000;

/**
 * Constant arrivals: calls `arrive` with each due time once it has come. Timers are late by up to a millisecond and
 * more, so due times are computed and never taken from them; nothing is skipped.
 */
export class Pacer {
  private readonly now: () => number;
  private readonly arrive: (dueMs: number) => void;
  private periodMs: number;
  /** Due times are `baseMs + count x periodMs`: a sum of many periods would drift. Infinity while paused. */
  private baseMs = Number.POSITIVE_INFINITY;
  private count = 0;
  private lastMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;
  private running = false;

  constructor(now: () => number, arrive: (dueMs: number) => void, ratePerSecond: number) {
    this.now = now;
    this.arrive = arrive;
    this.periodMs = 1000 / ratePerSecond;
  }

  start(): void {
    this.running = true;
    this.rebase();
  }

  /** From now on; a rate of 0 is a pause. */
  setRate(ratePerSecond: number): void {
    if (this.running) this.fire();
    this.periodMs = 1000 / ratePerSecond;
    if (this.running) this.rebase();
  }

  stop(): void {
    this.running = false;
    this.sleep();
  }

  /** Called right after the sockets were read, so that no arrival goes to a connection known to be closed. */
  fire(): void {
    if (!this.running) return;
    const nowMs = this.now();
    for (let burst = 0; burst < BURST_MAX; burst++) {
      const dueMs = this.dueMs();
      if (dueMs > nowMs) break;
      this.count++;
      this.lastMs = dueMs;
      this.arrive(dueMs);
    }
    this.sleep();
  }

  private rebase(): void {
    const isPaused = this.periodMs === Number.POSITIVE_INFINITY;
    this.baseMs = isPaused ? this.periodMs : Math.max(this.now(), this.lastMs + this.periodMs);
    this.count = 0;
    this.sleep();
  }

  private dueMs(): number {
    // While paused the period has no end, and none of them would be NaN.
    return this.count === 0 ? this.baseMs : this.baseMs + this.count * this.periodMs;
  }

  private sleep(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const leftMs = this.dueMs() - this.now();
    if (!this.running || leftMs === Number.POSITIVE_INFINITY) return;
    this.timer = setTimeout(wake, Math.min(TIMER_MS_MAX, Math.max(1, Math.floor(leftMs))), this);
  }
}

function wake(pacer: Pacer): void {
  setImmediate(fire, pacer);
}

function fire(pacer: Pacer): void {
  pacer.fire();
}
