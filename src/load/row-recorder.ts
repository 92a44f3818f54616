import type { LoadProgress } from '../model/ports.ts';
import { OUTCOMES, type Outcome } from '../model/samples.ts';
import type { RequestSpec } from '../model/scenario.ts';
import type { SampleWriter } from '../runtime/samples-file.ts';

const CODES = Object.fromEntries(OUTCOMES.map((outcome, code) => [outcome, code])) as Record<Outcome, number>;

/** The numbers that stand for the outcomes in the rows. */
export const { ok: OK, refused: REFUSED, reset: RESET, closed: CLOSED, cut: CUT } = CODES;
export const { timeout: TIMEOUT, expired: EXPIRED, aborted: ABORTED, other: OTHER } = CODES;

/** Latencies for live progress: 0.1 ms wide up to 100 ms, then 10 ms wide up to a minute. */
const FINE_MS = 100;
const FINE_BUCKETS = 1000;
const COARSE_BUCKETS = 6000;
const STATUS_MAX = 999;

/** Takes the rows, counts them for live progress, and passes them on to the file. */
export class RowRecorder {
  private readonly writer: SampleWriter;
  private readonly acceptsStatus: readonly Uint8Array[];
  private readonly latencies = new Uint32Array(FINE_BUCKETS + COARSE_BUCKETS + 1);
  private ok = 0;
  private failed = 0;

  constructor(writer: SampleWriter, requests: readonly RequestSpec[]) {
    this.writer = writer;
    this.acceptsStatus = requests.map(({ expectStatus }) =>
      Uint8Array.from({ length: STATUS_MAX + 1 }, (_, status) =>
        Number(expectStatus === null ? status < 500 : expectStatus.includes(status)),
      ),
    );
  }

  /** Times are on the run's clock; `sentMs` is NaN for what was never sent. */
  add(
    dueMs: number,
    sentMs: number,
    endMs: number,
    outcome: number,
    status: number,
    worker: number,
    port: number,
    request: number,
    flags: number,
    body: number,
    accepted: boolean | null,
  ): void {
    const latencyMs = endMs - dueMs;
    this.writer.add(dueMs, sentMs - dueMs, latencyMs, outcome, status, worker, port, request, flags, body);
    if (outcome === ABORTED) return;
    if (outcome === OK && accepted !== false && this.acceptsStatus[request]?.[status] === 1) this.ok++;
    else this.failed++;
    const bucket =
      latencyMs < FINE_MS
        ? Math.max(0, Math.floor(latencyMs * 10))
        : Math.min(FINE_BUCKETS + COARSE_BUCKETS, FINE_BUCKETS + Math.floor((latencyMs - FINE_MS) / 10));
    this.latencies[bucket] = (this.latencies[bucket] ?? 0) + 1;
  }

  /** What was counted since the last call. */
  takeCounts(): Pick<LoadProgress, 'ok' | 'failed' | 'p99Ms'> {
    const { ok, failed } = this;
    const p99Ms = this.quantile(0.99, ok + failed);
    this.ok = 0;
    this.failed = 0;
    this.latencies.fill(0);
    return { ok, failed, p99Ms };
  }

  private quantile(q: number, count: number): number | null {
    let left = Math.ceil(q * count);
    if (left === 0) return null;
    for (const [bucket, rows] of this.latencies.entries()) {
      left -= rows;
      if (left <= 0)
        return bucket < FINE_BUCKETS ? (bucket + 1) / 10 : FINE_MS + (bucket - FINE_BUCKETS + 1) * 10;
    }
    return null;
  }
}
