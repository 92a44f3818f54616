import type { Expectation } from '../../dist/model/fault.js';
import type { JournalEntry, JournalEvent } from '../../dist/model/journal.js';
import type { Objective } from '../../dist/model/objective.js';
import type { PlannedFault } from '../../dist/model/plan.js';
import type { JudgeInput } from '../../dist/model/ports.js';
import { type BodyEntry, FLAG_FRESH, OUTCOMES, type Outcome } from '../../dist/model/samples.js';
import type { RequestSpec, Scenario } from '../../dist/model/scenario.js';

/*
 * Synthetic evidence: a small deterministic model of a clustered server under load, with a hook wherever a defect can
 * be planted. A run is 2 s of warm-up, 5 s of baseline, 15 s of chaos, 2 s to settle and 6 s of recovery.
 */

export const PHASE_MS = {
  warmup: 2000,
  baseline: 5000,
  chaos: 15_000,
  settle: 2000,
  recovery: 6000,
} as const;
export const BASELINE_AT = PHASE_MS.warmup;
export const CHAOS_AT = BASELINE_AT + PHASE_MS.baseline;
export const SETTLE_AT = CHAOS_AT + PHASE_MS.chaos;
export const RECOVERY_AT = SETTLE_AT + PHASE_MS.settle;
export const END_AT = RECOVERY_AT + PHASE_MS.recovery;

export const TIMEOUT_MS = 2000;
const READY_AT = -500;
const CONNECTIONS = 16;
const SERVE_MS = 18;

/** Entry 0 stands for no body. */
export const BODIES: readonly BodyEntry[] = [
  { shape: 0, bytes: 0, preview: '', accepted: null },
  { shape: 11, bytes: 5, preview: 'hello', accepted: null },
  { shape: 12, bytes: 5, preview: 'wrong', accepted: null },
  { shape: 13, bytes: 5, preview: 'other', accepted: null },
];
export const HELLO = 1;
export const WRONG = 2;
export const OTHER = 3;

export interface Row {
  dueMs: number;
  sendDelayMs: number;
  latencyMs: number;
  outcome: Outcome;
  status: number;
  worker: number;
  port: number;
  fresh: boolean;
  body: number;
  request: number;
}

export interface Life {
  readonly slot: number;
  readonly generation: number;
  readonly pid: number;
  readonly spawnMs: number;
  readonly listenMs: number;
  /** When it was really dead. */
  deadMs: number;
  expected: string | null;
  hungFromMs: number;
  hungToMs: number;
}

export interface FaultPlan {
  readonly kind?: 'kill' | 'freeze' | 'block' | 'memory-spike';
  /** On the run's clock. */
  readonly atMs: number;
  readonly slot: number;
  readonly expect?: Expectation;
  readonly holdMs?: number;
  /** A hang: how long after the injection the supervisor ends the victim; never by default. */
  readonly endedAfterMs?: number;
  /** Leaves out the proof, or says that there was none. */
  readonly proof?: 'none' | 'ineffective';
}

export interface RunOptions {
  readonly workers?: number;
  readonly ratePerSecond?: number;
  readonly freshShare?: number;
  readonly faults?: readonly FaultPlan[];
  /** Death to the replacement listening; `null` for a supervisor that never replaces. */
  readonly reforkMs?: number | null;
  readonly bootMs?: number;
  /** Changes what a request got; the last word on each row. */
  readonly row?: (row: Row, worker: Life | null) => void;
  /** Adds, changes or removes lives, after the supervisor did its work. */
  readonly lives?: (lives: Life[]) => void;
  /** Adds journal records, with their time. */
  readonly journal?: readonly (readonly [atMs: number, entry: JournalEntry])[];
  /** Changes the journal as a whole. */
  readonly edit?: (events: readonly JournalEvent[]) => readonly JournalEvent[];
  /** The harness was killed at this moment: nothing was recorded after it. */
  readonly tornAtMs?: number;
  /** No request reaches these workers. */
  readonly deaf?: (worker: Life) => boolean;
  readonly visibility?: 'agent' | 'process-table';
  readonly scheduling?: 'rr' | 'none' | 'unknown';
  readonly objectives?: readonly Objective[];
  readonly request?: Partial<RequestSpec>;
  readonly primary?: {
    readonly fds?: (atMs: number) => number;
    readonly rssBytes?: (atMs: number) => number;
  };
}

export const THREE_KILLS: readonly FaultPlan[] = [
  { atMs: CHAOS_AT + 1003, slot: 2 },
  { atMs: CHAOS_AT + 4013, slot: 4 },
  { atMs: CHAOS_AT + 7008, slot: 1 },
];

/** A healthy server that reforks in 90 ms, killed three times, unless the options say otherwise. */
export function aRun(options: RunOptions = {}): JudgeInput {
  const faults = options.faults ?? THREE_KILLS;
  const lives = makeLives(options, faults);
  options.lives?.(lives);
  const rows = makeRows(options, lives);
  const torn = options.tornAtMs ?? Number.POSITIVE_INFINITY;
  const journal = makeJournal(options, faults, lives).filter((event) => event.atMs <= torn);
  const kept = rows.filter((row) => row.dueMs + row.latencyMs <= torn);
  return {
    journal: options.edit ? options.edit(journal) : journal,
    samples: { columns: toColumns(kept), bodies: BODIES },
    ...(options.objectives ? { objectives: options.objectives } : {}),
  };
}

function makeLives({ workers = 4, reforkMs = 90 }: RunOptions, faults: readonly FaultPlan[]): Life[] {
  const lives: Life[] = [];
  const born = (slot: number, generation: number, spawnMs: number, listenMs: number): Life => {
    const life: Life = {
      slot,
      generation,
      pid: 1000 + slot * 100 + generation,
      spawnMs,
      listenMs,
      deadMs: Number.POSITIVE_INFINITY,
      expected: 'stop',
      hungFromMs: Number.POSITIVE_INFINITY,
      hungToMs: Number.POSITIVE_INFINITY,
    };
    lives.push(life);
    return life;
  };
  for (let slot = 1; slot <= workers; slot++) born(slot, 1, -1600, -1500);
  for (const [index, fault] of faults.entries()) {
    const victim = lives.findLast((life) => life.slot === fault.slot && life.listenMs < fault.atMs);
    if (!victim || victim.deadMs < fault.atMs) continue;
    const { endMs, dies } = fateOf(fault);
    if (fault.kind && fault.kind !== 'kill') {
      victim.hungFromMs = fault.atMs;
      victim.hungToMs = endMs;
    }
    if (!dies) continue;
    victim.deadMs = endMs;
    victim.expected = faultId(index);
    if (reforkMs !== null) born(fault.slot, victim.generation + 1, endMs + 5, endMs + reforkMs);
  }
  return lives;
}

function fateOf({ kind = 'kill', atMs, holdMs = 9000, endedAfterMs }: FaultPlan): {
  readonly endMs: number;
  readonly dies: boolean;
} {
  if (kind === 'kill') return { endMs: atMs, dies: true };
  if (endedAfterMs !== undefined) return { endMs: atMs + endedAfterMs, dies: true };
  return { endMs: atMs + holdMs, dies: false };
}

/** `fault-1`, `fault-2`, … */
export function faultId(index: number): string {
  return `fault-${index + 1}`;
}

function makeRows(options: RunOptions, lives: readonly Life[]): Row[] {
  const { ratePerSecond = 400, freshShare = 0.5, deaf = () => false, visibility = 'agent' } = options;
  const rows: Row[] = [];
  const connections = Array.from({ length: CONNECTIONS }, (_, index) => ({
    worker: null as Life | null,
    port: 20_000 + index,
    busyUntilMs: 0,
  }));
  const turns = { fresh: 0, kept: 0 };
  let credit = 0;
  let next = 0;
  let ports = 30_000;
  const handedTo = new Set<Life>();
  for (let count = 0; ; count++) {
    const dueMs = (count * 1000) / ratePerSecond;
    if (dueMs >= END_AT) break;
    credit += freshShare;
    const fresh = credit >= 1 - 1e-9;
    if (fresh) credit -= 1;
    const up = lives.filter((life) => life.listenMs <= dueMs && dueMs < life.deadMs && !deaf(life));
    // As node:cluster's round robin: a hung worker gets one connection, and no other until it took that.
    const open = up.filter((life) => !isHung(life, dueMs) || !handedTo.has(life));
    const choose = (): Life | null =>
      open[turns[fresh ? 'fresh' : 'kept']++ % Math.max(1, open.length)] ?? null;
    let worker: Life | null;
    let port: number;
    if (fresh) {
      worker = choose();
      port = ports++ % 65_536;
    } else {
      const connection =
        connections.find((_, i) => (connections[(next + i) % 8]?.busyUntilMs ?? 0) <= dueMs) ??
        connections[0];
      const free = connections[(next + 1) % 8] ?? connection;
      next = (next + 1) % 8;
      const chosen = free && free.busyUntilMs <= dueMs ? free : connection;
      if (!chosen) continue;
      if (chosen.worker === null || chosen.worker.deadMs <= dueMs) chosen.worker = choose();
      worker = chosen.worker;
      port = chosen.port;
      if (worker && isHung(worker, dueMs)) chosen.busyUntilMs = Math.min(dueMs + TIMEOUT_MS, worker.hungToMs);
    }
    if (worker && isHung(worker, dueMs) && fresh) handedTo.add(worker);
    const row = answer({ dueMs, fresh, port }, worker);
    options.row?.(row, worker);
    if (visibility === 'process-table') row.worker = 0;
    rows.push(row);
  }
  return rows.sort((a, b) => a.dueMs + a.latencyMs - (b.dueMs + b.latencyMs));
}

function isHung(life: Life, atMs: number): boolean {
  return atMs >= life.hungFromMs && atMs < life.hungToMs;
}

function answer(
  { dueMs, fresh, port }: { readonly dueMs: number; readonly fresh: boolean; readonly port: number },
  worker: Life | null,
): Row {
  // A little unevenness, the same each time.
  const serveMs = SERVE_MS + (dueMs % 7) / 10 + (fresh ? 0.5 : 0);
  const row: Row = {
    dueMs,
    sendDelayMs: 0.2 + (dueMs % 3) / 10,
    latencyMs: serveMs,
    outcome: 'ok',
    status: 200,
    worker: worker?.pid ?? 0,
    port,
    fresh,
    body: HELLO,
    request: 0,
  };
  if (worker === null) return broken(row, 'refused', 1);
  const doneMs = dueMs + serveMs;
  const isDown = (atMs: number): boolean => isHung(worker, atMs) || atMs >= worker.deadMs;
  if (isHung(worker, doneMs) || isHung(worker, dueMs)) {
    const waitMs = Math.min(TIMEOUT_MS, worker.hungToMs - dueMs + serveMs);
    if (worker.deadMs < dueMs + waitMs) return broken(row, 'reset', worker.deadMs - dueMs + 1);
    if (waitMs < TIMEOUT_MS) row.latencyMs = waitMs;
    return waitMs < TIMEOUT_MS ? row : broken(row, 'timeout', TIMEOUT_MS);
  }
  return isDown(doneMs) ? broken(row, 'reset', Math.max(1, worker.deadMs - dueMs + 1)) : row;
}

/** Makes it a row that never got its answer; a fresh connection then never learnt its worker. */
export function broken(row: Row, outcome: Outcome, latencyMs: number): Row {
  row.outcome = outcome;
  row.latencyMs = latencyMs;
  row.status = 0;
  row.body = 0;
  if (row.fresh) row.worker = 0;
  return row;
}

export function toColumns(rows: readonly Row[]): JudgeInput['samples']['columns'] {
  const of = <T>(read: (row: Row) => T): T[] => rows.map(read);
  return {
    count: rows.length,
    dueMs: Float64Array.from(of((row) => row.dueMs)),
    sendDelayMs: Float32Array.from(of((row) => row.sendDelayMs)),
    latencyMs: Float32Array.from(of((row) => row.latencyMs)),
    outcome: Uint8Array.from(of((row) => OUTCOMES.indexOf(row.outcome))),
    status: Uint16Array.from(of((row) => row.status)),
    worker: Uint32Array.from(of((row) => row.worker)),
    port: Uint16Array.from(of((row) => row.port)),
    request: Uint8Array.from(of((row) => row.request)),
    flags: Uint8Array.from(of((row) => (row.fresh ? FLAG_FRESH : 0))),
    body: Uint16Array.from(of((row) => row.body)),
  };
}

type Stamped = readonly [atMs: number, entry: JournalEntry];

function makeJournal(
  options: RunOptions,
  faults: readonly FaultPlan[],
  lives: readonly Life[],
): JournalEvent[] {
  const { workers = 4, bootMs = 100 } = options;
  const records: Stamped[] = [
    [-2000, startRecord(options, faults)],
    [-1900, { type: 'target.start', pid: 900, command: 'node server.js', port: 18_080 }],
    [-1800, { type: 'primary.up', pid: 901 }],
    [
      READY_AT,
      {
        type: 'target.ready',
        origin: 'http://127.0.0.1:18080',
        workers,
        visibility: options.visibility ?? 'agent',
        blind: [],
        scheduling: options.scheduling ?? 'rr',
        bootMs,
      },
    ],
    [READY_AT + 1, { type: 'load.rate', ratePerSecond: options.ratePerSecond ?? 400, reason: 'start' }],
    ...phaseRecords(),
    [CHAOS_AT - 1, { type: 'steady', phase: 'baseline', proven: true, reason: 'as it should be' }],
    ...lives.flatMap(lifeRecords),
    ...faults.flatMap((fault, index) => faultRecords(fault, index, lives)),
    ...resourceRecords(options),
    [END_AT + 300, { type: 'leftovers', processes: [], ports: [], stuck: [] }],
    [END_AT + 400, { type: 'run.end', outcome: 'completed', reason: 'all phases were run' }],
    ...(options.journal ?? []),
  ];
  return records.sort(([a], [b]) => a - b).map(([atMs, entry], seq) => ({ seq, atMs, ...entry }));
}

function phaseRecords(): Stamped[] {
  let atMs = 0;
  return Object.entries(PHASE_MS).flatMap(([name, ms]): Stamped[] => {
    const phase = name as keyof typeof PHASE_MS;
    const fromMs = atMs;
    atMs += ms;
    return [
      [fromMs, { type: 'phase.start', phase }],
      [atMs - 0.001, { type: 'phase.end', phase }],
    ];
  });
}

function lifeRecords(life: Life): Stamped[] {
  const { slot, generation, pid, spawnMs, listenMs, deadMs, expected } = life;
  const who = { slot, generation, pid };
  const exitMs = Math.min(deadMs + 2, END_AT + 200);
  const stopped = deadMs >= END_AT;
  const records: Stamped[] = [
    [spawnMs, { type: 'worker.spawn', ...who }],
    [spawnMs + (listenMs - spawnMs) / 2, { type: 'worker.online', ...who }],
    [listenMs, { type: 'worker.listening', ...who }],
    [
      exitMs,
      {
        type: 'worker.exit',
        ...who,
        code: null,
        signal: stopped ? 'SIGTERM' : 'SIGKILL',
        expected: stopped ? 'stop' : expected,
      },
    ],
    [exitMs + 1, { type: 'worker.noticed', pid }],
  ];
  return records.filter(([atMs]) => Number.isFinite(atMs));
}

function faultRecords(fault: FaultPlan, index: number, lives: readonly Life[]): Stamped[] {
  const id = faultId(index);
  const { kind = 'kill', atMs, slot, proof } = fault;
  const victim = lives.findLast((life) => life.slot === slot && life.listenMs < atMs && life.deadMs >= atMs);
  if (!victim) return [[atMs, { type: 'fault.error', faultId: id, message: 'no ready worker was there' }]];
  const { endMs, dies } = fateOf(fault);
  const how = kind === 'kill' ? 'not-needed' : dies ? 'victim-gone' : 'healed';
  const records: Stamped[] = [
    [
      atMs,
      {
        type: 'fault.inject',
        faultId: id,
        kind,
        slots: [slot],
        pids: [victim.pid],
        plannedAtMs: atMs - 0.5,
        expect: expectOf(fault),
        holdMs: holdOf(fault),
      },
    ],
    [endMs + 20, { type: 'fault.heal', faultId: id, ok: true, how, evidence: {} }],
  ];
  if (proof === 'none') return records;
  const effective = proof !== 'ineffective';
  const reason = effective ? null : 'it went on as before';
  return [
    ...records,
    [atMs + 10, { type: 'fault.effect', faultId: id, effective, evidence: { state: 'seen' }, reason }],
  ];
}

function expectOf({ expect }: FaultPlan): Expectation {
  return expect ?? 'replaced';
}

function holdOf({ kind = 'kill', holdMs = 9000 }: FaultPlan): number | null {
  return kind === 'kill' ? null : holdMs;
}

function resourceRecords({ primary }: RunOptions): Stamped[] {
  const records: Stamped[] = [];
  for (let atMs = 250; atMs < END_AT; atMs += 500) {
    const fds = primary?.fds?.(atMs) ?? 24;
    const rssBytes = primary?.rssBytes?.(atMs) ?? 60e6 + (atMs % 3000) * 100;
    records.push([atMs, { type: 'resources', pid: 901, role: 'primary', rssBytes, fds }]);
  }
  return records;
}

function startRecord(options: RunOptions, faults: readonly FaultPlan[]): JournalEntry {
  const planned = faults.map((fault, index): PlannedFault => {
    const { atMs, slot } = fault;
    return {
      id: faultId(index),
      name: 'fault',
      kind: fault.kind ?? 'kill',
      params: {},
      atMs: Math.round(atMs - CHAOS_AT),
      holdMs: holdOf(fault),
      victims: { by: 'slots', slots: [slot] },
      expect: expectOf(fault),
    };
  });
  const plan = {
    version: 1 as const,
    scenario: 'synthetic',
    seed: 'seed-1',
    workers: options.workers ?? 4,
    chaosMs: PHASE_MS.chaos,
    faults: planned,
    hash: 'f'.repeat(64),
  };
  return {
    type: 'run.start',
    version: 1,
    id: 'run-1',
    scenario: aScenario(options),
    file: 'scenarios/synthetic.ts',
    plan,
    startedAt: '2026-11-22T12:00:00.000Z',
    command: 'chaos run scenarios/synthetic.ts',
    replay: 'chaos replay reports/synthetic/latest',
    environment: { node: 'v20.20.2', os: 'linux', cpus: 2, version: '0.1.0' },
  };
}

function aScenario({ objectives, request, ratePerSecond = 400, freshShare = 0.5 }: RunOptions): Scenario {
  return {
    name: 'synthetic',
    description: 'A model of a server.',
    seed: null,
    target: {
      command: 'node server.js',
      cwd: '/srv',
      env: {},
      url: null,
      workers: null,
      readyTimeoutMs: 30_000,
      stopGraceMs: 5000,
      agent: true,
    },
    load: {
      mode: 'open',
      ratePerSecond,
      connections: CONNECTIONS,
      freshShare,
      timeoutMs: TIMEOUT_MS,
      requests: [
        {
          method: 'GET',
          path: '/',
          headers: {},
          body: null,
          weight: 1,
          expectStatus: null,
          expectBody: null,
          ...request,
        },
      ],
    },
    phases: {
      warmupMs: PHASE_MS.warmup,
      baselineMs: PHASE_MS.baseline,
      chaosMs: PHASE_MS.chaos,
      settleMs: PHASE_MS.settle,
      recoveryMs: PHASE_MS.recovery,
    },
    faults: [],
    objectives: objectives ?? [],
  };
}
