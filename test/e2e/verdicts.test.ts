import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chaos, LOW, scenarioFile, server } from '../support/chaos.ts';

const KILLS = `{ phases, ${LOW}, faults: [
  { name: 'kill', fault: kill(), schedule: at('500ms') },
  { name: 'exit', fault: kill({ signal: 'exit', code: 1 }), schedule: at('2s') },
  { name: 'again', fault: kill(), schedule: at('3500ms') },
] }`;

t.test('a cluster that reforks passes, with exit code 0, a report and nothing unattributed', async (t) => {
  const run = chaos(t, [
    'run',
    scenarioFile(t, KILLS),
    '--target',
    server('reforks.cjs'),
    '--seed',
    '1',
    '--json',
  ]);
  const { code, stdout, stderr } = await run.done;
  t.equal(code, 0, stderr);
  const report = run.report();
  t.same(JSON.parse(stdout), report, 'with --json, stdout is the report document and nothing else');
  t.equal(report.verdict, 'pass');
  t.equal(report.errors.unattributed, 0);
  t.equal(report.faults.length, 3);
  t.ok(report.faults.every((fault) => fault.effective && fault.recovered));
  t.ok(report.run.seed === '1' && report.run.replay.includes('--seed 1'));
  t.match(readFileSync(join(run.dir(), 'report.html'), 'utf8'), /^<!doctype html>/i);
});

t.test(
  'the cluster example of the Node documentation, which never reforks, fails with exit code 1',
  async (t) => {
    const run = chaos(t, ['run', scenarioFile(t, KILLS), '--target', server('never-reforks.cjs')]);
    const { code, stdout } = await run.done;
    t.equal(code, 1, stdout);
    t.equal(run.report().verdict, 'fail');
  },
);

t.test('pm2-runtime passes a kill, and fails a hang, because nobody notices it', async (t) => {
  const body = `{ phases: { ...phases, chaos: '6s' }, ${LOW}, faults: [
    { name: 'kill', fault: kill({ select: slot(1) }), schedule: at('500ms') },
    { name: 'freeze', fault: freeze({ hold: '3s', select: slot(2) }), schedule: at('2500ms') },
  ] }`;
  const target = 'pm2-runtime start test/fixtures/servers/healthy-app.cjs -i 2';
  const run = chaos(t, ['run', scenarioFile(t, body), '--target', target]);
  const { code, stdout } = await run.done;
  t.equal(code, 1, stdout);
  const { faults, checks } = run.report();
  t.equal(faults.find((fault) => fault.id === 'kill-1')?.recovered, true);
  t.equal(faults.find((fault) => fault.id === 'freeze-1')?.recovered, false);
  t.match(checks.find((check) => check.metric === 'recovery.excess')?.reason, /noticed/);
});

t.test('a supervisor with a heartbeat passes freeze and event-loop block', async (t) => {
  const body = `{ phases: { ...phases, chaos: '11s' }, ${LOW}, faults: [
    { name: 'freeze', fault: freeze({ hold: '5s' }), schedule: at('500ms') },
    { name: 'block', fault: blockEventLoop({ hold: '5s' }), schedule: at('6s') },
  ] }`;
  const run = chaos(t, ['run', scenarioFile(t, body), '--target', server('heartbeat.cjs'), '--workers', '3']);
  const { code, stdout } = await run.done;
  t.equal(code, 0, stdout);
  t.ok(run.report().faults.every((fault) => fault.effective && fault.recovered));
});

t.test(
  'memory: a spike below the limit is survived, one to the limit ends in a replaced worker',
  async (t) => {
    const body = `{ phases: { ...phases, chaos: '9s' }, ${LOW}, target: { env: { NODE_OPTIONS: '--max-old-space-size=96' } }, faults: [
    { name: 'small', fault: memorySpike({ size: '24MB', hold: '1s', select: slot(1) }), schedule: at('500ms') },
    { name: 'off-heap', fault: memorySpike({ where: 'off-heap', size: '48MB', hold: '1s', select: slot(2) }), schedule: at('500ms') },
    { name: 'limit', fault: memorySpike({ size: 'limit', hold: '5s', select: slot(1) }), schedule: at('3s') },
  ] }`;
    const run = chaos(t, ['run', scenarioFile(t, body), '--target', server('reforks.cjs')]);
    const { code, stdout } = await run.done;
    t.equal(code, 0, stdout);
    const limit = run.report().faults.find((fault) => fault.id === 'limit-1');
    t.match(limit, { effective: true, recovered: true });
  },
);

t.test('a fault that cannot take effect is inconclusive, with exit code 2', async (t) => {
  const body = `{ phases: { ...phases, chaos: '1s', recovery: '1s' }, ${LOW}, objectives: ['primary.exits == 0'], faults: [
    { name: 'throw', fault: kill({ signal: 'uncaught' }), schedule: at('500ms') },
  ] }`;
  const swallows = `NODE_OPTIONS="$NODE_OPTIONS --require ${join(import.meta.dirname, '../fixtures/swallows-exceptions.cjs')}" ${server('reforks.cjs')}`;
  const run = chaos(t, ['run', scenarioFile(t, body), '--target', swallows]);
  const { code, stdout } = await run.done;
  t.equal(code, 2, stdout);
  t.equal(run.report().verdict, 'inconclusive');
  t.equal(run.report().faults[0]?.effective, false);
});

t.test(
  '--repeat runs derived seeds and the report says how each went; replay runs the same plan again',
  async (t) => {
    const body = `{ phases: { ...phases, baseline: '1s', chaos: '3s', recovery: '2s' }, ${LOW}, faults: [{ name: 'kill', fault: kill(), schedule: at('500ms') }] }`;
    const file = scenarioFile(t, body);
    const run = chaos(t, ['run', file, '--target', server('reforks.cjs'), '--seed', 'x', '--repeat', '2']);
    const { code, stdout } = await run.done;
    t.equal(code, 0, stdout);
    t.same(
      run.report().repeats?.map((repeat) => [repeat.seed, repeat.verdict]),
      [
        ['x', 'pass'],
        ['x.2', 'pass'],
      ],
    );
    const again = chaos(t, ['replay', run.dir()]);
    t.equal((await again.done).code, 0);
    t.equal(again.report().run.planHash, run.report().run.planHash);
  },
);
