import t, { type Test } from 'tap';
import type { Report } from '../../dist/model/report.js';
import { chaos, scenarioFile, server } from '../support/chaos.ts';

// Most of a run is waiting.
t.jobs = 2;

/** A tenth of the usual load: what is tested is what supervisors do, on a machine that others use too. */
const COMMON = `load: { rate: 60, connections: 6 }, objectives`;

interface Ended {
  readonly code: number | null;
  readonly text: string;
  readonly report: Report;
  /** The verdict of that objective's metric. */
  readonly check: (metric: string) => Report['checks'][number] | undefined;
}

async function judged(
  t: Test,
  fixture: string,
  {
    chaosPhase = '6s',
    settle = '12s',
    faults,
    objectives,
  }: Record<'faults', string> & { chaosPhase?: string; settle?: string; objectives: readonly string[] },
): Promise<Ended> {
  const body = `{ phases: { ...phases, warmup: '500ms', chaos: '${chaosPhase}', settle: '${settle}', recovery: '2s' }, ${COMMON}: ${JSON.stringify(objectives)}, faults: [${faults}] }`;
  const run = chaos(t, ['run', scenarioFile(t, body), '--target', server(fixture), '--workers', '2']);
  const { code, stdout, stderr } = await run.done;
  const report = run.report();
  return {
    code,
    text: `${stdout}\n${stderr}\n${JSON.stringify(report.faults)}`,
    report,
    check: (metric) => report.checks.find((check) => check.metric === metric),
  };
}

function bySlot(workers: Report['workers']): Report['workers'] {
  return [...workers].sort((a, b) => a.slot - b.slot || a.generation - b.generation);
}

/** What holds for a supervisor that does as it is asked. */
const UNHARMED = [
  'errors.total == 0',
  'errors.unattributed == 0',
  'workers.missing@recovery == 0',
  'workers.excess == 0',
  'workers.unexpectedExits == 0',
  'primary.exits == 0',
  'leftovers == 0',
];

t.test('reload', async (t) => {
  const RELOAD = {
    faults: `{ name: 'reload', fault: reload(), schedule: at('300ms') }`,
    objectives: UNHARMED,
  };

  t.test('with the new worker up before the old one drains, no request fails', async (t) => {
    const { code, text, report } = await judged(t, 'supervises.cjs', RELOAD);
    t.equal(code, 0, text);
    t.match(report.faults[0], { kind: 'signal', effective: true, evidence: { workers: 2, replaced: 2 } });
    t.same(
      bySlot(report.workers).map(({ slot, generation, expected }) => [slot, generation, expected]),
      [
        [1, 1, 'supervisor'],
        [1, 2, 'stop'],
        [2, 1, 'supervisor'],
        [2, 2, 'stop'],
      ],
      'each slot has one successor, and the exits are the supervisor’s own',
    );
  });

  t.test('what it drops is excused by nothing, and fails the run', async (t) => {
    const { code, text, report, check } = await judged(t, 'reload-drops-requests.cjs', RELOAD);
    t.equal(code, 1, text);
    t.equal(report.faults[0]?.effective, true);
    t.equal(check('errors.unattributed')?.verdict, 'fail');
    t.equal(report.errors.unattributed, report.errors.total);
    t.equal(check('workers.unexpectedExits')?.verdict, 'pass', 'the exits are the supervisor’s own');
  });

  t.test('one that stops halfway, or never was, proves nothing', async (t) => {
    const faults = RELOAD.faults.replace('reload()', `reload({ within: '3s' })`);
    const half = await judged(t, 'reloads-half.cjs', { ...RELOAD, faults, chaosPhase: '4s' });
    t.equal(half.code, 2, half.text);
    t.match(half.check('faults.ineffective')?.reason, /1 of 2 workers had been replaced/);
    const deaf = await judged(t, 'reforks.cjs', { ...RELOAD, faults, chaosPhase: '1s' });
    t.equal(deaf.code, 2, deaf.text);
    t.match(deaf.check('faults.ineffective')?.reason, /does not listen for SIGHUP/);
    t.equal(deaf.check('primary.exits')?.verdict, 'pass', 'a signal that would kill it is not sent');
  });
});

t.test('scale', async (t) => {
  const SCALE = {
    chaosPhase: '8s',
    faults: `{ name: 'up', fault: scale({ by: 1, within: '3s' }), schedule: at('300ms') },
      { name: 'down', fault: scale({ by: -1, within: '3s' }), schedule: at('4s') }`,
    objectives: UNHARMED,
  };

  t.test('one more and one fewer is seen, with no worker missing or in excess', async (t) => {
    const { code, text, report } = await judged(t, 'supervises.cjs', SCALE);
    t.equal(code, 0, text);
    t.match(
      report.faults.map(({ evidence }) => evidence),
      [
        { by: 1, from: 2, to: 3 },
        { by: -1, from: 3, to: 2 },
      ],
    );
  });

  t.test('a supervisor that does not do it proves nothing', async (t) => {
    const { code, text, check } = await judged(t, 'scale-not-done.cjs', SCALE);
    t.equal(code, 2, text);
    t.match(check('faults.ineffective')?.reason, /2 workers were ready in place of 3/);
  });
});

t.test('crash loop', async (t) => {
  const LOOP = {
    faults: `{ name: 'loop', fault: crashLoop({ hold: '5s' }), schedule: at('300ms') }`,
    objectives: [
      'crashloop.forksPer10s <= 8',
      'recovery.excess < 5s',
      'errors.unattributed == 0',
      'workers.missing@recovery == 0',
      'workers.unexpectedExits == 0',
    ],
  };

  t.test('slowed down, it costs few boots, and capacity is back after it', async (t) => {
    const { code, text, report } = await judged(t, 'supervises.cjs', LOOP);
    t.equal(code, 0, text);
    const [fault] = report.faults;
    t.match(fault, { kind: 'crash-loop', effective: true, recovered: true });
    t.ok(Number(fault?.evidence['crashes']) >= 2, 'it was a loop');
    t.ok((fault?.recoveryMs ?? 0) > 4000, 'nobody came back while boots crashed');
  });

  t.test('without any pause it fails for its boots alone', async (t) => {
    const { code, text, report, check } = await judged(t, 'retries-at-once.cjs', LOOP);
    t.equal(code, 1, text);
    t.equal(check('crashloop.forksPer10s')?.verdict, 'fail');
    t.match(check('crashloop.forksPer10s')?.reason, /crashed at boot/);
    t.equal(check('recovery.excess')?.verdict, 'pass', text);
    t.equal(report.faults[0]?.effective, true);
  });

  t.test('a supervisor that gives up is not back', async (t) => {
    const { code, text, check } = await judged(t, 'gives-up.cjs', { ...LOOP, settle: '6s' });
    t.equal(code, 1, text);
    t.equal(check('recovery.excess')?.verdict, 'fail');
    t.equal(check('workers.missing')?.verdict, 'fail');
  });
});

t.test('primary kill', async (t) => {
  const KILL = {
    chaosPhase: '8s',
    faults: `{ name: 'hang', fault: blockEventLoop({ hold: '6s', select: slot(1), expect: 'any' }), schedule: at('300ms') },
      { name: 'primary', fault: primaryKill(), schedule: at('800ms') }`,
    objectives: [
      'primary.orphans == 0',
      'outage.longest < 10s',
      'errors.unattributed == 0',
      'recovery.excess < 10s',
      'workers.missing@recovery == 0',
      'workers.excess == 0',
      'workers.unexpectedExits == 0',
      'primary.exits == 0',
      'primary.fds.growth < 20',
      'leftovers == 0',
    ],
  };

  t.test('with nobody left behind the server is started again, and serves', async (t) => {
    const { code, text, report } = await judged(t, 'supervises.cjs', KILL);
    t.equal(code, 0, text);
    const fault = report.faults.find(({ kind }) => kind === 'primary-kill');
    t.match(fault, { effective: true, recovered: true, evidence: { orphans: 0, portHeld: false } });
    t.ok((report.errors.byCause['primary-down'] ?? 0) > 0, 'what that cost is laid at the fault');
    t.same(
      bySlot(report.workers.filter(({ expected }) => expected === 'stop')).map(({ slot, generation }) => [
        slot,
        generation,
      ]),
      [
        [1, 2],
        [2, 2],
      ],
    );
  });

  t.test('workers that outlive it and keep its port fail the run by name', async (t) => {
    const { code, text, report, check } = await judged(t, 'orphans-keep-port.cjs', KILL);
    t.equal(code, 1, text);
    const fault = report.faults.find(({ kind }) => kind === 'primary-kill');
    const pids = report.workers.filter(({ generation }) => generation === 1).map(({ pid }) => pid);
    t.match(check('primary.orphans'), { verdict: 'fail', actual: 3 });
    for (const pid of pids) t.match(check('primary.orphans')?.reason, String(pid));
    t.match(report.reason, /left 2 s after the primary was killed/);
    t.equal(
      fault?.recovered,
      true,
      'as with systemd, what is left is ended, and the server is started again',
    );
  });
});
