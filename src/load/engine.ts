import { isIP } from 'node:net';
import autocannon from 'autocannon';
import type { LoadProgress, LoadSummary } from '../model/ports.ts';
import { SampleWriter } from '../runtime/samples-file.ts';
import { type AutocannonClient, checkAutocannon } from './autocannon-internals.ts';
import { BodyTable } from './body-table.ts';
import { ClosedPool } from './closed-pool.ts';
import { fastRunClock } from './fast-clock.ts';
import { everyShare, interleave } from './interleave.ts';
import { FreshPool, KeepAlivePool } from './open-pools.ts';
import { type Origin, resolveOrigin } from './origin.ts';
import { Pacer } from './pacer.ts';
import type { Pool, PoolOptions } from './pool.ts';
import type { ChildConfig } from './protocol.ts';
import { wireRequest } from './request-bytes.ts';
import { RowRecorder } from './row-recorder.ts';

/** Precision of timeouts, and the longest that a drained load lingers. */
const SWEEP_MS = 10;
/** How often rows are written and progress is told. */
const REPORT_MS = 250;
/** Connections of their own at one time: a hang of 2 s at 500 such arrivals a second. More wait, and stay due. */
const FRESH_LANES_MAX = 1024;
/** autocannon would stop by itself after this; a timer takes no more than 24 days. */
const DURATION_S = 2_000_000;

/** The load itself, inside the load process. */
export class LoadEngine {
  private readonly config: ChildConfig;
  private readonly now: () => number;
  private readonly writer: SampleWriter;
  private readonly rows: RowRecorder;
  private readonly pools: readonly Pool[];
  private readonly pacer: Pacer | null;
  private readonly timers: NodeJS.Timeout[] = [];
  private onDrained: (() => void) | null = null;
  private abortAtMs = Number.POSITIVE_INFINITY;

  /**
   * Starts the load.
   * @throws ChaosError if the origin is none, or this autocannon cannot be used
   */
  static async start(config: ChildConfig, onProgress: (progress: LoadProgress) => void): Promise<LoadEngine> {
    const engine = new LoadEngine(config, await resolveOrigin(config.origin));
    engine.begin(onProgress);
    return engine;
  }

  private constructor(config: ChildConfig, origin: Origin) {
    this.config = config;
    const { requests, mode } = config.spec;
    this.now = fastRunClock(config.zeroMs);
    this.writer = new SampleWriter(config.samplesFile);
    this.rows = new RowRecorder(this.writer, requests);
    this.pools = makePools(config, {
      timeoutMs: config.spec.timeoutMs,
      now: this.now,
      rows: this.rows,
      bodies: new BodyTable(requests, (entry) => this.writer.addBody(entry)),
      host: origin.host,
    });
    fillPools(this.pools, origin, config.spec.timeoutMs);
    this.pacer = mode === 'open' ? this.makePacer() : null;
  }

  setRate(ratePerSecond: number): void {
    this.pacer?.setRate(ratePerSecond);
  }

  /** Sends no more; resolves when nothing is in flight, at the latest after the request timeout. */
  async stop(): Promise<LoadSummary> {
    this.pacer?.stop();
    this.abortAtMs = this.now() + this.config.spec.timeoutMs + 2 * SWEEP_MS;
    for (const pool of this.pools) pool.drain();
    await new Promise<void>((resolve) => {
      this.onDrained = resolve;
    });
    return this.finish();
  }

  /** Writes what there is; what is in flight is recorded as aborted. */
  /** Writes down what has ended so far. */
  flush(): void {
    this.writer.flush();
  }

  finish(): LoadSummary {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    for (const pool of this.pools) {
      pool.drain();
      pool.abort();
    }
    this.writer.close();
    const { rows, dropped } = this.writer;
    return { rows, dropped, rssBytesMax: process.resourceUsage().maxRSS * 1024 };
  }

  private begin(onProgress: (progress: LoadProgress) => void): void {
    for (const pool of this.pools) pool.start();
    this.pacer?.start();
    // After the sockets were read: a process that was held up finds the answers that came in time.
    const sweep = (): void => this.sweep();
    this.timers.push(setInterval(() => setImmediate(sweep), SWEEP_MS));
    this.timers.push(setInterval(() => this.report(onProgress), REPORT_MS));
  }

  private makePacer(): Pacer {
    const [keepAlive, fresh] = this.pools as [Pool, Pool | undefined];
    const isFresh = everyShare(fresh === undefined ? 0 : this.config.spec.freshShare);
    const arrive = (dueMs: number): void => {
      if (fresh !== undefined && isFresh()) fresh.arrive(dueMs);
      else keepAlive.arrive(dueMs);
    };
    return new Pacer(this.now, arrive, this.config.ratePerSecond);
  }

  private sweep(): void {
    for (const pool of this.pools) pool.sweep();
    if (this.onDrained === null) return;
    if (this.now() < this.abortAtMs && this.pools.some((pool) => pool.inFlight > 0)) return;
    this.onDrained();
    this.onDrained = null;
  }

  private report(onProgress: (progress: LoadProgress) => void): void {
    this.writer.flush();
    for (const pool of this.pools) pool.renewIdle();
    onProgress({
      atMs: this.now(),
      ...this.rows.takeCounts(),
      inFlight: this.pools.reduce((sum, pool) => sum + pool.inFlight, 0),
      backlog: this.pools.reduce((sum, pool) => sum + pool.waiting, 0),
    });
  }
}

type Shared = Omit<PoolOptions, 'size' | 'fresh' | 'requests' | 'nextRequest'> & { readonly host: string };

/** Kinds do not share a queue: when one kind of connection is stuck, the other goes on. */
function makePools({ spec }: ChildConfig, shared: Shared): readonly Pool[] {
  const options = (size: number, fresh: boolean): PoolOptions => ({
    ...shared,
    size,
    fresh,
    requests: spec.requests.map((request) => wireRequest(request, shared.host, fresh)),
    nextRequest: interleave(spec.requests.map((request) => request.weight)),
  });
  if (spec.mode === 'open') {
    const pools: Pool[] = [new KeepAlivePool(options(spec.connections, false))];
    if (spec.freshShare > 0) pools.push(new FreshPool(options(FRESH_LANES_MAX, true)));
    return pools;
  }
  const fresh = Math.round(spec.connections * spec.freshShare);
  return [new ClosedPool(options(spec.connections - fresh, false)), new ClosedPool(options(fresh, true))];
}

/** Lets autocannon make the clients, each of which becomes a lane of the next pool that has room. */
function fillPools(pools: readonly Pool[], origin: Origin, timeoutMs: number): void {
  const seats = pools.flatMap((pool) => Array.from({ length: pool.size }, () => pool));
  let taken = 0;
  const setupClient = (client: AutocannonClient): void => {
    if (taken === 0) checkAutocannon(client);
    client.opts.hostname = origin.address;
    // TLS knows no server names that are addresses.
    if (isIP(origin.hostname) === 0) client.opts.servername = origin.hostname;
    seats[taken++]?.adopt(client);
  };
  autocannon(
    {
      url: origin.url,
      connections: seats.length,
      pipelining: 1,
      duration: DURATION_S,
      timeout: Math.ceil(timeoutMs / 1000),
      sampleInt: 50,
      setupClient,
    },
    (error) => {
      if (error !== null) throw error;
    },
  );
}
