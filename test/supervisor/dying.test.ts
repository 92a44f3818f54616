import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Hand } from '../../dist/supervisor/policy/model.js';
import { Dying } from '../../dist/supervisor/primary/dying.js';
import { nowMs } from '../../dist/supervisor/primary/now.js';
import { readProcess } from '../../dist/supervisor/primary/process-table.js';

const hand = (atMs: number): Hand => ({
  connection: { id: 1, listener: 'a', key: null, slot: null, sinceMs: atMs },
  atMs,
});

/** Resolves with a pid once its process is as asked for. */
async function until(pid: number, isSo: () => boolean): Promise<number> {
  while (!isSo()) await sleep(5);
  return pid;
}

/** Its exit stays unasked for: so it is in the process table for as long as its parent, as one that dies slowly is. */
async function deadProcess(t: Test): Promise<number> {
  const parent = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const dead = Number(line.toString());
  // A shell might ask for it.
  await until(dead, () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
  process.kill(dead, 'SIGKILL');
  return until(dead, () => readProcess(dead)?.isDying === true);
}

function watch(
  t: Test,
  workers: readonly { id: number; heardAtMs: number; hands: Hand[] }[],
  pids: readonly number[],
): { readonly dying: Dying; readonly found: number[] } {
  const found: number[] = [];
  const dying = new Dying(
    () => workers,
    (id) => pids[id] ?? null,
    (id) => found.push(id),
  );
  t.teardown(() => dying.close());
  return { dying, found };
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

t.test('who leaves a connection untaken and is dying is found; who is busy or stopped is not', async (t) => {
  const dead = await deadProcess(t);
  const stopped = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => stopped.kill('SIGKILL'));
  stopped.kill('SIGSTOP');
  await until(Number(stopped.pid), () => readProcess(Number(stopped.pid))?.state === 'T');

  const oldMs = nowMs() - 50;
  const workers = [
    { id: 0, heardAtMs: 0, hands: [hand(oldMs)] },
    { id: 1, heardAtMs: 0, hands: [hand(oldMs)] },
    { id: 2, heardAtMs: 0, hands: [hand(oldMs)] },
    { id: 3, heardAtMs: 0, hands: [] as Hand[] },
    { id: 4, heardAtMs: nowMs() + 3_600_000, hands: [hand(oldMs)] },
  ];
  const { dying, found } = watch(t, workers, [process.pid, Number(stopped.pid), dead, dead, dead]);
  dying.given(0);
  while (found.length < 2) await sleep(5);
  t.same([...new Set(found)], [2], 'as often as it is looked at, until its exit is seen; nobody else');
  for (const worker of workers) worker.hands = [];
  await sleep(60);
  const before = found.length;
  await sleep(60);
  t.equal(found.length, before, 'with nothing in hand, nobody is looked at');
});

t.test('who was silent is looked at as soon as it is given a connection, once in a while', async (t) => {
  const dead = await deadProcess(t);
  const workers = [
    { id: 0, heardAtMs: 0, hands: [hand(nowMs())] },
    { id: 1, heardAtMs: 0, hands: [hand(nowMs())] },
    { id: 2, heardAtMs: nowMs() + 3_600_000, hands: [hand(nowMs())] },
  ];
  const filesBefore = openFiles();
  const { dying, found } = watch(t, workers, [dead, process.pid, dead]);
  const fromMs = nowMs();
  for (let round = 0; round < 1000; round++) for (const { id } of workers) dying.given(id);
  const looksMax = (nowMs() - fromMs) / 2 + 1;
  t.same(found, [], 'what it said last is read first');
  await immediate();
  t.same(
    [...new Set(found)],
    [0],
    'and no timer is waited for; one that was heard just now is not looked at',
  );
  t.ok(found.length <= looksMax, `each at most every 2 ms: ${found.length} times, ${looksMax} may be`);
  t.equal(openFiles(), filesBefore + 2, 'their files stay open');
  dying.forget(0);
  t.equal(openFiles(), filesBefore + 1, 'until they are gone');
  dying.close();
  t.equal(openFiles(), filesBefore, 'or all of it is');
});

t.test('a worker whose process cannot be looked at is not found', async (t) => {
  const { dying, found } = watch(t, [{ id: 0, heardAtMs: 0, hands: [hand(nowMs())] }], [2 ** 30]);
  dying.given(0);
  await immediate();
  t.same(found, [], 'its exit is what tells');
});

t.test('a killed process is seen to die before its exit is', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const pid = Number(child.pid);
  t.equal(readProcess(pid)?.isDying, false);
  child.kill('SIGKILL');
  // Without a turn of the event loop: nobody has asked for its exit yet.
  t.equal(readProcess(pid)?.isDying, true, 'at once');
  t.equal(child.signalCode, null);
  await once(child, 'exit');
  t.equal(readProcess(pid), null, 'gone');
});
