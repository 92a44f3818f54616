import t from 'tap';
import type { Evidence, JournalEntry } from '../../dist/model/journal.js';
import type { Report, ReportCheck } from '../../dist/model/report.js';
import { parseObjective } from '../../dist/scenario/parse-objective.js';
import { resilienceObjectives } from '../../dist/scenario/resilience-objectives.js';
import { METRICS } from '../../dist/verify/catalogue.js';
import { judge } from '../../dist/verify/judge.js';
import { aRun, broken, CHAOS_AT, END_AT, type Life, type RunOptions } from './evidence-builder.ts';

const AT = CHAOS_AT + 2000;
const PRIMARY = 901;

type Records = NonNullable<RunOptions['journal']>;

interface Deed {
  readonly kind: string;
  readonly atMs?: number;
  readonly doneMs?: number;
  readonly pids?: readonly number[];
  readonly expect?: 'replaced' | 'survives' | 'any';
  readonly evidence?: Evidence;
  readonly healedMs?: number;
}

/** The records of a fault: `doneMs` and `healedMs` after it. */
function fault({ kind, atMs = AT, doneMs = 500, pids = [PRIMARY], ...rest }: Deed): Records {
  const faultId = `${kind}-1`;
  const { expect = 'replaced', evidence = { seen: true }, healedMs } = rest;
  const inject = { faultId, kind, slots: [], pids, plannedAtMs: atMs, expect, holdMs: null };
  const heal: readonly [number, JournalEntry][] =
    healedMs === undefined
      ? []
      : [[atMs + healedMs, { type: 'fault.heal', faultId, ok: true, how: 'healed', evidence: {} }]];
  return [
    [atMs, { type: 'fault.inject', ...inject }],
    [atMs + doneMs, { type: 'fault.effect', faultId, effective: true, evidence, reason: null }],
    ...heal,
  ];
}

function judged(options: RunOptions, ...objectives: readonly string[]): Report {
  const texts = objectives.length > 0 ? objectives : resilienceObjectives({ recoveryExcess: null });
  return judge(
    aRun({ faults: [], ...options, objectives: texts.map((text) => parseObjective(text, METRICS)) }),
  );
}

const failed = (report: Report): readonly string[] =>
  report.checks.filter(({ verdict }) => verdict === 'fail').map(({ metric }) => metric);
const checkOf = (report: Report, metric: string): ReportCheck | undefined =>
  report.checks.find((check) => check.metric === metric);

/** The next generation of a slot. */
function born(slot: number, generation: number, spawnMs: number, listenMs: number): Life {
  const never = Number.POSITIVE_INFINITY;
  const pid = 1000 + slot * 100 + generation;
  return {
    slot,
    generation,
    pid,
    spawnMs,
    listenMs,
    deadMs: never,
    expected: 'stop',
    hungFromMs: never,
    hungToMs: never,
  };
}

t.test('a reload excuses nothing', async (t) => {
  const journal = fault({ kind: 'signal', expect: 'survives' });
  /** Each worker leaves 600 ms after its successor listens, as its supervisor wants it. */
  const lives = (all: Life[]): void => {
    for (const [index, life] of [...all].entries()) {
      all.push(born(life.slot, 2, AT + index * 20, AT + 200 + index * 20));
      life.deadMs = AT + 800 + index * 20;
      life.expected = 'supervisor';
    }
  };
  /** Who leaves finishes what it has. */
  const drained: RunOptions['row'] = (row, worker) => {
    if (row.outcome !== 'reset' || worker === null) return;
    Object.assign(row, { outcome: 'ok', status: 200, body: 1, latencyMs: 18, worker: worker.pid });
  };

  t.test('without a dropped request it passes, surge and exits included', async (t) => {
    const report = judged({ journal, lives, row: drained });
    t.same(failed(report), []);
    t.equal(report.verdict, 'pass', report.reason);
  });

  t.test('what ends with the old workers is unattributed', async (t) => {
    const report = judged({ journal, lives });
    t.ok(report.errors.total > 0);
    t.equal(report.errors.unattributed, report.errors.total);
    t.same(failed(report), ['errors.unattributed']);
  });

  t.test('and so is what is refused, stuck or closed while it lasts, on whichever connection', async (t) => {
    for (const outcome of ['refused', 'timeout', 'closed', 'reset'] as const) {
      const row: RunOptions['row'] = (it, worker) => {
        drained(it, worker);
        if (it.dueMs >= AT + 100 && it.dueMs < AT + 120)
          broken(it, outcome, outcome === 'timeout' ? 2000 : 2);
      };
      const report = judged({ journal, lives, row });
      t.ok(report.errors.total > 0);
      t.equal(report.errors.unattributed, report.errors.total, outcome);
    }
  });
});

t.test('the number of workers that is wanted follows what was asked for', async (t) => {
  const UP = fault({ kind: 'signal', expect: 'survives', doneMs: 1500 });
  const asked: Records = [...UP, [AT + 1500, { type: 'workers.wanted', faultId: 'signal-1', workers: 5 }]];
  const fifth = (all: Life[]): void => void all.push(born(5, 1, AT + 50, AT + 200));

  t.same(failed(judged({ journal: asked, lives: fifth })), [], 'one more is none too many, from the start');
  t.same(failed(judged({ journal: UP, lives: fifth })), ['workers.excess'], 'unless nobody asked for it');
  t.same(failed(judged({ journal: asked })), ['workers.missing'], 'and is missing where it did not come');
  const two = (all: Life[]): void => {
    fifth(all);
    all.push(born(6, 1, AT + 50, AT + 200));
  };
  t.same(failed(judged({ journal: asked, lives: two })), ['workers.excess'], 'two more are one too many');
});

t.test('a killed primary', async (t) => {
  const RESTARTED = 400;
  const journal: Records = [
    ...fault({
      kind: 'primary-kill',
      doneMs: 200,
      evidence: { orphans: 0, portHeld: false, withinMs: 2000 },
    }),
    [AT + 2, { type: 'primary.exit', pid: PRIMARY, code: null, signal: null, expected: 'primary-kill-1' }],
    [AT + RESTARTED, { type: 'target.restart', faultId: 'primary-kill-1', pid: 902, killed: [] }],
    [AT + RESTARTED + 50, { type: 'primary.up', pid: 903 }],
  ];
  const objectives = [
    'recovery.excess < 1s',
    'primary.orphans == 0',
    'errors.unattributed == 0',
    'workers.missing@recovery == 0',
    'workers.excess == 0',
    'workers.unexpectedExits == 0',
    'primary.exits == 0',
    'outage.avoidable < 100ms',
  ];
  /** Its workers end 100 ms after it, and nobody asked them to; the new ones listen `backMs` after the restart. */
  const lives =
    (backMs: number) =>
    (all: Life[]): void => {
      for (const life of all.slice()) {
        life.deadMs = AT + 100;
        life.expected = null;
        all.push(born(life.slot, 2, AT + RESTARTED + 60, AT + RESTARTED + backMs));
      }
    };
  /** The port is the primary's: without it nothing new gets in. */
  const closed: RunOptions['row'] = (row) => {
    if (row.fresh && row.dueMs > AT && row.dueMs < AT + 100) broken(row, 'refused', 1);
  };

  t.test('costs what is under way and what comes until the next one serves, and no more', async (t) => {
    const report = judged({ journal, lives: lives(200), row: closed }, ...objectives);
    t.same(failed(report), []);
    t.equal(report.verdict, 'pass', report.reason);
    t.same(report.errors.byCause, { 'primary-down': report.errors.total });
    t.match(report.faults[0], { recovered: true, recoveryMs: RESTARTED + 200 });
  });

  t.test(
    'costs no more where its workers are seen to end before itself, and not before the kill',
    async (t) => {
      const edited = journal.map(([atMs, entry]) =>
        entry.type === 'primary.exit' ? ([AT + 22, entry] as const) : ([atMs, entry] as const),
      );
      const endAt =
        (ms: number) =>
        (all: Life[]): void => {
          lives(200)(all);
          for (const life of all) if (life.generation === 1) life.deadMs = AT + ms;
        };
      const report = judged({ journal: edited, lives: endAt(12), row: closed }, ...objectives);
      t.same(failed(report), []);
      t.same(report.errors.byCause, { 'primary-down': report.errors.total });
      const before = judged({ journal: edited, lives: endAt(-19), row: closed }, ...objectives);
      t.ok(failed(before).includes('workers.unexpectedExits'));
    },
  );

  t.test('does not excuse what fails once the new one serves', async (t) => {
    const row: RunOptions['row'] = (it, worker) => {
      closed(it, worker);
      if (it.dueMs > AT + 3000 && it.dueMs < AT + 3100) broken(it, 'refused', 1);
    };
    t.same(failed(judged({ journal, lives: lives(200), row }, ...objectives)), ['errors.unattributed']);
  });

  t.test('has not recovered while its workers are too slow, or never come', async (t) => {
    const slow = judged({ journal, lives: lives(1500), row: closed }, ...objectives);
    t.same(failed(slow), ['recovery.excess'], 'the time until we restart it is ours, the rest is not');
    const ends = (all: Life[]): void => {
      for (const life of all) Object.assign(life, { deadMs: AT + 100, expected: null });
    };
    const gone = judged({ journal, lives: ends, row: closed }, ...objectives);
    t.ok(failed(gone).includes('recovery.excess') && failed(gone).includes('workers.missing'));
    t.match(checkOf(gone, 'recovery.excess')?.reason, /the primary never came back/);
  });

  t.test('leaves orphans that are named', async (t) => {
    const evidence = { orphans: 2, orphanPids: '1101, 1201', portHeld: true, withinMs: 2000 };
    const edited = journal.map(([atMs, entry]) =>
      entry.type === 'fault.effect' ? ([atMs, { ...entry, evidence }] as const) : ([atMs, entry] as const),
    );
    const report = judged({ journal: edited, lives: lives(200), row: closed }, ...objectives);
    t.same(failed(report), ['primary.orphans']);
    t.match(report.reason, /2 processes \(pid 1101, 1201\), and the port/);
  });

  t.test('explains the exits of its own workers, and of no later one', async (t) => {
    const late = (all: Life[]): void => {
      lives(200)(all);
      const victim = all.find(({ slot, generation }) => slot === 2 && generation === 2);
      if (victim) Object.assign(victim, { deadMs: AT + 6000, expected: null });
      all.push(born(2, 3, AT + 6005, AT + 6090));
    };
    t.ok(
      failed(judged({ journal, lives: late, row: closed }, ...objectives)).includes(
        'workers.unexpectedExits',
      ),
    );
  });
});

t.test('a crash loop: the time while nobody can come back is not the supervisor’s', async (t) => {
  const HOLD = 4000;
  const journal = fault({
    kind: 'crash-loop',
    pids: [1201],
    doneMs: 200,
    healedMs: HOLD,
    evidence: { crashes: 6, crashesPer10s: 6 },
  });
  const lives =
    (backMs: number) =>
    (all: Life[]): void => {
      const victim = all.find(({ pid }) => pid === 1201);
      if (victim) Object.assign(victim, { deadMs: AT, expected: 'crash-loop-1' });
      // Three boots that crash, and one that does not.
      for (const [n, atMs] of [0, 1000, 2500].entries()) {
        const boot = born(2, n + 2, AT + atMs + 5, Number.POSITIVE_INFINITY);
        all.push(Object.assign(boot, { deadMs: AT + atMs + 60, expected: 'crash-loop-1' }));
      }
      all.push(born(2, 5, AT + HOLD + 10, AT + HOLD + backMs));
    };
  const objectives = [
    'recovery.excess < 1s',
    'crashloop.forksPer10s <= 6',
    'errors.unattributed == 0',
    'workers.unexpectedExits == 0',
    'workers.missing@recovery == 0',
  ];
  const quick = judged({ journal, lives: lives(300) }, ...objectives);
  t.same(failed(quick), []);
  t.equal(quick.verdict, 'pass', quick.reason);
  t.match(quick.faults[0], { recovered: true, recoveryMs: HOLD + 300 });
  t.same(failed(judged({ journal, lives: lives(2500) }, ...objectives)), ['recovery.excess']);
  const strict = [...objectives.filter((it) => !it.includes('forks')), 'crashloop.forksPer10s <= 5'];
  const forks = judged({ journal, lives: lives(300) }, ...strict);
  t.same(failed(forks), ['crashloop.forksPer10s']);
  t.match(forks.reason, /6 workers crashed at boot/);
  t.ok(END_AT > AT + HOLD + 2500);
});
