/** Arrivals kept waiting; more than a minute's worth at any rate that one process can send. */
const WAITING_MAX = 1 << 20;
const START_CAPACITY = 256;

/** Arrivals that wait for a free lane, in order; numbers only, in two rings. */
export class Backlog {
  size = 0;
  private dues = new Float64Array(START_CAPACITY);
  private requests = new Uint8Array(START_CAPACITY);
  private head = 0;

  /** False if there is no more room: the arrival is for the caller to record. */
  push(dueMs: number, request: number): boolean {
    if (this.size === WAITING_MAX) return false;
    if (this.size === this.dues.length) this.grow();
    const at = (this.head + this.size) & (this.dues.length - 1);
    this.dues[at] = dueMs;
    this.requests[at] = request;
    this.size++;
    return true;
  }

  /** Due time of the oldest; NaN if there is none. */
  get dueMs(): number {
    return this.size === 0 ? Number.NaN : (this.dues[this.head] ?? Number.NaN);
  }

  /** Request of the oldest. */
  get request(): number {
    return this.requests[this.head] ?? 0;
  }

  /** Takes the oldest away. */
  drop(): void {
    this.head = (this.head + 1) & (this.dues.length - 1);
    this.size--;
  }

  private grow(): void {
    const { length } = this.dues;
    const dues = new Float64Array(length * 2);
    const requests = new Uint8Array(length * 2);
    for (let i = 0; i < this.size; i++) {
      const at = (this.head + i) & (length - 1);
      dues[i] = this.dues[at] ?? 0;
      requests[i] = this.requests[at] ?? 0;
    }
    this.dues = dues;
    this.requests = requests;
    this.head = 0;
  }
}
