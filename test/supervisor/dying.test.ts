import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
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

t.test('who leaves a connection untaken and is dying is found; who is busy or stopped is not', async (t) => {
  // Its first child is dead, and nobody asks for its exit: so it stays in the process table, as one that dies slowly does.
  const parent = spawn('/bin/sh', ['-c', ': & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const stopped = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => {
    stopped.kill('SIGKILL');
    parent.kill('SIGKILL');
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const dead = Number(line.toString());
  await until(dead, () => readProcess(dead)?.isDying === true);
  stopped.kill('SIGSTOP');
  await until(Number(stopped.pid), () => readProcess(Number(stopped.pid))?.state === 'T');

  const pids = [process.pid, Number(stopped.pid), dead, dead, dead];
  const oldMs = nowMs() - 50;
  const workers = [
    { id: 0, heardAtMs: 0, hands: [hand(oldMs)] },
    { id: 1, heardAtMs: 0, hands: [hand(oldMs)] },
    { id: 2, heardAtMs: 0, hands: [hand(oldMs)] },
    { id: 3, heardAtMs: 0, hands: [] as Hand[] },
    { id: 4, heardAtMs: nowMs() + 3_600_000, hands: [hand(oldMs)] },
  ];
  const found: number[] = [];
  const dying = new Dying(
    () => workers,
    (id) => pids[id] ?? null,
    (id) => found.push(id),
  );
  t.teardown(() => dying.close());
  dying.watch();
  while (found.length < 2) await sleep(5);
  t.same([...new Set(found)], [2], 'as often as it is looked at, until its exit is seen; nobody else');
  for (const worker of workers) worker.hands = [];
  await sleep(60);
  const before = found.length;
  await sleep(60);
  t.equal(found.length, before, 'with nothing in hand, nobody is looked at');
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
