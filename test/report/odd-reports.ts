import type { Report } from '../../dist/model/report.js';
import { generator, sampleReport } from './sample-report.ts';

/** What targets and scenarios may say to break out of a page, a terminal, a table or an XML file. */
export const HOSTILE = [
  '</script><script>window.hacked = 1</script>',
  '<img src=x onerror="window.hacked = 1">',
  '<!--<script>',
  "$& $1 $` $' $$",
  '\u001B[31mred\u001B[0m \u001B]0;title\u0007 \u001B[2J\u009B1A',
  ']]> <![CDATA[ &amp; &#0;',
  '\u0000\u0007\u0008\u007F',
  '\u202Etxt.exe\u2066',
  '\uD800 half \uDC00',
  'a|b `c` [d](javascript:alert(1)) @everyone #1 *e* _f_',
  '::error::injected\r\n::set-output name=a::b',
  '%0A::warning::x',
  'line\nline\u2028line\u2029line',
  '"\'><svg/onload=window.hacked=1>',
  '__proto__',
  'constructor',
  '☃ 日本語 🧨',
  'x'.repeat(5000),
];
const ALL = HOSTILE.join(' ');

/** The sample with every text replaced by hostile ones. */
export function hostileReport(): Report {
  const base = sampleReport();
  const text = (index: number): string => HOSTILE[index % HOSTILE.length] ?? '';
  const counts = Object.fromEntries(HOSTILE.map((key, index) => [key, index]));
  return {
    ...base,
    reason: ALL,
    run: {
      ...base.run,
      id: ALL,
      scenario: ALL,
      description: ALL,
      file: ALL,
      seed: ALL,
      planHash: ALL,
      startedAt: ALL,
      command: ALL,
      replay: ALL,
      target: ALL,
      origin: ALL,
      blind: HOSTILE,
      environment: { node: ALL, os: ALL, cpus: 8, version: ALL },
    },
    checks: base.checks.map((check, index) => ({
      ...check,
      id: text(index),
      metric: text(index + 1),
      reason: ALL,
      verdict: (['fail', 'inconclusive', 'pass'] as const)[index % 3] ?? 'pass',
      actual: index % 3 === 0 ? null : check.actual,
    })),
    errors: { ...base.errors, byKind: counts, byCause: counts },
    faults: base.faults.map((fault, index) => ({
      ...fault,
      id: text(index),
      kind: text(index + 3),
      reason: ALL,
      evidence: Object.fromEntries(HOSTILE.map((key) => [key, ALL])),
    })),
    faultKinds: Object.fromEntries(
      HOSTILE.map((key) => [key, { label: ALL, light: 'url(//evil.example/x)', dark: 'red;}</style>' }]),
    ),
    workers: base.workers.map((worker, index) => ({
      ...worker,
      signal: text(index),
      expected: text(index + 2),
    })),
    events: HOSTILE.map((line, seq) => ({ seq, atMs: seq, level: 'error', text: line })),
    leftovers: { processes: [{ pid: 1, command: ALL }], ports: [80] },
    harness: { ...base.harness, priority: ALL },
    repeats: HOSTILE.map((line) => ({
      seed: line,
      verdict: 'fail',
      reason: ALL,
      dir: line,
      errors: 1,
      availability: null,
      recoveryMsMax: null,
    })),
  };
}

/** A run that ended before anything could be seen. */
export function emptyReport(): Report {
  const base = sampleReport();
  const { faultKinds: _unused, ...rest } = base;
  return {
    ...rest,
    verdict: 'inconclusive',
    reason: '',
    run: {
      ...base.run,
      scenario: '',
      description: '',
      seed: '',
      target: '',
      replay: '',
      durationMs: 0,
      origin: null,
      workers: 0,
      ratePerSecond: null,
      visibility: null,
    },
    checks: [],
    availability: { requests: 0, ok: 0, failed: 0, ratio: null, low: null, high: null, byTime: null },
    outages: [],
    errors: { total: 0, byKind: {}, byCause: {}, unattributed: 0 },
    faults: [],
    workers: [],
    phases: [],
    balance: { perSlot: [], cv: null },
    series: { bucketMs: 0, requests: [], errors: [], p50Ms: [], p99Ms: [], workersReady: [] },
    events: [],
    leftovers: { processes: [], ports: [] },
    harness: {
      loadLagMsP99: null,
      faultSkewMsP99: null,
      probeLagMsP99: null,
      droppedSamples: 0,
      priority: null,
    },
  };
}

/** The target ran and faults were injected, but no request was ever recorded. */
export function noSamplesReport(): Report {
  const base = sampleReport();
  const empty = emptyReport();
  const none = base.series.requests.map(() => null);
  const zero = base.series.requests.map(() => 0);
  return {
    ...base,
    verdict: 'inconclusive',
    reason: 'no load reached the target',
    checks: base.checks.map((check) => ({
      ...check,
      actual: null,
      low: null,
      high: null,
      samples: 0,
      verdict: 'inconclusive',
      reason: 'no samples in this window',
    })),
    availability: empty.availability,
    outages: [],
    errors: empty.errors,
    phases: base.phases.map((phase) => ({
      ...phase,
      requests: 0,
      errors: 0,
      rps: 0,
      p50Ms: null,
      p90Ms: null,
      p99Ms: null,
      p999Ms: null,
      maxMs: null,
    })),
    series: { ...base.series, requests: zero, errors: zero, p50Ms: none, p99Ms: none },
  };
}

/** All kinds of trouble in one run: faults of four kinds, hangs that nobody ended, an exit that nobody asked for. */
export function mixedReport(): Report {
  const base = sampleReport();
  const kinds = ['kill', 'freeze', 'block', 'memory'];
  const faults = base.faults.map((fault, index) => {
    const kind = kinds[index % 4] ?? 'kill';
    const hung = kind === 'freeze';
    return {
      ...fault,
      id: `${kind}-${index + 1}`,
      kind,
      healedAtMs: hung ? (fault.injectedAtMs ?? 0) + 2500 : null,
      recovered: hung ? false : fault.recovered,
      recoveryMs: hung ? null : fault.recoveryMs,
      reason: hung ? 'nobody ended the hung worker: it came back when chaos healed it' : fault.reason,
      effective: index !== 3,
      expect: kind === 'memory' ? ('survives' as const) : fault.expect,
      recovery: hung
        ? {
            noticedMs: null,
            exitMs: null,
            forkMs: null,
            onlineMs: null,
            listeningMs: null,
            firstResponseMs: null,
            goodputMs: 2510,
          }
        : fault.recovery,
    };
  });
  return {
    ...base,
    reason: '3 of 14 objectives broken',
    run: {
      ...base.run,
      scenario: 'rolling-chaos',
      blind: ['No agent in the primary: its hand-offs are not seen'],
    },
    faults,
    faultKinds: {
      kill: { label: 'Kill', light: '#c2410c', dark: '#fb923c' },
      freeze: { label: 'Freeze', light: '#0369a1', dark: '#38bdf8' },
      block: { label: 'Event-loop block', light: '#7e22ce', dark: '#c084fc' },
    },
    workers: base.workers.map((worker, index) =>
      index === 4 ? { ...worker, expected: null, signal: null, code: 1 } : worker,
    ),
    outages: [
      {
        fromMs: 20_300,
        toMs: 21_800,
        durationMs: 1500,
        uncertaintyMs: 2,
        faultId: 'freeze-2',
        avoidable: false,
      },
      ...base.outages,
    ],
    checks: base.checks.map((check, index) =>
      index === 2 || index === 7
        ? {
            ...check,
            verdict: index === 2 ? 'inconclusive' : 'fail',
            actual: index === 2 ? null : 1,
            reason: 'a worker exited by itself',
          }
        : check,
    ),
    repeats: ['4711', '4712', '4713'].map((seed, index) => ({
      seed,
      verdict: index === 0 ? 'fail' : 'pass',
      reason: index === 0 ? base.reason : 'every objective met',
      dir: `reports/kill-random/20261122-${seed}`,
      errors: 15 - index,
      availability: 0.9993 + index * 0.0001,
      recoveryMsMax: index === 0 ? 1400 : 92,
    })),
  };
}

/** As long as a report gets: 1200 buckets, 2000 workers, 1000 faults, 6000 events. */
export function bigReport(): Report {
  const base = sampleReport();
  const draw = generator(99);
  const durationMs = 3_600_000;
  const repeat = <T>(count: number, make: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const fault = base.faults[0];
  const worker = base.workers[0];
  if (fault === undefined || worker === undefined) throw new Error('the sample has no fault or no worker');
  return {
    ...base,
    run: { ...base.run, durationMs, workers: 16 },
    faults: repeat(1000, (index) => ({
      ...fault,
      id: `kill-${index}`,
      slots: [1 + (index % 16)],
      injectedAtMs: 60_000 + index * 3400 + draw() * 1000,
      recoveryMs: 70 + draw() * 50,
      reason: index % 10 === 0 ? 'the replacement was late because the machine was busy' : null,
    })),
    workers: repeat(2000, (index) => ({
      ...worker,
      slot: 1 + (index % 16),
      generation: 1 + Math.floor(index / 16),
      spawnedAtMs: Math.floor(index / 16) * 28_000,
      listeningAtMs: Math.floor(index / 16) * 28_000 + 120,
      exitedAtMs: Math.floor(index / 16) * 28_000 + 27_900,
      expected: `kill-${index % 1000}`,
    })),
    series: {
      bucketMs: 3000,
      requests: repeat(1200, () => 1500 + Math.round(draw() * 10)),
      errors: repeat(1200, () => (draw() > 0.6 ? Math.round(draw() * 4) : 0)),
      p50Ms: repeat(1200, () => 1 + draw()),
      p99Ms: repeat(1200, () => 4 + draw() * 60),
      workersReady: repeat(1200, () => 15 + Math.round(draw())),
    },
    phases: [
      { ...(base.phases[1] ?? fail()), fromMs: 0, toMs: 60_000 },
      { ...(base.phases[2] ?? fail()), fromMs: 60_000, toMs: 3_500_000 },
      { ...(base.phases[4] ?? fail()), fromMs: 3_500_000, toMs: 3_600_000 },
    ],
    balance: {
      perSlot: repeat(16, (slot) => ({ slot: slot + 1, requests: 90_000, connections: 400 })),
      cv: 0.01,
    },
    events: repeat(6000, (seq) => ({
      seq,
      atMs: seq * 600,
      level: 'info',
      text: `event number ${seq} of kill-${seq}`,
    })),
  };
}

function fail(): never {
  throw new Error('the sample misses a phase');
}
