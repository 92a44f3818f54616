import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { block } from '../../dist/faults/block.js';
import { memorySpike } from '../../dist/faults/memory-spike.js';
import { runClock } from '../../dist/runtime/clock.js';
import { freePort } from '../../dist/runtime/free-port.js';
import { poll } from '../../dist/runtime/wait.js';
import { type AgentEvent, startAgentHub } from '../../dist/target/agent-hub.js';
import { type Rig, startRig } from '../faults/rig.ts';
import { cleanSpawn } from '../support/clean-spawn.ts';
import { startRawHub } from './raw-hub.ts';

const MB = 1_000_000;
const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const bin = (name: string): string =>
  fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));

const get = (port: number, path = '/'): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
        response.resume().on('end', () => resolve(response));
      })
      .on('error', reject);
  });

const of = <T extends AgentEvent['type']>(rig: Rig, type: T): (AgentEvent & { readonly type: T })[] =>
  rig.events.filter((event): event is AgentEvent & { readonly type: T } => event.type === type);

t.test(
  'an ESM cluster: roles, the order of a worker’s life, and responses that name their worker',
  async (t) => {
    const rig = await startRig({ args: [fixture('cluster.mjs')] });
    t.teardown(() => rig.close());
    const worker = await rig.victim();
    const primary = await rig.primary();
    t.match(rig.hub.hello(primary.pid), { role: 'primary', scheduling: 'rr', workerId: null });
    t.match(rig.hub.hello(worker.pid), { role: 'worker', ppid: primary.pid, workerId: 1, scheduling: null });
    t.match(rig.hub.hello(worker.pid)?.argv1, /cluster\.mjs$/);

    const workerListening = await rig.until('the primary’s word', () => of(rig, 'worker-listening')[0]);
    const [fork] = of(rig, 'fork');
    const [online] = of(rig, 'online');
    const listening = of(rig, 'listening').find(({ pid }) => pid === worker.pid);
    const times = [fork?.atMs, online?.atMs, listening?.atMs].map(Number);
    t.same(
      times,
      [...times].sort((a, b) => a - b),
      'fork, online, listening',
    );
    t.match(workerListening, { pid: primary.pid, workerPid: worker.pid, port: rig.port });
    t.match(listening, { port: rig.port, address: '127.0.0.1' });

    const plain = await get(rig.port);
    t.equal(plain.headers['x-chaos-worker'], String(worker.pid));
    const head = await get(rig.port, '/head');
    t.match(head, {
      statusCode: 201,
      statusMessage: 'Made',
      headers: { 'x-own': 'yes', 'content-length': '2' },
    });
    t.equal(head.headers['x-chaos-worker'], String(worker.pid));

    const output: Buffer[] = [];
    rig.child.stdout?.on('data', (data: Buffer) => output.push(data));
    rig.child.kill('SIGTERM');
    await once(rig.child, 'close');
    t.equal(
      Buffer.concat(output).toString(),
      'fork online listening true\n',
      'the primary’s cluster is undisturbed',
    );
    await rig.until('closed lines', () => of(rig, 'closed').length === 2);
    t.equal(rig.hub.link(worker.pid), null);
    t.equal(rig.hub.hello(worker.pid), null);
  },
);

t.test('launchers: npm, tsx, throng and pm2-runtime all show their primary and workers', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos test '));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, 'pm2'));
  const server = fileURLToPath(new URL('../faults/fixtures/reforking-server.cjs', import.meta.url));
  const single = fixture('single.cjs');
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ scripts: { start: `node "${server}"` } }));
  const throng = fileURLToPath(new URL('../../node_modules/throng/lib/throng.js', import.meta.url));
  writeFileSync(
    join(dir, 'throng.cjs'),
    `require(${JSON.stringify(throng)})({ count: 1, worker: () => require(${JSON.stringify(single)}) });`,
  );
  const env = { PIPE: join(dir, 'pipe'), PM2_HOME: join(dir, 'pm2'), WORKERS: '1' };
  const launchers = {
    npm: { command: 'npm', args: ['start', '--prefix', dir] },
    tsx: { command: bin('tsx'), args: [server] },
    throng: { args: [join(dir, 'throng.cjs')] },
    'pm2-runtime': { command: bin('pm2-runtime'), args: [server, '-i', '1'] },
  };
  for (const [name, launcher] of Object.entries(launchers)) {
    await t.test(name, async (t) => {
      const rig = await startRig({ ...launcher, env });
      t.teardown(() => rig.close());
      const worker = await rig.victim();
      t.equal(rig.hub.hello(worker.pid)?.ppid, (await rig.primary()).pid);
      t.same(
        [...new Set(of(rig, 'listening').map(({ port }) => port))],
        [rig.port],
        'pipes are no listeners',
      );
      await rig.answers(worker.pid);
    });
  }
});

t.test('a single process with threads of its own is one agent, and names itself in responses', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const rig = await startRig({ args: [fixture('single.cjs')], env: { PIPE: join(dir, 'pipe') } });
  t.teardown(() => rig.close());
  // The pipe listened before, so its report would be here by now.
  await rig.until('a listener', () => of(rig, 'listening').length > 0);
  const pid = Number(rig.child.pid);
  t.equal(rig.hub.hello(pid)?.role, 'single');
  t.equal((await get(rig.port)).headers['x-chaos-worker'], String(pid));
  t.same(
    of(rig, 'listening').map(({ port }) => port),
    [rig.port],
    'one listener: the pipe is none',
  );
  t.equal(of(rig, 'hello').length, 1);
});

t.test('the agent changes no exit code, no output, and keeps nothing alive', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const hub = await startAgentHub({ privateDir: dir, clock: runClock(), onEvent() {} });
  const wait = 'setTimeout(() => { %s }, 400);';
  const programs = [
    'console.log("natural")',
    'process.exitCode = 5',
    'process.exit(3)',
    'throw new Error("own")',
    'Promise.reject(new Error("own"))',
    'process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 9000)',
    wait.replace('%s', 'console.log("late")'),
    wait.replace('%s', 'process.exit(4)'),
    wait.replace('%s', 'throw new Error("late")'),
    wait.replace('%s', 'process.kill(process.pid, "SIGKILL")'),
  ];
  const run = async (program: string, NODE_OPTIONS: string) => {
    const env = { NODE_OPTIONS };
    const child = cleanSpawn(process.execPath, ['-e', program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout?.on('data', (data) => (output += data));
    child.stderr?.on('data', (data) => (output += data));
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { code, signal, output };
  };
  for (const program of programs) {
    t.same(await run(program, hub.nodeOptions), await run(program, ''), program);
  }
  await hub.close();
  t.same(
    await run(programs[6] ?? '', hub.nodeOptions),
    { code: 0, signal: null, output: 'late\n' },
    'no hub',
  );
});

t.test('where threads are forbidden the target runs as if there were no agent', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const hub = await startAgentHub({ privateDir: dir, clock: runClock(), onEvent: () => t.fail('no agent') });
  t.teardown(() => hub.close());
  const flag = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const args = [
    flag,
    '--allow-fs-read=*',
    '--no-warnings',
    '-e',
    'setTimeout(() => console.log("ran"), 500)',
  ];
  const env = { NODE_OPTIONS: hub.nodeOptions };
  const child = cleanSpawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout?.on('data', (data) => (output += data));
  child.stderr?.on('data', (data) => (output += data));
  t.same(await once(child, 'close'), [0, null]);
  t.equal(output, 'ran\n');
});

t.test('when the hub is gone a blocked worker is free and a spike released', async (t) => {
  for (const mode of ['busy', 'idle'] as const) {
    const rig = await startRig({ workers: 1 });
    t.teardown(() => rig.close());
    const victim = await rig.victim();
    const spike = await memorySpike.inject(victim, { where: 'heap', bytes: 150 * MB }, rig.context());
    t.match(await spike.effect, { effective: true });
    const largeBytes = rig.inspect(victim)?.rssBytes ?? 0;
    const held = await block.inject(victim, { mode }, rig.context());
    t.match(await held.effect, { effective: true });
    await rig.hub.close();
    await rig.answers(victim.pid);
    await rig.until('released memory', () => (rig.inspect(victim)?.rssBytes ?? 0) < largeBytes - 75 * MB);
    t.pass(mode);
  }
});

t.test('without a beat of the hub every fault ends with its lease', async (t) => {
  const hub = await startRawHub();
  t.teardown(() => hub.close());
  const port = await freePort();
  const child = cleanSpawn(process.execPath, [fixture('single.cjs')], {
    env: {
      PATH: process.env['PATH'],
      NODE_OPTIONS: hub.nodeOptions,
      PORT: `${port}`,
      PIPE: join(hub.dir, 'pipe'),
    },
    stdio: 'ignore',
  });
  t.teardown(() => child.kill('SIGKILL'));
  const socket = await hub.socket;
  const send = async (id: number, name: string): Promise<Record<string, unknown>> => {
    const params = { id: 'f', idle: false, forMs: null };
    socket.write(`${JSON.stringify({ t: 'command', id, name, params })}\n`);
    const answer = await poll(() => hub.frames.find((frame) => frame['id'] === id), {
      everyMs: 5,
      deadlineMs: 10_000,
    });
    if (!answer) throw new Error(`no answer to ${name}`);
    return answer;
  };
  t.match(await send(1, 'block'), { ok: true, evidence: { atMs: Number } });
  t.match(hub.frames[0], { t: 'hello', v: 1, token: 'secret' }, 'the hello comes first');
  t.equal((await get(port)).statusCode, 200, 'it answers again by itself');
  const { evidence } = (await send(2, 'heal')) as { evidence: { blockedMs: number } };
  t.ok(evidence.blockedMs >= 1900, `it was held for ${evidence.blockedMs} ms, a lease`);

  await t.test('and junk from a hub ends the line, not the target', async (t) => {
    socket.write('{"t":"command","id":2\n');
    await once(socket, 'close');
    t.equal((await get(port)).statusCode, 200);
  });
});

t.test('the hub trusts nobody without the token, and no junk', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const events: AgentEvent[] = [];
  const hub = await startAgentHub({
    privateDir: dir,
    clock: runClock(),
    onEvent: (event) => events.push(event),
  });
  const identity = {
    pid: 1,
    ppid: 0,
    role: 'single',
    workerId: null,
    node: 'v20.0.0',
    argv1: null,
    loadedAtMs: 1,
    scheduling: null,
  };
  const attempts = [
    { t: 'hello', v: 1, token: 'x'.repeat(64), identity },
    { t: 'hello', v: 2, token: 'x'.repeat(64), identity },
    { t: 'event', event: { type: 'listening', atMs: 1, address: '::', port: 80 } },
    { t: 'nonsense' },
  ].map((frame) => `${JSON.stringify(frame)}\n`);
  for (const text of [...attempts, 'not json\n', 'x'.repeat(100_000)]) {
    const socket = connect(join(dir, 'agent.sock'));
    socket.on('error', () => {});
    socket.write(text);
    await once(socket, 'close');
  }
  t.same(events, []);
  t.equal(hub.link(1), null);

  const { stdout } = spawnSync('stat', ['-c', '%a', join(dir, 'boot.cjs'), join(dir, 'agent.sock')]);
  t.equal(stdout.toString(), '600\n600\n', 'the token is for us alone');
  const boot = await import(join(dir, 'boot.cjs')).then(
    () => 'loads',
    () => 'throws',
  );
  t.equal(boot, 'loads');
  await hub.close();
  await hub.close();

  const long = join(dir, 'd'.repeat(120));
  mkdirSync(long);
  const late = startAgentHub({ privateDir: long, clock: runClock(), onEvent() {} });
  await t.rejects(late, { name: 'ChaosError', reason: 'usage', hint: /TMPDIR/ });
});

t.test('a command always ends: answered, refused, timed out, or the line closed', async (t) => {
  const rig = await startRig({ workers: 1 });
  t.teardown(() => rig.close());
  const victim = await rig.victim();
  const link = victim.agent;
  if (!link) throw new Error('no link');
  t.match(await link.command('ping-main', { waitMs: 5000 }, 6000), { answered: true });
  await t.rejects(link.command('dance', {}), /dance.*unknown command/);
  await t.rejects(link.command('off-heap-spike', { id: 'x', bytes: 'many' }), /bytes/);
  await link.command('block', { id: 'b', idle: true, forMs: null });
  await t.rejects(link.command('memory', {}, 50), /no answer within 50 ms/);
  const pending = t.rejects(link.command('memory', {}), /line closed/);
  rig.context().kill(victim, 'SIGKILL');
  await link.closed;
  await pending;
  await t.rejects(link.command('memory', {}), /line is closed/);
});

t.test('a block for a given time ends by itself, and heal-all ends everything', async (t) => {
  const rig = await startRig({ workers: 1 });
  t.teardown(() => rig.close());
  const victim = await rig.victim();
  const link = victim.agent;
  if (!link) throw new Error('no link');
  await link.command('block', { id: 'short', idle: false, forMs: 150 });
  t.match(await link.command('ping-main', { waitMs: 10_000 }, 12_000), { answered: true });
  const { blockedMs } = await link.command('heal', { id: 'short' });
  t.ok(Number(blockedMs) >= 150);

  await link.command('heap-spike', { id: 'one', bytes: 20 * MB });
  await link.command('off-heap-spike', { id: 'two', bytes: 20 * MB, touched: false });
  await rig.until('both', async () => (await link.command('memory', {}))['retainedBytes'] === 40 * MB);
  await link.command('block', { id: 'b', idle: true, forMs: null });
  t.match(await link.command('heal-all', {}), { freedBytes: 40 * MB });
  t.match(await link.command('memory', {}), { retainedBytes: 0 });
});

t.test('a control thread that dies is started again, once', async (t) => {
  const rig = await startRig({ args: [fixture('ends-threads.cjs')] });
  t.teardown(() => rig.close());
  const pid = Number(rig.child.pid);
  const steps = (): string[] =>
    rig.events.map(({ type }) => type).filter((type) => type === 'hello' || type === 'closed');
  await rig.until('a second line', () => steps().length >= 3);
  t.same(steps(), ['hello', 'closed', 'hello']);
  t.match(await rig.hub.link(pid)?.command('ping-main', { waitMs: 10_000 }, 12_000), { answered: true });
  rig.child.kill('SIGUSR2');
  await rig.until('its end', () => steps().length >= 4);
  t.equal((await get(rig.port)).statusCode, 200, 'the target goes on without an agent');
  t.same(steps(), ['hello', 'closed', 'hello', 'closed']);
});
