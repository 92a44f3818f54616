import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../dist/runtime/free-port.js';
import { ROOT } from '../support/chaos.ts';
import { cleanSpawn, finished } from '../support/clean-spawn.ts';

// Each is a supervisor of its own, and most of it is waiting for processes.
t.jobs = 2;

/** What came of using the library in that way: the line that the fixture prints. */
async function steered(t: Test, way: string): Promise<unknown> {
  const child = cleanSpawn(
    process.execPath,
    [join(ROOT, 'test/supervisor/fixtures/library-steered.mjs'), way, String(await freePort())],
    { env: {}, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, killSignal: 'SIGKILL' },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const { code, stdout, stderr } = await finished(child);
  if (code !== 0) throw new Error(`it ended with ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

t.test('scale refuses what is no number of workers, and changes nothing', async (t) => {
  const { refused, ...rest } = (await steered(t, 'scale')) as { refused: readonly object[] };
  const shown = [
    'NaN (number)',
    '0 (number)',
    '-3 (number)',
    '1.5 (number)',
    '1025 (number)',
    'Infinity (number)',
    'nothing',
    'null',
    "'2' (string)",
    "'cores' (string)",
    'an array of 1',
  ];
  const message = 'workers: expected a whole number from 1 to 1,024, got ';
  t.match(
    refused,
    shown.map((got) => ({ how: 'threw', name: 'ChaosError', reason: 'usage', message: message + got })),
  );
  t.match(rest, {
    unknown: { how: 'threw', reason: 'usage', message: "no service 'shop'; known: library-app" },
    workersWanted: 2,
    serving: 2,
    after: 1,
  });
});

t.test('messages from the primary: who can take one gets it, and every failure is told', async (t) => {
  t.match(await steered(t, 'bus'), {
    broadcast: {
      how: 'threw',
      code: 'IPC_BUSY',
      message: /^2 of 3 workers did not get it; news: \d+ bytes wait in the channel/,
    },
    heard: [0, 0, 1],
    tooLarge: { how: 'threw', code: 'IPC_TOO_LARGE' },
    unknown: { how: 'rejected', name: 'ChaosError', reason: 'usage' },
    noOptions: { how: 'resolved', value: 0 },
    never: { how: 'rejected', name: 'RangeError', message: /^timeoutMs: / },
    long: { how: 'rejected', code: 'E_LONG', message: /^x+…$/ },
  });
});

t.test(
  'a worker that asks to be replaced: the log says so first, with slot and reason, then that it drains',
  async (t) => {
    const lines = (await steered(t, 'recycle')) as readonly Readonly<Record<string, unknown>>[];
    const of = (slot: number) =>
      lines.filter(
        (line) =>
          line['slot'] === slot &&
          line['reason'] === 'asked' &&
          ['worker is to be replaced', 'worker drains'].includes(String(line['msg'])),
      );
    t.match(of(1), [
      { msg: 'worker is to be replaced', detail: 'the cache is stale' },
      { msg: 'worker drains' },
    ]);
    t.match(of(2), [{ msg: 'worker is to be replaced', detail: /^r{200}…$/ }, { msg: 'worker drains' }]);
    t.equal(lines.filter(({ msg }) => msg === 'worker is to be replaced').length, 2, 'one line each');
  },
);
