import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { askFresh } from '../support/app-client.ts';
import { type Served, serve, servingOf } from '../support/serve.ts';

/** The defaults, which other tests turn off because a crowded machine makes workers late. */
const DEFAULTS = '--hands-max 8 --suspect-after 250ms --dead-after 1s'.split(' ');
/** Next to no time is still some: it must be silent for longer than this within seconds. */
const IMPATIENT = '--hands-max 8 --suspect-after 150ms --dead-after 400ms'.split(' ');
/** Deaths here say nothing about the app. */
const NO_LOOP = ['--backoff-free', '20'];

async function serveTwo(t: Test, args: readonly string[]): Promise<{ served: Served; victim: number }> {
  const served = await serve(t, 'http.cjs', { args: [...args, ...NO_LOOP] });
  const status = await served.until('a standby waits', ({ standbys }) => standbys === 1);
  const [victim] = servingOf(status);
  if (victim === undefined) throw new Error('nobody serves');
  return { served, victim: victim.pid };
}

/** Asks over fresh connections, one after the other, until told to stop. */
function keepAsking(port: number): { readonly stop: () => Promise<readonly number[]> } {
  const over = new AbortController();
  const asking = (async (): Promise<readonly number[]> => {
    const pids: number[] = [];
    while (!over.signal.aborted) pids.push((await askFresh({ protocol: 'http', port })).pid);
    return pids;
  })();
  return {
    stop: () => {
      over.abort();
      return asking;
    },
  };
}

t.test('a frozen worker is taken out of rotation, ended and replaced, and nobody notices', async (t) => {
  const { served, victim } = await serveTwo(t, DEFAULTS);
  const asking = keepAsking(served.port);
  process.kill(victim, 'SIGSTOP');
  await served.until('it is out of rotation', ({ workers }) =>
    workers.every(({ pid, phase, suspect }) => pid !== victim || phase !== 'serving' || suspect),
  );
  const status = await served.until(
    'it is replaced',
    ({ serving, workers }) => serving === 2 && workers.every(({ pid }) => pid !== victim),
  );
  t.equal(status.counters.ended['hung'], 1, 'for what it was');
  t.ok((await asking.stop()).length > 10, 'no request failed, also of those that it was given');
  await served.stop();
});

t.test('a worker that the machine gives no time is spared, however long it is silent', async (t) => {
  for (const tool of ['taskset', 'chrt']) {
    if (spawnSync(tool, ['--version']).status !== 0) return t.comment(`no ${tool} here`);
  }
  const { served, victim } = await serveTwo(t, IMPATIENT);
  const endless = 'for (;;);';
  // On one core with others busy, a thread of the idle class gets next to nothing, and is ready to run all the time.
  const hogs = Array.from({ length: 4 }, () =>
    spawn('taskset', ['-c', '0', process.execPath, '-e', endless], { stdio: 'ignore' }),
  );
  const endHogs = (): void => hogs.forEach((hog) => void hog.kill('SIGKILL'));
  t.teardown(endHogs);
  await Promise.all(hogs.map((hog) => once(hog, 'spawn')));
  spawnSync('taskset', ['-a', '-p', '-c', '0', `${victim}`]);
  t.equal(spawnSync('chrt', ['-a', '-i', '-p', '0', `${victim}`]).status, 0);
  // No connections meanwhile: one that it takes too late, and another too, costs it its life, and rightly so.
  let silentMs = 0;
  for (const end = performance.now() + 8000; performance.now() < end && silentMs < 500; ) {
    const it = (await served.status()).workers.find(({ pid }) => pid === victim);
    silentMs = Math.max(silentMs, it?.silentMs ?? 0);
    await new Promise((wake) => setTimeout(wake, 20));
  }
  endHogs();
  t.ok(silentMs >= 500, `silent for ${silentMs} ms: one that hangs is ended after 400`);
  const status = await served.until('it is heard again', ({ workers }) =>
    workers.some(({ pid, phase, suspect }) => pid === victim && phase === 'serving' && !suspect),
  );
  t.equal(status.counters.ended['hung'] ?? 0, 0);
  await served.stop();
});
