import t from 'tap';
import type { Objective } from '../../dist/model/objective.js';
import type { JudgeInput } from '../../dist/model/ports.js';
import type { Report, ReportCheck } from '../../dist/model/report.js';
import { reportSchema } from '../../dist/model/report.js';
import type { SampleColumns } from '../../dist/model/samples.js';
import { parseObjective } from '../../dist/scenario/parse-objective.js';
import { resilienceObjectives } from '../../dist/scenario/resilience-objectives.js';
import { METRICS } from '../../dist/verify/catalogue.js';
import { judge } from '../../dist/verify/judge.js';
import {
  aRun,
  BASELINE_AT,
  broken,
  CHAOS_AT,
  END_AT,
  type FaultPlan,
  HELLO,
  type Life,
  OTHER,
  RECOVERY_AT,
  type RunOptions,
  SETTLE_AT,
  THREE_KILLS,
  WRONG,
} from './evidence-builder.ts';

const objectives = (...texts: string[]): Objective[] => texts.map((text) => parseObjective(text, METRICS));
const SHIPPED = objectives(...resilienceObjectives());

function judged(options: RunOptions = {}): Report {
  const report = judge(aRun({ objectives: SHIPPED, ...options }));
  reportSchema.parse(report);
  return report;
}

const withVerdict = (report: Report, verdict: ReportCheck['verdict']): string[] =>
  report.checks.filter((check) => check.verdict === verdict).map((check) => check.metric);

function checkOf(report: Report, metric: string): ReportCheck {
  const found = report.checks.find((check) => check.metric === metric);
  if (!found) throw new Error(`no check of ${metric}`);
  return found;
}

/** The metrics that failed, and nothing may be left open. */
function failed(report: Report): string[] {
  const open = report.checks.filter((check) => check.verdict === 'inconclusive');
  if (open.length > 0) throw new Error(open.map((check) => `${check.id}: ${check.reason}`).join('\n'));
  return withVerdict(report, 'fail');
}

const isRespawned = (life: Life | null): life is Life => life !== null && life.generation > 1;
const aHang = (options: Partial<FaultPlan> = {}): FaultPlan[] => [
  { kind: 'freeze', atMs: CHAOS_AT + 1003, slot: 2, holdMs: 9000, ...options },
];

/** Wrong answers of a respawned worker: no fault explains them, and they are no goodput. */
const WRONG_ANSWERS = new Set(['responses.wrong', 'errors.unattributed', 'throughput.ratio']);

t.test('a healthy refork run', async (t) => {
  const report = judged();

  t.test('passes all objectives that ship', async (t) => {
    t.same(failed(report), []);
    t.equal(report.verdict, 'pass', report.reason);
    t.match(report.reason, /3 faults injected, all 16 objectives met/);
  });

  t.test('loses requests on the victims, and each is attributed to its kill', async (t) => {
    t.ok(report.errors.total >= 3, `${report.errors.total} lost`);
    t.equal(report.errors.unattributed, 0);
    t.same(report.errors.byCause, { 'in-flight-at-kill': report.errors.total });
    const perFault = report.faults.map((fault) => fault.errors);
    t.equal(
      perFault.reduce((a, b) => a + b, 0),
      report.errors.total,
    );
    t.ok(
      perFault.every((count) => count > 0),
      `each kill lost some: ${perFault.join(', ')}`,
    );
  });

  t.test('shows the steps of each recovery in their order', async (t) => {
    for (const { recovery, recovered, recoveryMs } of report.faults) {
      t.equal(recovered, true);
      t.equal(recoveryMs, 90);
      t.match(recovery, { exitMs: 2, noticedMs: 3, forkMs: 5, onlineMs: 47.5, listeningMs: 90 });
      t.ok((recovery.firstResponseMs ?? 0) >= 90);
    }
  });

  t.test('counts per phase, per worker and over time say the same', async (t) => {
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    t.equal(sum(report.series.requests), sum(report.phases.map((phase) => phase.requests)));
    t.equal(sum(report.series.errors), sum(report.phases.map((phase) => phase.errors)));
    t.equal(report.availability.requests, sum(report.phases.slice(1).map((phase) => phase.requests)));
    t.equal(report.balance.perSlot.length, 4);
    t.ok((report.balance.cv ?? 1) < 0.1);
    t.equal(Math.min(...report.series.workersReady.slice(2)), 3, 'the gaps of 90 ms are seen');
  });

  t.test('is judged the same twice, and its evidence is left as it was', async (t) => {
    const input = aRun({ objectives: SHIPPED });
    const before = structuredClone(input);
    t.same(judge(input), judge(input));
    t.same(input, before);
  });
});

t.test('each planted defect flips the check that is about it', async (t) => {
  const defects: readonly [name: string, options: RunOptions, metrics: string[]][] = [
    ['never reforks', { reforkMs: null }, ['recovery.excess', 'workers.missing']],
    ['reforks after 8 s', { reforkMs: 8000, faults: THREE_KILLS.slice(0, 1) }, ['recovery.excess']],
    [
      'answers with another body after a respawn',
      { row: (row, worker) => void (isRespawned(worker) && row.body === HELLO && (row.body = WRONG)) },
      [...WRONG_ANSWERS],
    ],
    [
      'answers with 500 after a respawn',
      { row: (row, worker) => void (isRespawned(worker) && row.status === 200 && (row.status = 500)) },
      [...WRONG_ANSWERS],
    ],
    [
      'is slow after a respawn',
      { row: (row, worker) => void (isRespawned(worker) && row.outcome === 'ok' && (row.latencyMs += 40)) },
      ['generations.slowdown'],
    ],
    [
      'is deaf after a respawn',
      { deaf: (life) => life.generation > 1 && life.slot === 2 },
      ['generations.silent'],
    ],
    [
      'drops the connections of others on a kill',
      {
        row(row, worker) {
          const atKill = THREE_KILLS.some(
            ({ atMs }) => row.dueMs <= atMs && row.dueMs + row.latencyMs > atMs,
          );
          if (atKill && !row.fresh && worker?.slot === 3) broken(row, 'reset', 5);
        },
      },
      ['errors.unattributed'],
    ],
    [
      'refuses while others are alive',
      {
        row(row) {
          const sinceKill = row.dueMs - (THREE_KILLS[0]?.atMs ?? 0);
          if (row.fresh && sinceKill > 200 && sinceKill < 500) broken(row, 'refused', 1);
        },
      },
      ['errors.unattributed'],
    ],
    [
      'blocks its primary for 2 s on each kill',
      {
        row(row) {
          for (const { atMs } of THREE_KILLS) {
            const leftMs = atMs + 2000 - row.dueMs;
            if (row.fresh && row.outcome === 'ok' && leftMs > 0 && leftMs < 2000 - 10)
              row.latencyMs += leftMs;
          }
        },
      },
      ['outage.avoidable'],
    ],
    [
      'forks twice for one death',
      {
        lives(lives) {
          const extra = {
            slot: 5,
            generation: 1,
            pid: 7001,
            spawnMs: CHAOS_AT + 1010,
            listenMs: CHAOS_AT + 1100,
          };
          const never = Number.POSITIVE_INFINITY;
          lives.push({ ...extra, deadMs: never, expected: 'stop', hungFromMs: never, hungToMs: never });
        },
      },
      ['workers.excess'],
    ],
    [
      'has workers that exit by themselves',
      {
        lives(lives) {
          const victim = lives.find((life) => life.slot === 3);
          if (!victim) return;
          victim.deadMs = CHAOS_AT + 9503;
          victim.expected = null;
          lives.push({
            ...victim,
            generation: 2,
            pid: 7002,
            spawnMs: victim.deadMs + 5,
            listenMs: victim.deadMs + 90,
            deadMs: Number.POSITIVE_INFINITY,
            expected: 'stop',
          });
        },
      },
      ['errors.unattributed', 'workers.unexpectedExits'],
    ],
    [
      'lost its primary',
      {
        journal: [
          [CHAOS_AT + 12_000, { type: 'primary.exit', pid: 901, code: 1, signal: null, expected: null }],
        ],
      },
      ['primary.exits'],
    ],
    [
      'leaks descriptors in its primary',
      { primary: { fds: (atMs) => 24 + Math.max(0, atMs - CHAOS_AT) / 100 } },
      ['primary.fds.growth'],
    ],
    [
      'leaks memory in its primary',
      { primary: { rssBytes: (atMs) => 60e6 + Math.max(0, atMs - CHAOS_AT) * 8000 } },
      ['primary.memory.growth'],
    ],
    [
      'has become slow for good',
      { row: (row) => void (row.dueMs > SETTLE_AT && row.outcome === 'ok' && (row.latencyMs *= 8)) },
      ['latency.ratio'],
    ],
    [
      'has lost a tenth of its goodput for good',
      { row: (row) => void (row.dueMs > RECOVERY_AT && row.dueMs % 50 < 4 && broken(row, 'closed', 2)) },
      ['errors.unattributed', 'throughput.ratio'],
    ],
    [
      'leaves processes and ports behind',
      {
        edit: (events) =>
          events.map((event) =>
            event.type === 'leftovers'
              ? { ...event, processes: [{ pid: 31, command: 'node' }], ports: [18_080], stuck: [31] }
              : event,
          ),
      },
      ['leftovers'],
    ],
  ];
  for (const [name, options, metrics] of defects) {
    t.test(name, async (t) => {
      const report = judged(options);
      t.same(new Set(failed(report)), new Set(metrics));
      t.equal(report.verdict, 'fail');
    });
  }
});

t.test('what people are told', async (t) => {
  t.test('which slot never came back, after which fault', async (t) => {
    const report = judged({ reforkMs: null, faults: THREE_KILLS.slice(0, 1) });
    t.match(report.reason, /^slot 2 never came back after fault-1 \(kill at 8 s\)/);
    const check = checkOf(report, 'recovery.excess');
    t.equal(check.actual, null);
    t.equal(check.verdict, 'fail');
    t.ok(check.evidence.length > 0, 'the records that prove it are named');
    t.match(report.faults[0], { recovered: false, recoveryMs: null });
  });

  t.test('which worker ended by itself, and which lost the first request', async (t) => {
    const report = judged({
      lives: (lives) => {
        const victim = lives.find((life) => life.slot === 3);
        if (victim) Object.assign(victim, { deadMs: CHAOS_AT + 9503, expected: null });
      },
    });
    t.match(checkOf(report, 'workers.unexpectedExits').reason, /slot 3 ended by itself \(SIGKILL\)/);
    t.match(checkOf(report, 'errors.unattributed').reason, /\d+ requests? \(\d+ reset\), the first due at/);
    t.ok(report.events.some((event) => event.level === 'error' && /nobody asked for it/.test(event.text)));
  });
});

t.test('a hang', async (t) => {
  t.test('that nobody notices fails, and only that', async (t) => {
    const report = judged({ faults: aHang() });
    t.same(failed(report), ['recovery.excess']);
    t.match(report.reason, /nobody noticed: slot 2 was still hung when it was healed after 9(\.\d+)? s/);
    t.equal(checkOf(report, 'recovery.excess').actual, null);
    t.same(Object.keys(report.errors.byCause), ['stuck-on-hung-worker']);
  });

  t.test('that the supervisor ends within a second passes', async (t) => {
    const report = judged({ faults: aHang({ endedAfterMs: 1000 }) });
    t.same(failed(report), []);
    t.equal(report.faults[0]?.recovered, true);
    t.equal(report.faults[0]?.recoveryMs, 1090);
  });

  t.test('after which the victim exits by itself is not recovered from', async (t) => {
    const lives = (all: Life[]): void => {
      const victim = all.find((life) => life.slot === 2);
      if (!victim) return;
      // A SIGTERM that a stopped process only got when chaos continued it.
      victim.deadMs = victim.hungToMs + 40;
      victim.expected = 'fault-1';
      const spawnMs = victim.deadMs + 5;
      const rest = {
        deadMs: Number.POSITIVE_INFINITY,
        expected: 'stop',
        hungFromMs: Number.POSITIVE_INFINITY,
      };
      all.push({ ...victim, ...rest, generation: 2, pid: 7003, spawnMs, listenMs: spawnMs + 85 });
    };
    t.same(failed(judged({ faults: aHang(), lives })), ['recovery.excess']);
  });

  t.test('that a worker is to survive passes if it does', async (t) => {
    const faults = aHang({ kind: 'block', expect: 'survives', holdMs: 500 });
    const report = judged({ faults, objectives: objectives('workers.unexpectedExits == 0') });
    t.equal(report.verdict, 'pass', report.reason);
    t.equal(report.faults[0]?.recovered, true);
  });

  t.test('that a worker is to survive fails if it does not', async (t) => {
    const faults = aHang({ kind: 'memory-spike', expect: 'survives', endedAfterMs: 700 });
    const report = judged({ faults, objectives: objectives('workers.unexpectedExits == 0') });
    t.same(failed(report), ['workers.unexpectedExits']);
    t.match(report.reason, /slot 2 did not survive fault-1/);
    t.equal(report.faults[0]?.recovered, false);
  });
});

t.test('a worker that survived one fault, and was killed by the next, did survive', async (t) => {
  const [survived] = aHang({ kind: 'memory-spike', expect: 'survives', holdMs: 500 });
  const killed = { atMs: CHAOS_AT + 3003, slot: 2 };
  const report = judged({ faults: survived ? [survived, killed] : [] });
  t.same(failed(report), []);
  t.match(report.faults[0], { recovered: true, reason: null });
  t.match(report.faults[1], { recovered: true, recoveryMs: 90 });
});

t.test('a server that ended in chaos can’t come back', async (t) => {
  const endMs = CHAOS_AT + 4500;
  const report = judged({
    reforkMs: null,
    tornAtMs: endMs,
    edit: (events) => [
      ...events,
      { seq: 9001, atMs: endMs, type: 'primary.exit', pid: 901, code: 0, signal: null, expected: null },
      { seq: 9002, atMs: endMs, type: 'phase.end', phase: 'chaos' },
      { seq: 9003, atMs: endMs + 1, type: 'run.end', outcome: 'completed', reason: 'the server ended' },
    ],
  });
  t.match(report.reason, /^slot 2 never came back after fault-1/);
  t.ok(withVerdict(report, 'fail').includes('primary.exits'));
  t.same(withVerdict(report, 'pass'), [], 'nothing else is taken to be well');
});

t.test('memory that takes 10 s to kill its worker is no slow recovery', async (t) => {
  const faults = aHang({ kind: 'memory-spike', holdMs: 15_000, endedAfterMs: 10_000 });
  const report = judged({ faults });
  t.equal(checkOf(report, 'recovery.excess').verdict, 'pass');
  t.equal(report.faults[0]?.recoveryMs, 10_090);
});

t.test('all workers killed at once', async (t) => {
  const faults = [1, 2, 3, 4].map((slot): FaultPlan => ({ atMs: CHAOS_AT + 3003, slot }));

  t.test('refusals until the first is back have a cause, and the silence was unavoidable', async (t) => {
    const report = judged({ faults, reforkMs: 400 });
    t.same(failed(report), []);
    t.ok((report.errors.byCause['no-worker-left'] ?? 0) > 50);
    const [outage] = report.outages;
    t.ok(outage && outage.durationMs > 380 && outage.durationMs < 450, `${outage?.durationMs}`);
    t.equal(outage?.avoidable, false);
    t.match(outage?.faultId, /^fault-/);
    const total = judge(aRun({ faults, reforkMs: 400, objectives: objectives('outage.longest < 100ms') }));
    t.equal(total.verdict, 'fail');
    t.match(total.reason, /got no right answer for 4\d\d ms after fault-/);
  });

  t.test('refusals that never end are the faults’ only for so long', async (t) => {
    const report = judged({ faults, reforkMs: null });
    t.equal(report.verdict, 'fail');
    const { byCause } = report.errors;
    t.ok((byCause['no-worker-left'] ?? 0) > 0);
    t.ok((byCause['unattributed'] ?? 0) > (byCause['no-worker-left'] ?? 0));
  });
});

t.test('attribution', async (t) => {
  const kill = THREE_KILLS.slice(0, 1);
  const atMs = kill[0]?.atMs ?? 0;
  const hung = (count: number): Report => {
    let left = count;
    return judged({
      faults: kill,
      row(row) {
        if (left === 0 || !row.fresh || row.dueMs < atMs - 30 || row.outcome !== 'ok') return;
        left--;
        broken(row, 'timeout', 2000);
      },
    });
  };

  t.test('two connections lost in a hand-off are Node’s', async (t) => {
    const report = hung(2);
    t.equal(report.errors.byCause['lost-hand-off'], 2);
    t.equal(report.errors.unattributed, 0);
  });

  t.test('more of them are not', async (t) => {
    const report = hung(6);
    t.equal(report.errors.byCause['lost-hand-off'], 2);
    t.equal(report.errors.unattributed, 4);
  });

  t.test('a kept connection is made before it is used, so its loss shows later', async (t) => {
    const lateBy = (ms: number): Report => {
      let left = 1;
      return judged({
        faults: kill,
        row(row) {
          if (left === 0 || row.fresh || row.dueMs < atMs + ms || row.outcome !== 'ok') return;
          left--;
          broken(row, 'timeout', 2000).worker = 0;
        },
      });
    };
    t.same(lateBy(120).errors.byCause['lost-hand-off'], 1);
    t.equal(lateBy(120).errors.unattributed, 0);
    t.equal(lateBy(3000).errors.unattributed, 1);
  });

  t.test(
    'a connection that one kill lost is not the next kill’s, in whose course it times out',
    async (t) => {
      let left = 1;
      const faults = [...kill, { atMs: atMs + 1990, slot: 3 }];
      const report = judged({
        faults,
        row(row) {
          if (left === 0 || !row.fresh || row.dueMs < atMs + 1 || row.outcome !== 'ok') return;
          left--;
          broken(row, 'timeout', 2000);
        },
      });
      t.equal(report.errors.byCause['lost-hand-off'], 1);
      const inFlight = judged({ faults });
      t.equal(report.faults[0]?.errors, (inFlight.faults[0]?.errors ?? 0) + 1);
      t.equal(report.faults[1]?.errors, inFlight.faults[1]?.errors);
    },
  );

  t.test('a timeout far from any fault has no cause', async (t) => {
    const row: RunOptions['row'] = (it) =>
      void (it.fresh && it.dueMs === CHAOS_AT + 12_002.5 && broken(it, 'timeout', 2000));
    t.equal(judged({ faults: kill, row }).errors.unattributed, 1);
  });

  t.test(
    'a 503 from no worker in flight at the kill is the kill’s, and one from a worker is not',
    async (t) => {
      const gateway = (worker: number): Report =>
        judged({
          faults: kill,
          row(row) {
            if (row.outcome === 'ok') return;
            Object.assign(row, { outcome: 'ok', status: 503, worker });
          },
        });
      const proxied = gateway(0);
      t.ok(proxied.errors.total > 0);
      t.same(proxied.errors.byKind, { gateway: proxied.errors.total });
      t.same(failed(proxied), []);
      t.same(new Set(failed(gateway(1301))), new Set(['errors.unattributed', 'responses.wrong']));
    },
  );
});

t.test('what baseline shows', async (t) => {
  t.test('a body that varies in shape without a pattern of workers is a closed set', async (t) => {
    const row: RunOptions['row'] = (it, worker) => {
      if (it.outcome !== 'ok') return;
      it.body = it.dueMs % 15 < 5 ? HELLO : OTHER;
      if (isRespawned(worker)) it.body = WRONG;
    };
    t.same(new Set(failed(judged({ row }))), WRONG_ANSWERS);
  });

  t.test('one unknown shape in thousands is not enough to call it wrong', async (t) => {
    const row: RunOptions['row'] = (it) => {
      if (it.outcome !== 'ok') return;
      it.body = it.dueMs % 15 < 5 ? HELLO : OTHER;
      if (it.dueMs === CHAOS_AT + 11_000) it.body = WRONG;
    };
    t.same(failed(judged({ row })), []);
  });

  t.test('a body that names its worker expects nothing of a new one', async (t) => {
    const names: Record<number, number> = { 1: HELLO, 2: OTHER, 3: HELLO, 4: OTHER };
    const row: RunOptions['row'] = (it, worker) => {
      if (it.outcome !== 'ok' || worker === null) return;
      it.body = worker.generation > 1 ? WRONG : (names[worker.slot] ?? HELLO);
    };
    t.same(failed(judged({ row })), []);
  });

  t.test('a status that was always 404 must stay 404', async (t) => {
    const row: RunOptions['row'] = (it, worker) => {
      if (it.outcome === 'ok') it.status = isRespawned(worker) ? 200 : 404;
    };
    t.same(new Set(failed(judged({ row }))), WRONG_ANSWERS);
  });

  t.test('the request’s own expectStatus overrides it', async (t) => {
    const row: RunOptions['row'] = (it, worker) => {
      if (it.outcome === 'ok' && isRespawned(worker)) it.status = 204;
    };
    t.same(failed(judged({ row, request: { expectStatus: [200, 204] } })), []);
    t.same(new Set(failed(judged({ row, request: { expectStatus: [200] } }))), WRONG_ANSWERS);
  });
});

t.test('noise', async (t) => {
  /** The load process stops for a while: what was due is sent at its end, what had come is read at its end. */
  const stalled = (fromMs: number, ms: number): NonNullable<RunOptions['row']> =>
    function row(it) {
      const toMs = fromMs + ms;
      const endMs = it.dueMs + it.latencyMs;
      if (it.dueMs >= fromMs && it.dueMs < toMs) {
        it.sendDelayMs = toMs - it.dueMs;
        it.latencyMs += it.sendDelayMs;
      } else if (it.dueMs < fromMs && endMs > fromMs && endMs < toMs) it.latencyMs = toMs - it.dueMs;
    };

  for (const [where, atMs] of [
    ['baseline', BASELINE_AT + 2100],
    ['chaos', CHAOS_AT + 2100],
    ['recovery', RECOVERY_AT + 2100],
  ] as const) {
    t.test(`a load that lags 300 ms in ${where} does not fail a good server`, async (t) => {
      const report = judged({ row: stalled(atMs, 300) });
      t.same(failed(report), []);
      t.same(report.outages, [], 'and its lag is no outage of the server');
    });
  }

  /** Answers to what was due in the second half of a second come at the start of the next. */
  const slowInto = (nextMs: number): NonNullable<RunOptions['row']> =>
    function row(it) {
      if (it.dueMs >= nextMs - 500 && it.dueMs < nextMs) it.latencyMs = nextMs - it.dueMs + 1;
    };
  for (const [name, slow, lag] of [
    ['more answers to a second of the baseline', slowInto(BASELINE_AT + 2000), BASELINE_AT + 700],
    ['fewer answers to one of the recovery', slowInto(RECOVERY_AT + 3000), RECOVERY_AT + 3700],
  ] as const) {
    t.test(`a busy machine that gives ${name} is no loss of throughput`, async (t) => {
      const stall = stalled(lag, 200);
      const report = judged({
        row(it, worker) {
          slow(it, worker);
          stall(it, worker);
        },
      });
      const { verdict, actual } = checkOf(report, 'throughput.ratio');
      t.equal(verdict, 'pass');
      t.ok(actual !== null && actual > 0.98 && actual < 1.02, `${actual}`);
    });
  }

  t.test('a broken limit is inconclusive where the load lagged as much', async (t) => {
    const input = aRun({
      row: stalled(CHAOS_AT + 2100, 300),
      objectives: objectives('latency.p99@chaos < 50ms', 'outage.longest < 100ms'),
    });
    const report = judge(input);
    t.equal(checkOf(report, 'latency.p99').verdict, 'inconclusive');
    t.match(checkOf(report, 'latency.p99').reason, /the harness lagged/);
    t.equal(checkOf(report, 'outage.longest').verdict, 'pass');
  });

  t.test(
    'a server that is slow for one second of recovery passes, one that is for all does not',
    async (t) => {
      const slow = (untilMs: number): Report =>
        judged({ row: (it) => void (it.dueMs > RECOVERY_AT && it.dueMs < untilMs && (it.latencyMs += 150)) });
      t.same(failed(slow(RECOVERY_AT + 1000)), []);
      t.same(failed(slow(END_AT)), ['latency.ratio']);
    },
  );

  t.test('without round robin an idle respawned worker is no finding', async (t) => {
    const deaf = (life: Life): boolean => life.generation > 1;
    const report = judged({ scheduling: 'none', deaf });
    t.same(failed(report), []);
    t.match(checkOf(report, 'generations.silent').reason, /not looked at/);
  });
});

t.test('a target without an agent passes, and the report says what was not looked at', async (t) => {
  const report = judged({
    visibility: 'process-table',
    scheduling: 'unknown',
    edit: (events) => events.filter((event) => event.type !== 'resources' && event.type !== 'worker.noticed'),
  });
  t.same(failed(report), []);
  t.equal(report.verdict, 'pass', report.reason);
  for (const metric of ['generations.silent', 'generations.slowdown', 'primary.fds.growth']) {
    t.match(checkOf(report, metric).reason, /^not looked at/);
  }
  const never = judged({ visibility: 'process-table', scheduling: 'unknown', reforkMs: null });
  t.equal(never.verdict, 'fail');
});

t.test('a journal that breaks off', async (t) => {
  t.test('in chaos, with nothing broken: inconclusive, never pass', async (t) => {
    const report = judged({ tornAtMs: CHAOS_AT + 5000 });
    t.equal(report.verdict, 'inconclusive');
    t.same(withVerdict(report, 'fail'), []);
    t.equal(report.faults.length, 2, 'faults that were not due yet are not held against it');
  });

  t.test('in chaos, with something broken: fail', async (t) => {
    const row: RunOptions['row'] = (it) => void (it.dueMs === CHAOS_AT + 3000 && broken(it, 'reset', 3));
    const report = judged({ tornAtMs: CHAOS_AT + 5000, row });
    t.equal(report.verdict, 'fail');
    t.same(withVerdict(report, 'fail'), ['errors.unattributed']);
  });

  t.test('half a second after a kill: whether its slot came back is not known', async (t) => {
    const report = judged({ tornAtMs: (THREE_KILLS[1]?.atMs ?? 0) + 500, reforkMs: 2000 });
    t.equal(report.faults[1]?.recovered, null);
    t.equal(checkOf(report, 'recovery.excess').verdict, 'inconclusive');
  });

  t.test('at any moment: a report that is valid, and never a pass', async (t) => {
    for (let tornAtMs = -1950; tornAtMs < END_AT; tornAtMs += 1700) {
      t.not(judged({ tornAtMs }).verdict, 'pass', `torn at ${tornAtMs} ms`);
    }
  });

  t.test('before its first record: an error that says so', async (t) => {
    const { samples } = aRun();
    t.throws(() => judge({ journal: [], samples }), /does not hold the start of a run/);
  });
});

t.test('a run that proves nothing is inconclusive', async (t) => {
  const edited = (edit: RunOptions['edit'], more: RunOptions = {}): Report =>
    judged({ ...more, ...(edit ? { edit } : {}) });
  const ended =
    (outcome: 'unhealthy' | 'interrupted' | 'error'): RunOptions['edit'] =>
    (events) =>
      events.map((e) => (e.type === 'run.end' ? { ...e, outcome, reason: 'as it was' } : e));

  t.test('no fault', async (t) => {
    const report = judged({ faults: [] });
    t.equal(report.verdict, 'inconclusive');
    t.match(report.reason, /no fault/);
  });

  t.test('no load', async (t) => {
    const input = aRun({ objectives: SHIPPED, tornAtMs: Number.POSITIVE_INFINITY });
    const { columns } = aRun({ tornAtMs: -1 }).samples;
    const report = judge({ ...input, samples: { columns, bodies: input.samples.bodies } });
    t.equal(columns.count, 0);
    t.equal(report.verdict, 'inconclusive');
  });

  t.test('a fault without proof', async (t) => {
    for (const proof of ['none', 'ineffective'] as const) {
      const [first, ...rest] = THREE_KILLS;
      const report = judged({ faults: [{ ...first, atMs: first?.atMs ?? 0, slot: 2, proof }, ...rest] });
      t.equal(report.verdict, 'inconclusive');
      t.match(report.reason, /fault-1 at 8 s: /);
      t.same(withVerdict(report, 'inconclusive'), ['faults.ineffective']);
    }
  });

  for (const outcome of ['unhealthy', 'interrupted', 'error'] as const) {
    t.test(`a run that ended ${outcome}`, async (t) => {
      const report = edited(ended(outcome));
      t.equal(report.verdict, 'inconclusive');
      t.match(report.reason, /as it was/);
    });
  }

  t.test('a baseline that was not steady, whatever was seen after it', async (t) => {
    const report = edited(
      (events) =>
        events.map((e) => (e.type === 'steady' ? { ...e, proven: false, reason: 'half of it failed' } : e)),
      { reforkMs: null },
    );
    t.equal(report.verdict, 'inconclusive');
    t.match(report.reason, /half of it failed/);
  });

  t.test('an interrupted run that had shown a defect still fails', async (t) => {
    t.equal(edited(ended('interrupted'), { reforkMs: null }).verdict, 'fail');
  });
});

t.test('a million requests', async (t) => {
  const small = aRun({ objectives: SHIPPED });
  const times = (factor: number): JudgeInput => {
    const { columns } = small.samples;
    const count = columns.count * factor;
    const stretch = <T extends Float64Array | Float32Array | Uint32Array | Uint16Array | Uint8Array>(
      column: T,
    ): T => {
      const all = new (column.constructor as new (length: number) => T)(count);
      for (let row = 0; row < count; row++) all[row] = column[Math.floor(row / factor)] ?? 0;
      return all;
    };
    const wide = Object.entries(columns).map(([name, column]) => [
      name,
      typeof column === 'number' ? count : stretch(column),
    ]);
    return { ...small, samples: { ...small.samples, columns: Object.fromEntries(wide) as SampleColumns } };
  };
  const cpuMs = (input: JudgeInput): { readonly ms: number; readonly report: Report } => {
    const before = process.cpuUsage();
    const report = judge(input);
    const { user, system } = process.cpuUsage(before);
    return { ms: (user + system) / 1000, report };
  };
  judge(small);
  const tenth = cpuMs(times(9));
  const whole = cpuMs(times(90));

  t.test('make a report under 2 MB, with a bounded number of points', async (t) => {
    t.ok(whole.report.availability.requests > 1e6);
    t.equal(whole.report.verdict, 'pass', whole.report.reason);
    t.ok(JSON.stringify(whole.report).length < 2e6);
    t.ok(whole.report.series.requests.length <= 1200);
  });

  t.test('take about ten times as long as a tenth of them', async (t) => {
    t.ok(whole.ms < tenth.ms * 30, `${tenth.ms} ms, then ${whole.ms} ms`);
  });
});
