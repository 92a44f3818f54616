import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commandTarget } from '../../dist/target/command-target.js';
import { targetEnvironment } from '../../dist/target/environment.js';
import { WorkerTable } from '../../dist/target/worker-table.js';
import { startTarget, targetAdapterContract } from '../contract/target-adapter.ts';
import { chaos, scenarioFile, server, tempDir } from '../support/chaos.ts';

// Each test has a server of its own, and most of it is waiting for that.
t.jobs = 2;

const never = new AbortController().signal;

t.test('the command adapter keeps the contract of target adapters', (t) => {
  targetAdapterContract(t, commandTarget, {
    healthy: server('reforks.cjs'),
    crashes: server('crashes-at-boot.cjs'),
    silent: server('never-listens.cjs'),
  });
  t.end();
});

t.test('PORT may be ignored: where the server listens is found out', async (t) => {
  const { handle } = await startTarget(t, commandTarget, `PORT=23987 ${server('reforks.cjs')}`);
  t.equal((await handle.ready(never)).origin, 'http://127.0.0.1:23987');
});

t.test('with a number of workers asked for, another number is a typed failure', async (t) => {
  const { handle } = await startTarget(t, commandTarget, `WORKERS=3 ${server('healthy-varied.mjs')}`, {
    workers: 2,
  });
  await t.rejects(handle.ready(never), {
    reason: 'unhealthy',
    message: /expected 2 workers, the server runs 3/,
  });
});

t.test('without an agent, workers are recognised in the process table', async (t) => {
  const { handle, events } = await startTarget(t, commandTarget, server('reforks.cjs'), { agent: false });
  const ready = await handle.ready(never);
  t.equal(ready.visibility, 'process-table');
  t.equal(ready.workers, 2);
  const event = events.find((candidate) => candidate.type === 'target.ready');
  t.ok(event?.type === 'target.ready' && event.blind.length > 0, 'what cannot be seen is said');
});

t.test('several node processes under one supervisor are workers, without node:cluster', async (t) => {
  const { handle } = await startTarget(t, commandTarget, server('spawns-servers.cjs'));
  const ready = await handle.ready(never);
  t.equal(ready.workers, 2);
  t.equal(ready.visibility, 'agent');
});

t.test('a process that outlives the stop is reported, and killed', async (t) => {
  const { handle, stop } = await startTarget(t, commandTarget, server('ignores-sigterm.cjs'), {
    stopGraceMs: 500,
  });
  await handle.ready(never);
  const left = await stop();
  t.ok(left.processes.length >= 3, 'primary and workers had to be killed');
  t.same([left.stuck, left.ports], [[], []]);
});

t.test('no loader of ours or of the test runner gets into the server', async (t) => {
  const file = join(tempDir(t), 'env.json');
  const program = `require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify([process.env, process.execArgv]));`;
  writeFileSync(`${file}.cjs`, `${program} throw new Error('seen enough')`);
  // Through the real command line: the test runner changes the environment of what it starts itself.
  const scenario = scenarioFile(t, `{ phases, target: { env: { MINE: 'yes' } }, faults: [] }`);
  const { code } = await chaos(t, ['run', scenario, '--target', `node ${file}.cjs`]).done;
  t.equal(code, 4);
  const [env, execArgv] = JSON.parse(readFileSync(file, 'utf8')) as [Record<string, string>, string[]];
  t.equal(env['MINE'], 'yes');
  t.same(execArgv, []);
  t.same(
    Object.keys(env).filter((name) => /^(TAP|npm_|NODE_V8|_TAPJS|CI$)/i.test(name)),
    [],
  );
  t.match(env['NODE_OPTIONS'], /^--require "[^"]*boot.cjs"$/);
});

t.test('the environment is an allow-list, plus the scenario’s, plus what the contract names', (t) => {
  const spec = {
    command: 'x',
    cwd: '/',
    env: { NODE_OPTIONS: '--max-old-space-size=96', TZ: 'UTC' },
    url: null,
    workers: null,
    readyTimeoutMs: 1,
    stopGraceMs: 1,
    agent: true,
  };
  const own = {
    PATH: '/bin',
    SECRET_TOKEN: 'x',
    NODE_OPTIONS: '--import=tsx',
    TZ: 'Asia/Tokyo',
    LC_ALL: 'C',
  };
  const env = targetEnvironment({
    spec,
    own,
    port: 1234,
    workers: 3,
    runId: 'r',
    nodeOptions: '--require "a b"',
    privateDir: '/p',
  });
  t.same(env, {
    PATH: '/bin',
    TZ: 'UTC',
    LC_ALL: 'C',
    PORT: '1234',
    WORKERS: '3',
    WEB_CONCURRENCY: '3',
    PM2_HOME: '/p/pm2',
    CHAOS_RUN: 'r',
    NODE_OPTIONS: '--max-old-space-size=96 --require "a b"',
  });
  t.end();
});

t.test(
  'slots: a replacement takes the slot of the dead, a standby waits without one, one too many gets a new number',
  (t) => {
    const seen: unknown[] = [];
    const table = new WorkerTable(
      (entry) => 'slot' in entry && seen.push([entry.type, entry.slot, entry.generation, entry.pid]),
    );
    const id = (pid: number): { pid: number; startTime: string } => ({ pid, startTime: '1' });
    for (const pid of [11, 12, 13]) table.spawned(id(pid), pid);
    for (const pid of [12, 11]) table.listening(pid, 50);
    t.equal(table.settle(), 2);
    t.same(
      table.slots().map(({ slot, pid }) => [slot, pid]),
      [
        [1, 11],
        [2, 12],
      ],
      'in the order of their start; the one that does not listen has no slot',
    );
    table.exited(12, { code: null, signal: 'SIGKILL', atMs: 100 });
    table.listening(13, 101);
    t.same(
      table.slots().map(({ slot, generation, pid }) => [slot, generation, pid]),
      [
        [1, 1, 11],
        [2, 2, 13],
      ],
      'a standby that begins to listen takes the empty slot',
    );
    table.spawned(id(14), 200);
    t.equal(table.get(14)?.slot, null);
    table.listening(14, 201);
    t.equal(table.get(14)?.slot, 3, 'one too many');
    table.expectExit(11, 'freeze-1');
    table.spawned(id(15), 300);
    table.listening(15, 301);
    t.equal(table.get(15)?.slot, 1, 'one that starts while a worker is under a fault replaces it');
    t.equal(table.get(15)?.generation, 2);
    t.end();
  },
);

t.test(
  'slots: beside standbys an empty slot waits for who listens first, not for who was started last',
  (t) => {
    const table = new WorkerTable(() => {});
    const id = (pid: number): { pid: number; startTime: string } => ({ pid, startTime: '1' });
    for (const pid of [11, 12, 13]) table.spawned(id(pid), pid);
    for (const pid of [11, 12]) table.listening(pid, 50);
    t.equal(table.settle(), 2, '13 is a standby');
    table.exited(12, { code: null, signal: 'SIGKILL', atMs: 100 });
    table.spawned(id(14), 105);
    t.equal(table.get(14)?.slot, null, 'the next standby boots');
    table.listening(13, 110);
    t.same([table.get(13)?.slot, table.get(13)?.generation], [2, 2], 'the standby has taken over');
    t.end();
  },
);

t.test(
  'slots: who is asked to go for good leaves no gap to fill, and lives on as before once that is over',
  (t) => {
    const seen: unknown[] = [];
    const table = new WorkerTable(
      (entry) => entry.type === 'worker.exit' && seen.push([entry.pid, entry.expected]),
    );
    const id = (pid: number): { pid: number; startTime: string } => ({ pid, startTime: '1' });
    for (const pid of [11, 12, 13]) {
      table.spawned(id(pid), pid);
      table.listening(pid, 50);
    }
    table.settle();
    const release = table.expectRetired([11, 12, 13], 'forGood');
    table.exited(12, { code: 0, signal: null, atMs: 100 });
    release(({ pid }) => pid !== 12);
    table.exited(13, { code: null, signal: 'SIGKILL', atMs: 200 });
    t.same(seen, [
      [12, 'supervisor'],
      [13, null],
    ]);
    table.spawned(id(14), 400);
    t.equal(table.get(14)?.slot, 3, 'the slot that was given up stays empty');
    table.spawned(id(15), 500);
    table.listening(15, 550);
    t.equal(table.get(15)?.slot, 2, 'until one more is started');
    t.end();
  },
);
