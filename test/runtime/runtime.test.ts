import { appendFileSync, existsSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { runClock } from '../../dist/runtime/clock.js';
import { freePort, isListening } from '../../dist/runtime/free-port.js';
import { startGuardian } from '../../dist/runtime/guardian.js';
import { harnessClock } from '../../dist/runtime/harness-clock.js';
import { openJournal, readJournal } from '../../dist/runtime/journal-file.js';
import { identify, isDead, readProcess, signalProcess } from '../../dist/runtime/process-table.js';
import { createRunFolder, safeName } from '../../dist/runtime/run-folder.js';
import { eventually, tempDir } from '../support/chaos.ts';
import { cleanSpawn } from '../support/clean-spawn.ts';

t.test('a journal that was cut off in the middle of a record is read up to there', (t) => {
  const file = join(tempDir(t), 'journal.ndjson');
  const journal = openJournal(file, runClock());
  journal.record({ type: 'run.start', version: 1 } as never);
  journal.record({ type: 'log', level: 'info', message: 'one' }, 5);
  journal.close();
  journal.record({ type: 'log', level: 'info', message: 'after the end' });
  appendFileSync(file, '{"type":"log","seq":2,"mess');
  t.match(readJournal(file), [{ seq: 0 }, { seq: 1, atMs: 5 }]);
  t.equal(readJournal(file).length, 2);
  t.end();
});

t.test('what is no journal, or of another version, is refused with its name', (t) => {
  const dir = tempDir(t);
  const write = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  t.throws(() => readJournal(join(dir, 'none')), { reason: 'usage', message: /cannot read/ });
  t.throws(() => readJournal(write('a', 'hello\nworld\n')), { reason: 'usage', message: /line 1/ });
  t.throws(() => readJournal(write('b', '{"type":"log","seq":0}\n')), {
    reason: 'usage',
    message: /run\.start/,
  });
  t.throws(() => readJournal(write('c', '{"type":"run.start","seq":0,"version":9}\n')), {
    reason: 'usage',
    message: /version 9, expected 1/,
  });
  t.end();
});

t.test(
  'a run’s folder: hostile names stay inside, equal times get folders of their own, latest points at the newest',
  (t) => {
    const out = tempDir(t);
    const run = {
      scenario: '../../etc/pass wd\u001b[31m',
      startedAt: '2026-01-02T03:04:05.678Z',
      seed: '..',
    };
    const first = createRunFolder(out, run);
    const second = createRunFolder(out, run);
    t.ok(first.dir.startsWith(out) && second.dir.startsWith(out));
    t.not(first.dir, second.dir);
    t.equal(join(out, readlinkSync(join(out, 'latest'))), second.dir);
    t.equal(safeName('a/b\0c'), 'a_b_c');
    t.equal(safeName('..'), '_..');
    t.end();
  },
);

t.test('a folder that cannot be written is a usage error', (t) => {
  const file = join(tempDir(t), 'file');
  writeFileSync(file, '');
  t.throws(() => createRunFolder(file, { scenario: 's', startedAt: 'x', seed: '1' }), {
    reason: 'usage',
    message: /cannot write reports/,
  });
  t.end();
});

t.test('a signal goes only to the very process that was meant', async (t) => {
  const child = cleanSpawn('sleep', ['60'], { env: {}, stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const id = identify(child.pid ?? 0);
  if (id === null) throw new Error('the process is there');
  t.notOk(signalProcess({ ...id, startTime: '1' }, 'SIGKILL'), 'another start time: another process');
  t.ok(signalProcess(id, 'SIGSTOP'));
  t.ok(await eventually(() => readProcess(id.pid)?.state === 'T', 2000));
  t.ok(signalProcess(id, 'SIGKILL'));
  t.ok(await eventually(() => isDead(id), 2000));
  t.notOk(signalProcess(id, 'SIGKILL'), 'a dead one');
});

t.test('the guardian does nothing after a clean end, and heals and kills when its pipe breaks', async (t) => {
  const clean = cleanSpawn('sleep', ['60'], { env: { CHAOS_RUN: 'g1' }, stdio: 'ignore' });
  t.teardown(() => clean.kill('SIGKILL'));
  await startGuardian('g1').release();
  t.notOk(isDead(identify(clean.pid ?? 0) ?? { pid: 0, startTime: '' }));

  const dir = tempDir(t);
  mkdirSync(join(dir, 'x'));
  // A harness of its own, which starts a guardian and two processes, stops one of them, and is killed.
  const program = `
    import { spawn } from 'node:child_process';
    import { writeFileSync } from 'node:fs';
    import { startGuardian } from ${JSON.stringify(join(process.cwd(), 'dist/runtime/guardian.js'))};
    import { identify } from ${JSON.stringify(join(process.cwd(), 'dist/runtime/process-table.js'))};
    const guardian = startGuardian('g2');
    const marked = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: { ...process.env, CHAOS_RUN: 'g2' } });
    const tracked = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: {  PATH: process.env.PATH } });
    guardian.track([identify(tracked.pid)]);
    guardian.addStopped(identify(marked.pid));
    process.kill(marked.pid, 'SIGSTOP');
    setTimeout(() => { writeFileSync(${JSON.stringify(join(dir, 'pids'))}, marked.pid + ' ' + tracked.pid); process.kill(process.pid, 'SIGKILL'); }, 100);`;
  writeFileSync(join(dir, 'harness.mjs'), program);
  cleanSpawn(process.execPath, [join(dir, 'harness.mjs')], { env: {}, stdio: 'inherit' });
  t.ok(await eventually(() => existsSync(join(dir, 'pids')), 10_000));
  const { readFileSync } = await import('node:fs');
  const pids = (): number[] => readFileSync(join(dir, 'pids'), 'utf8').split(' ').map(Number);
  t.ok(
    await eventually(
      () =>
        pids().length === 2 &&
        pids().every((pid) => identify(pid) === null || readProcess(pid)?.state === 'Z'),
      5000,
    ),
  );
});

t.test('a free port is free, and a listener is seen', async (t) => {
  const port = await freePort();
  t.notOk(await isListening(port));
  const server = createServer().listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  t.ok(await isListening(port));
});

t.test('an exact moment is never early, is quiet before, and an abort ends the wait', async (t) => {
  const clock = harnessClock();
  const abort = new AbortController();
  const far = clock.until(clock.now() + 60_000, abort.signal);
  t.notOk(clock.isQuiet(), 'long before');
  abort.abort();
  await far;
  const due = clock.now() + 10;
  const near = clock.until(due);
  t.ok(clock.isQuiet(), 'shortly before');
  await near;
  t.ok(clock.now() >= due);
  t.notOk(clock.isQuiet(), 'afterwards');
});
