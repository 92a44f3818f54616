import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { chaos, eventually, LOW, processesOf, scenarioFile, server, tempDir } from '../support/chaos.ts';

// Most of a run is waiting, and what is judged here is an exit code.
t.jobs = 2;

const KILL = `{ phases, ${LOW}, faults: [{ name: 'kill', fault: kill(), schedule: at('500ms') }] }`;
const HOLD = `{ phases: { ...phases, chaos: '60s' }, ${LOW}, faults: [
  { name: 'freeze', fault: freeze({ hold: 'end', select: slot(1) }), schedule: at('100ms') },
  { name: 'block', fault: blockEventLoop({ hold: 'end', select: slot(2) }), schedule: at('200ms') },
] }`;

t.test('exit 3, starting nothing: what is wrong is named with what is allowed', async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['run', 'no-such-scenario'], /no scenario 'no-such-scenario'/],
    [
      ['run', scenarioFile(t, `{ faults: [{ name: 'a', fault: { kind: 'kil' }, schedule: at('1s') }] }`)],
      /kill/,
    ],
    [['run', scenarioFile(t, `{ load: { rate: -5 }, faults: [] }`)], /load\.rate/],
    [['run', 'kill-random.ts', '--expect', 'availabilty >= 99%'], /availability/],
    [['run', 'kill-random.ts', '--workers', 'many'], /whole number/],
    [['run', 'kill-random.ts', '--reporter', 'htlm'], /html/],
    [['run', 'kill-random.ts', '--url', 'http://example.com'], /allow-remote|loopback|this machine/],
    [['run', 'kill-random.ts', '--duration', 'soon'], /--duration/],
    [['run', 'kill-random.ts', '--no-such-option'], /unknown option/],
    [['plan', 'kill-randm.ts'], /kill-random/],
    [['faults', 'freez'], /freeze/],
    [['report', '/nonexistent'], /journal/],
  ];
  const check = async ([args, expected]: (typeof cases)[number]): Promise<void> => {
    const { code, stderr } = await chaos(t, args).done;
    t.equal(code, 3, `${args.join(' ')}\n${stderr}`);
    t.match(stderr, expected, args.join(' '));
  };
  for (let i = 0; i < cases.length; i += 2) await Promise.all(cases.slice(i, i + 2).map(check));
});

t.test('exit 3 if the port is taken before the server was started', async (t) => {
  const other = createServer((_request, response) => response.end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const run = chaos(t, [
    'run',
    scenarioFile(t, KILL),
    '--target',
    server('reforks.cjs'),
    '--url',
    `http://127.0.0.1:${port}`,
  ]);
  const { code, stderr } = await run.done;
  t.equal(code, 3, stderr);
  t.match(stderr, /is taken/);
});

t.test('exit 4, injecting nothing: the server is not healthy, and its own words are shown', async (t) => {
  t.jobs = 2;
  const short = `{ phases: { ...phases, baseline: '1s' }, ${LOW}, target: { readyTimeout: '4s' }, faults: [{ name: 'kill', fault: kill(), schedule: at('500ms') }] }`;
  for (const [name, scenario, expected] of [
    ['flaky-baseline.cjs', short, /steady state was not proven/],
    ['never-listens.cjs', short, /not ready within 4 s/],
    ['not-clustered.cjs', KILL, /no workers/],
    ['crashes-at-boot.cjs', short, /DATABASE_URL is not set/],
  ] as const) {
    t.test(name, async (t) => {
      const run = chaos(t, ['run', scenarioFile(t, scenario), '--target', server(name)]);
      const { code, stderr } = await run.done;
      t.equal(code, 4, `${name}\n${stderr}`);
      t.match(stderr, expected, name);
      t.notOk(
        run.journal().some((event) => event.type === 'fault.inject'),
        'no fault was injected',
      );
    });
  }
});

t.test('exit 5 if a port is still held after the stop', async (t) => {
  const pidFile = join(tempDir(t), 'pid');
  const target = `PID_FILE=${pidFile} ${server('hands-port-on.cjs')}`;
  const run = chaos(t, [
    'run',
    scenarioFile(
      t,
      `{ phases: { ...phases, chaos: '1s' }, faults: [{ name: 'kill', fault: kill(), schedule: at('100ms') }] }`,
    ),
    '--target',
    target,
  ]);
  const { code, stderr } = await run.done;
  const { readFileSync } = await import('node:fs');
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  t.equal(code, 5, stderr);
  t.match(stderr, /port \d+/);
});

t.test('exit 70 and a stack for a bug of ours, with nothing left behind', async (t) => {
  const hook = join(tempDir(t), 'bug.cjs');
  writeFileSync(
    hook,
    `const s = JSON.stringify; JSON.stringify = (v, ...r) => { if (v && v.type === 'phase.start' && v.phase === 'chaos') throw new TypeError('planted'); return s(v, ...r); };`,
  );
  const run = chaos(t, ['run', scenarioFile(t, KILL), '--target', server('reforks.cjs')], {
    env: { NODE_OPTIONS: `--require ${hook}` },
  });
  const start = await run.event((event) => event.type === 'run.start');
  const { code, stderr } = await run.done;
  t.equal(code, 70, stderr);
  t.match(stderr, /planted/);
  t.ok(start.type === 'run.start' && (await eventually(() => processesOf(start.id).length === 0, 3000)));
});

for (const { signal, twice, expected } of [
  { signal: 'SIGINT', twice: false, expected: 130 },
  { signal: 'SIGINT', twice: true, expected: 130 },
  { signal: 'SIGTERM', twice: false, expected: 143 },
] as const) {
  t.test(
    `${signal} ${twice ? 'twice' : 'once'} in the chaos phase: exit ${expected}, nothing stopped, nothing left`,
    async (t) => {
      const run = chaos(t, ['run', scenarioFile(t, HOLD), '--target', server('reforks.cjs')]);
      const start = await run.event((event) => event.type === 'run.start');
      await run.event((event) => event.type === 'fault.effect' && event.faultId === 'block-1');
      run.child.kill(signal);
      if (twice) {
        await new Promise((wake) => setImmediate(wake));
        run.child.kill(signal);
      }
      const { code, stderr } = await run.done;
      t.equal(code, expected, stderr);
      t.ok(
        start.type === 'run.start' && (await eventually(() => processesOf(start.id).length === 0, 2000)),
        'nothing is left',
      );
      if (!twice) t.match(run.journal().at(-1)?.type, /run\.end|harness/);
    },
  );
}

t.test(
  'a harness that is SIGKILLed in the chaos phase leaves nothing, and its journal can be judged',
  async (t) => {
    const run = chaos(t, ['run', scenarioFile(t, HOLD), '--target', server('reforks.cjs')]);
    const start = await run.event((event) => event.type === 'run.start');
    await run.event((event) => event.type === 'fault.effect' && event.faultId === 'block-1');
    run.child.kill('SIGKILL');
    await run.done;
    t.ok(
      start.type === 'run.start' && (await eventually(() => processesOf(start.id).length === 0, 2000)),
      'nothing is left after 2 s',
    );
    const again = await chaos(t, ['report', run.dir(), '--json']).done;
    t.ok(again.code === 1 || again.code === 2, `a torn run never passes: ${again.code}`);
    const report = JSON.parse(again.stdout);
    t.equal(report.faults.length, 2);
    t.ok(report.availability.requests > 0);
  },
);
