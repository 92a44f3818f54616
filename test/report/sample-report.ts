import type { Report, ReportEvent, ReportFault, ReportWorker } from '../../dist/model/report.js';

/** A 46 s run: 4 slots, 500 requests a second, 9 kills, the sixth with a slow recovery. Always the same bytes. */
export function sampleReport(): Report {
  const draw = generator(4711);
  const faults = KILLS.map((kill, index) => sampleFault(kill, index, draw));
  const workers = sampleWorkers(faults, draw);
  const series = sampleSeries(faults, draw);
  const failed = faults.reduce((sum, fault) => sum + fault.errors, 0);
  const requests = series.requests.reduce((sum, count) => sum + count, 0);
  const recoveryMax = Math.max(...faults.map((fault) => fault.recoveryMs ?? 0));
  return {
    version: 1,
    verdict: 'fail',
    reason:
      '1 of 14 objectives broken: recovery.max is 1.4 s, must be < 1 s; slot 2 stayed empty that long after kill-6',
    run: {
      id: '20261122-194512-4711',
      scenario: 'kill-random',
      description: 'SIGKILLs a random worker about every three seconds',
      file: 'scenarios/kill-random.ts',
      seed: '4711',
      planHash: '8f14e45fceea167a5a36dedd4bea2543c4ca4238a0b923820dcc509a6f75849b',
      startedAt: '2026-11-22T19:45:12.034Z',
      durationMs: DURATION_MS,
      command: 'chaos run kill-random.ts --seed 4711 --workers 4',
      replay: 'npx chaos run scenarios/kill-random.ts --seed 4711 --workers 4',
      target: 'node examples/clustered-server.js',
      origin: 'http://127.0.0.1:23817',
      workers: 4,
      ratePerSecond: 500,
      visibility: 'agent',
      blind: [],
      environment: { node: 'v20.20.2', os: 'Linux 6.8.0 x64', cpus: 8, version: '0.1.0' },
    },
    checks: sampleChecks({ recoveryMax, failed, requests }),
    availability: {
      requests,
      ok: requests - failed,
      failed,
      ratio: (requests - failed) / requests,
      low: 0.99902,
      high: 0.99961,
      byTime: 0.99987,
    },
    outages: [
      { fromMs: 22_606, toMs: 22_612, durationMs: 6, uncertaintyMs: 2, faultId: 'kill-6', avoidable: true },
    ],
    errors: {
      total: failed,
      byKind: { reset: failed - 4, closed: 3, cut: 1 },
      byCause: { 'in-flight-at-kill': failed - 2, 'handed-to-dying-worker': 2 },
      unattributed: 0,
    },
    faults,
    faultKinds: { kill: { label: 'kill', light: '#bf3989', dark: '#f778ba' } },
    workers,
    phases: samplePhases(requests, failed),
    balance: {
      perSlot: [1, 2, 3, 4].map((slot) => ({
        slot,
        requests: Math.round(requests / 4 + (draw() - 0.5) * 700),
        connections: Math.round(2800 + draw() * 200),
      })),
      cv: 0.041,
    },
    series,
    events: sampleEvents(faults),
    leftovers: { processes: [], ports: [] },
    harness: {
      loadLagMsP99: 1.8,
      faultSkewMsP99: 0.7,
      probeLagMsP99: 2.4,
      droppedSamples: 0,
      priority: 'nice 10 for load, 0 for the harness',
    },
  };
}

const DURATION_MS = 46_180;
const KILLS = [
  { atMs: 8_412, slot: 3 },
  { atMs: 11_207, slot: 1 },
  { atMs: 14_880, slot: 4 },
  { atMs: 17_951, slot: 3 },
  { atMs: 20_114, slot: 2 },
  { atMs: 22_604, slot: 2 },
  { atMs: 27_345, slot: 1 },
  { atMs: 31_002, slot: 4 },
  { atMs: 34_718, slot: 3 },
] as const;
const SLOW = 5;

function sampleFault(kill: { atMs: number; slot: number }, index: number, draw: () => number): ReportFault {
  const fork = 2.1 + draw();
  const online = fork + 28 + draw() * 9;
  const listening = index === SLOW ? 1391.4 : online + 31 + draw() * 14;
  const first = listening + 1.2 + draw() * 4;
  const skew = 0.05 + draw() * 0.6;
  return {
    id: `kill-${index + 1}`,
    kind: 'kill',
    slots: [kill.slot],
    pids: [31_400 + index * 7],
    plannedAtMs: kill.atMs,
    injectedAtMs: kill.atMs + skew,
    skewMs: skew,
    healedAtMs: null,
    effective: true,
    expect: 'replaced',
    recovered: true,
    recoveryMs: first,
    reason: index === SLOW ? 'the replacement came 1.36 s after its fork' : null,
    evidence: { signal: 'SIGKILL', exitSeen: true },
    errors: index === SLOW ? 3 : 1 + Math.floor(draw() * 2),
    recovery: {
      noticedMs: 1.4 + draw() * 0.6,
      exitMs: 1.1 + draw() * 0.3,
      forkMs: fork,
      onlineMs: online,
      listeningMs: listening,
      firstResponseMs: first,
      goodputMs: first + 3 + draw() * 20,
    },
  };
}

function sampleWorkers(faults: readonly ReportFault[], draw: () => number): ReportWorker[] {
  const workers: ReportWorker[] = [];
  for (const slot of [1, 2, 3, 4]) {
    let spawnedAtMs = 120 + slot * 9;
    let listeningAtMs = spawnedAtMs + 180;
    let generation = 1;
    for (const fault of [...faults.filter((one) => one.slots.includes(slot)), null]) {
      const exitedAtMs =
        fault === null
          ? DURATION_MS - 60 - slot * 4
          : (fault.injectedAtMs ?? 0) + (fault.recovery.exitMs ?? 0);
      workers.push({
        slot,
        generation,
        pid: fault?.pids[0] ?? 31_500 + slot,
        spawnedAtMs,
        listeningAtMs,
        exitedAtMs,
        code: fault === null ? 0 : null,
        signal: fault === null ? null : 'SIGKILL',
        expected: fault === null ? 'stop' : fault.id,
        requests: Math.round(((exitedAtMs - listeningAtMs) / 1000) * 122),
        p50Ms: 1.1 + draw() * 0.3,
      });
      if (fault === null) break;
      generation += 1;
      // In slot 1 a standby that waited takes the place.
      spawnedAtMs = slot === 1 ? spawnedAtMs + 400 : (fault.injectedAtMs ?? 0) + (fault.recovery.forkMs ?? 0);
      listeningAtMs = (fault.injectedAtMs ?? 0) + (fault.recovery.listeningMs ?? 0);
    }
  }
  return workers;
}

const BUCKET_MS = 200;

function sampleSeries(faults: readonly ReportFault[], draw: () => number): Report['series'] {
  const buckets = Math.ceil(DURATION_MS / BUCKET_MS);
  const series = {
    bucketMs: BUCKET_MS,
    requests: [] as number[],
    errors: [] as number[],
    p50Ms: [] as (number | null)[],
    p99Ms: [] as (number | null)[],
    workersReady: [] as number[],
  };
  for (let bucket = 0; bucket < buckets; bucket++) {
    const [fromMs, toMs] = [bucket * BUCKET_MS, (bucket + 1) * BUCKET_MS];
    const loaded = fromMs >= 800 && toMs <= DURATION_MS - 600;
    const down = faults.filter((fault) => {
      const at = fault.injectedAtMs ?? 0;
      return at < toMs && at + (fault.recovery.listeningMs ?? 0) > fromMs;
    });
    const hit = down.filter((fault) => (fault.injectedAtMs ?? 0) >= fromMs);
    series.requests.push(loaded ? 100 + Math.round((draw() - 0.5) * 3) : 0);
    series.errors.push(hit.reduce((sum, fault) => sum + fault.errors, 0));
    series.p50Ms.push(loaded ? 1.1 + draw() * 0.25 + down.length * 0.3 : null);
    series.p99Ms.push(
      loaded ? 3.2 + draw() * 2.1 + (hit.length > 0 ? 26 + draw() * 60 : down.length * 8) : null,
    );
    series.workersReady.push(fromMs < 400 || fromMs > DURATION_MS - 200 ? 0 : 4 - down.length);
  }
  return series;
}

function samplePhases(requests: number, failed: number): Report['phases'] {
  const phase = (
    name: Report['phases'][number]['name'],
    fromMs: number,
    toMs: number,
    errors: number,
    p99Ms: number,
  ): Report['phases'][number] => ({
    name,
    fromMs,
    toMs,
    requests: Math.round((requests * (toMs - fromMs)) / (DURATION_MS - 1400)),
    errors,
    rps: 499.7,
    p50Ms: 1.18,
    p90Ms: 2.31,
    p99Ms,
    p999Ms: p99Ms * 2.6,
    maxMs: p99Ms * 4.1,
  });
  return [
    phase('warmup', 800, 2_810, 0, 6.84),
    phase('baseline', 2_810, 7_815, 0, 4.91),
    phase('chaos', 7_815, 37_820, failed, 8.37),
    phase('settle', 37_820, 38_404, 0, 4.96),
    phase('recovery', 38_404, 45_410, 0, 4.88),
  ];
}

function sampleChecks(seen: { recoveryMax: number; failed: number; requests: number }): Report['checks'] {
  type Check = Report['checks'][number];
  const check = (
    text: string,
    unit: Check['unit'],
    actual: number | null,
    more: Partial<Check> = {},
  ): Check => {
    const match = /^([\w.-]+)@(\w+) (\S+) (\S+)$/.exec(text);
    return {
      id: text,
      metric: match?.[1] ?? text,
      window: (match?.[2] ?? 'run') as Check['window'],
      op: (match?.[3] ?? '<') as Check['op'],
      limit: Number(match?.[4] ?? 0),
      unit,
      actual,
      low: null,
      high: null,
      samples: 9,
      level: 'error',
      verdict: 'pass',
      evidence: [41, 88, 132],
      ...more,
    };
  };
  const late = 'slot 2 was empty for 1.39 s after kill-6: forked at once, listening 1.36 s later';
  return [
    check('errors.per-victim@fault <= 4', 'count', 3),
    check('errors.unattributed@run == 0', 'count', 0, { samples: seen.requests }),
    check('errors.late@chaos <= 50', 'ms', 7.3, { samples: seen.failed }),
    check('outage.longest@run < 200', 'ms', 6, { low: 4, high: 8, samples: 23_000 }),
    check('recovery.max@fault < 1000', 'ms', seen.recoveryMax, { verdict: 'fail', reason: late }),
    check('recovery.p95@fault < 2000', 'ms', 842.6),
    check('workers.ready@recovery == 4', 'count', 4, { samples: 36 }),
    check('workers.unexpected-exits@run == 0', 'count', 0, { samples: 13 }),
    check('availability@chaos >= 0.999', 'share', 0.99907, { low: 0.9985, high: 0.9994, samples: 15_003 }),
    check('throughput.ratio@recovery >= 0.95', 'factor', 1, { samples: 3502 }),
    check('latency.p99-ratio@recovery <= 2', 'factor', 0.99, { samples: 3502 }),
    check('primary.rss-growth@run < 20000000', 'bytes', 1_240_000, { samples: 44 }),
    check('balance.cv@run < 0.3', 'factor', 0.041, { level: 'warn', samples: 4 }),
    check('leftovers@run == 0', 'count', 0, { samples: 1 }),
  ];
}

function sampleEvents(faults: readonly ReportFault[]): ReportEvent[] {
  const events: Omit<ReportEvent, 'seq'>[] = [
    { atMs: 0, level: 'info', text: 'run started, plan of 9 faults on 4 workers' },
    { atMs: 322, level: 'info', text: 'target ready: 4 workers listen on http://127.0.0.1:23817' },
    { atMs: 800, level: 'info', text: 'phase warmup' },
    { atMs: 2_810, level: 'info', text: 'phase baseline' },
    { atMs: 7_812, level: 'info', text: 'steady state proven: p99 4.91 ms, 500/s, no failed request' },
    { atMs: 7_815, level: 'info', text: 'phase chaos' },
    ...faults.flatMap((fault): Omit<ReportEvent, 'seq'>[] => {
      const at = fault.injectedAtMs ?? 0;
      const slot = fault.slots[0] ?? 0;
      return [
        { atMs: at, level: 'info', text: `${fault.id}: SIGKILL to slot ${slot} (pid ${fault.pids[0]})` },
        { atMs: at + 1.2, level: 'info', text: `worker ${slot} exited on SIGKILL, as asked by ${fault.id}` },
        { atMs: at + (fault.recovery.forkMs ?? 0), level: 'info', text: `worker ${slot} forked again` },
        {
          atMs: at + (fault.recovery.listeningMs ?? 0),
          level: (fault.recovery.listeningMs ?? 0) > 1000 ? 'warn' : 'info',
          text: `worker ${slot} listens again, ${Math.round(fault.recovery.listeningMs ?? 0)} ms after ${fault.id}`,
        },
      ];
    }),
    { atMs: 37_820, level: 'info', text: 'phase settle' },
    { atMs: 38_404, level: 'info', text: 'phase recovery' },
    { atMs: 45_410, level: 'info', text: 'load stopped' },
    { atMs: 46_120, level: 'info', text: 'target stopped, nothing left behind' },
    { atMs: 46_150, level: 'error', text: 'objective broken: recovery.max@fault < 1 s' },
  ];
  return events.map((event, seq) => ({ seq, ...event }));
}

/** A linear congruential generator: the sample must be the same everywhere, and nothing more. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
