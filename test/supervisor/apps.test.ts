import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { test } from 'tap';
import { freePort } from '../../dist/runtime/free-port.js';
import { assertEven, countFresh, HTTP_CHECKS } from '../support/app-checks.ts';
import { type AppAddress, ask, askFresh, openLine, type Protocol, type Who } from '../support/app-client.ts';
import { freshLoad, keptLoad } from '../support/app-load.ts';
import { eventually } from '../support/chaos.ts';
import { killForGood, serve, servingOf, tlsFiles } from '../support/serve.ts';

// Most of the time is spent waiting for processes to come and go.
t.jobs = 2;

const HTTP_APPS: readonly (readonly [app: string, protocol: Protocol])[] = [
  ['http.cjs', 'http'],
  ['http.mjs', 'http'],
  ['https.cjs', 'https'],
  ['https.mjs', 'https'],
  ['h2c.cjs', 'h2c'],
  ['h2.mjs', 'h2'],
  ['express.cjs', 'http'],
  ['express.mjs', 'http'],
  ['fastify.cjs', 'http'],
  ['fastify.mjs', 'http'],
  ['koa.cjs', 'http'],
  ['koa.mjs', 'http'],
  ['top-level-await.mjs', 'http'],
];

/** The other module format of these is left to scripts/matrix.mjs: what differs is how Node loads an app, and http shows that. */
const TWINS = ['https.mjs', 'express.mjs', 'fastify.cjs', 'koa.mjs'];
const isMatrix = process.env['SERVE_NODE'] !== undefined;

for (const [app, protocol] of HTTP_APPS.filter(([app]) => isMatrix || !TWINS.includes(app))) {
  test(app, async (t) => {
    const tls = protocol === 'https' || protocol === 'h2' ? tlsFiles(t) : {};
    if (tls === null) return t.comment('no openssl here');
    // These deaths in a row are no crash loop: each would be slowed down more than the one before.
    const served = await serve(t, app, { env: { ...tls }, args: ['--backoff-free', '20'] });
    for (const { claim, check } of HTTP_CHECKS) {
      await t.test(claim, async () => check(served, { protocol, port: served.port }));
    }
  });
}

/** A connection to the echo server that has said who it is. */
async function openEcho(
  port: number,
): Promise<{ pid: number; socket: Socket; echo: (text: string) => Promise<string> }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  socket.on('error', () => undefined);
  const received = async (what: (text: string) => boolean): Promise<string> => {
    while (!what(text)) {
      if (socket.closed || socket.readableEnded)
        throw new Error(`the connection ended after ${text.length} characters`);
      await Promise.race([once(socket, 'data'), once(socket, 'close'), once(socket, 'end')]);
    }
    const all = text;
    text = '';
    return all;
  };
  const { pid } = JSON.parse(await received((text) => text.endsWith('\n'))) as Who;
  return {
    pid,
    socket,
    async echo(what) {
      socket.write(what);
      return await received((text) => text.length >= what.length);
    },
  };
}

test('a standby rehearses how a connection comes, and the app sees nothing of it', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-notes-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'notes');
  const notes = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
  const served = await serve(t, 'notes-handles.cjs', { workers: 1, env: { NOTES: file } });
  const { workers } = await served.until('a standby waits', ({ workers }) =>
    workers.some(({ phase }) => phase === 'standby'),
  );
  const pidOf = (wanted: string) => workers.find(({ phase }) => phase === wanted)?.pid ?? 0;
  t.ok(await eventually(() => notes().length > 0, 10_000));
  t.same(notes(), [`${pidOf('standby')} handle`], 'who serves from the start has no time for it');
  await askFresh({ protocol: 'http', port: served.port });
  const server = pidOf('serving');
  t.same(notes().slice(1).sort(), [`${server} connection`, `${server} handle`]);
  const { workers: after } = await served.status();
  t.same(
    after.map(({ pid }) => pid),
    workers.map(({ pid }) => pid),
    'nor does it cost anybody his place',
  );
});

test('net-echo.cjs', async (t) => {
  const served = await serve(t, 'net-echo.cjs');
  const openEach = async () => {
    const pids = servingOf(await served.status()).map(({ pid }) => pid);
    const lines = [];
    for (const _ of pids) lines.push(await openEcho(served.port));
    return lines;
  };

  await t.test('connections go to all workers in turn, and half-open ones get everything back', async (t) => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 9; i++) {
      const { pid, socket } = await openEcho(served.port);
      counts.set(pid, (counts.get(pid) ?? 0) + 1);
      socket.destroy();
    }
    assertEven(
      counts,
      servingOf(await served.status()).map(({ pid }) => pid),
    );
    const { socket } = await openEcho(served.port);
    let bytes = 0;
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.end('x'.repeat(1_000_000));
    await once(socket, 'close');
    t.equal(bytes, 1_000_000);
  });

  await t.test('a SIGKILLed worker takes only its own connections with it', async (t) => {
    const lines = await openEach();
    const victim = lines[0]?.pid ?? 0;
    const closed = Promise.all(
      lines.filter(({ pid }) => pid === victim).map(({ socket }) => once(socket, 'close')),
    );
    for (const { pid, socket } of lines) if (pid === victim) socket.on('end', () => socket.destroy());
    killForGood([victim]);
    // Accepted by the primary while the dead worker is still listed: given to another.
    const later = await openEcho(served.port);
    t.not(later.pid, victim);
    await closed;
    for (const { pid, socket, echo } of lines) {
      if (pid !== victim) t.equal(await echo('still here'), 'still here');
      socket.destroy();
    }
    later.socket.destroy();
    await served.until('the slot is taken again', ({ serving }) => serving === 2);
  });

  await t.test(
    'a reload keeps open connections, and the old workers end with the last of them',
    async (t) => {
      const lines = await openEach();
      const old = lines.map(({ pid }) => pid);
      served.signal('SIGHUP');
      await served.until('a worker drains', ({ workers }) =>
        workers.some(({ phase }) => phase === 'draining'),
      );
      for (const { echo } of lines) t.equal(await echo('across'), 'across');
      for (const { socket } of lines) socket.end();
      await served.until(
        'all workers are new ones',
        ({ workers, reloading }) =>
          !reloading && !workers.some(({ pid }) => pid !== null && old.includes(pid)),
      );
    },
  );

  await t.test('SIGTERM ends with 0 and leaves no process', async () => {
    await served.stop();
  });
});

test('net-echo.cjs, sticky by cookie: a client that ends its side without a head is answered', async (t) => {
  const served = await serve(t, 'net-echo.cjs', { args: ['--sticky', 'cookie'] });
  for (const said of ['hello', '']) {
    const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    socket.end(said);
    await once(socket, 'end');
    t.match(text, new RegExp(`}\n${said}$`));
  }
  await served.stop();
});

test('net-max-one.cjs: who finds a worker full goes to another, and waits while all are', async (t) => {
  const served = await serve(t, 'net-max-one.cjs', { args: ['--standbys', '0'] });
  const [first, second] = [await openEcho(served.port), await openEcho(served.port)];
  t.not(first.pid, second.pid);
  // Its turn is not that of who has room.
  second.socket.destroy();
  const third = await openEcho(served.port);
  t.equal(third.pid, second.pid);
  const fourth = openEcho(served.port);
  await served.until('it was given to all', ({ counters }) => counters.regiven >= 4);
  first.socket.destroy();
  t.equal((await fourth).pid, first.pid);
  third.socket.destroy();
  (await fourth).socket.destroy();
  await served.stop();
});

test('dgram-echo.cjs: UDP works as under node:cluster, next to HTTP', async (t) => {
  const udpPort = await freePort();
  const served = await serve(t, 'dgram-echo.cjs', { env: { UDP_PORT: `${udpPort}` } });
  const serving = servingOf(await served.status()).map(({ pid }) => pid);
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const answer = once(socket, 'message');
  socket.send('who', udpPort, '127.0.0.1');
  const [message] = (await answer) as [Buffer];
  const known = (await served.status()).workers.map(({ pid }) => pid);
  t.ok(known.includes((JSON.parse(message.toString()) as Who).pid));
  assertEven(await countFresh({ protocol: 'http', port: served.port }, 6), serving);
  await served.stop();
});

test('http.cjs, balanced by the system: a standby gets no connection before it serves, and they are counted', async (t) => {
  const served = await serve(t, 'http.cjs', {
    env: { NODE_CLUSTER_SCHED_POLICY: 'none' },
    args: ['--backoff-free', '20'],
  });
  const address: AppAddress = { protocol: 'http', port: served.port };
  const COUNT = 100;
  const askAll = async () => {
    const { workers } = await served.until('there is a standby', ({ standbys }) => standbys === 1);
    const counts = await countFresh(address, COUNT);
    const serving = workers.filter(({ phase }) => phase === 'serving').map(({ pid }) => pid);
    t.strictSame(
      [...counts.keys()].filter((pid) => !serving.includes(pid)),
      [],
    );
    return serving;
  };
  const old = await askAll();
  await served.until('all are counted', ({ counters }) => counters.connections >= COUNT);
  const load = freshLoad(served, address, 5);
  await load.succeeded(10);
  served.signal('SIGHUP');
  await served.until(
    'all workers are new ones',
    ({ workers, reloading }) => !reloading && !workers.some(({ pid }) => old.includes(pid)),
  );
  await load.succeeded(10);
  await load.stop();
  const before = await askAll();
  killForGood(before.flatMap((pid) => pid ?? []));
  await served.until(
    'others serve',
    (now) => servingOf(now).filter(({ pid }) => !before.includes(pid)).length === 2,
  );
  await askAll();
  await served.stop();
});

test('two-listeners.cjs: each listener has its own turn, and a port taken twice is refused', async (t) => {
  const internal = await freePort();
  const served = await serve(t, 'two-listeners.cjs', { env: { PORT_INTERNAL: `${internal}` } });
  const pids = servingOf(await served.status()).map(({ pid }) => pid);
  const [first, second] = [served.port, internal].map((port): AppAddress => ({ protocol: 'http', port }));
  if (first === undefined || second === undefined) throw new Error('two ports');
  assertEven(await countFresh(first, 6), pids);
  assertEven(await countFresh(second, 6), pids);
  t.equal((await askFresh<{ third: string }>(second)).third, 'EADDRINUSE', 'as node:cluster has it');
  await served.stop();
});

/** Whether a connection is refused; one that is accepted is closed again. */
async function isRefused(port: number, host = '127.0.0.1'): Promise<boolean> {
  const socket = connect({ port, host });
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

test('two-listeners.cjs: when all die at once, nobody is refused on either port', async (t) => {
  const internal = await freePort();
  const served = await serve(t, 'two-listeners.cjs', {
    env: { PORT_INTERNAL: `${internal}` },
    args: ['--backoff-free', '20'],
  });
  killForGood((await served.status()).workers.flatMap(({ pid }) => pid ?? []));
  const asked = [served.port, internal].map((port) => askFresh({ protocol: 'http', port }));
  t.ok((await Promise.all(asked)).every(({ pid }) => pid > 0));
  await served.stop();
});

test('probes-ports.cjs: what the app closes is free at once, for its own next listen too', async (t) => {
  const served = await serve(t, 'probes-ports.cjs', { workers: 1, args: ['--standbys', '0'] });
  // It is ready since its first probe listened.
  let found = 0;
  const ask = async (port: number) =>
    ({ found } = await askFresh<{ found: number }>({ protocol: 'http', port }));
  const isAnswered = async (port: number) =>
    ask(port).then(
      () => true,
      () => false,
    );
  t.ok(await eventually(() => isAnswered(served.port), 20_000), served.output());
  t.match(await ask(found), { found });
  t.equal((await served.status()).counters.crashes, 0, served.output());
  await served.stop();
});

test('closes-second.cjs: a port that all workers have closed refuses, and not before', async (t) => {
  const second = await freePort();
  const served = await serve(t, 'closes-second.cjs', {
    env: { PORT_SECOND: `${second}` },
    args: ['--standbys', '0'],
  });
  const closed = new Set<number>();
  const closeNext = async () =>
    closed.add((await askFresh({ protocol: 'http', port: served.port }, '/close')).pid);
  await closeNext();
  t.notOk(await isRefused(second), 'the other worker has it');
  while (closed.size < 2) await closeNext();
  t.ok(await eventually(() => isRefused(second), 10_000));
  await served.stop();
});

test('host-per-worker.cjs: what a dead worker alone had is closed, and who came for it too', async (t) => {
  const own = await freePort();
  const served = await serve(t, 'host-per-worker.cjs', { env: { PORT_OWN: `${own}` } });
  const [first] = servingOf(await served.status());
  const host = `127.0.1.${first?.worker}`;
  killForGood([first?.pid ?? 0]);
  const waiting = connect({ port: own, host });
  waiting.on('error', () => undefined);
  await once(waiting, 'close');
  t.ok(await eventually(() => isRefused(own, host), 10_000));
  t.ok((await askFresh({ protocol: 'http', port: served.port })).pid > 0);
  await served.stop();
});

test('unix-path.cjs: a unix socket is balanced and served across a reload and a death', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-unix-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const socketPath = join(dir, 'app.sock');
  const served = await serve(t, 'unix-path.cjs', {
    env: { SOCKET_PATH: socketPath },
    args: ['--backoff-free', '20'],
  });
  const address: AppAddress = { protocol: 'http', port: 0, socketPath };
  for (const { claim, check } of HTTP_CHECKS) await t.test(claim, async () => check(served, address));
});

test('listen-zero.cjs: all workers, later ones too, get the same free port', async (t) => {
  const served = await serve(t, 'listen-zero.cjs');
  const said = () =>
    [...served.output().matchAll(/listening (\d+) (\S+) (\S+) (\d+)/g)].map(
      ([, pid, address, family, port]) => ({
        pid: Number(pid),
        place: `${address} ${family} ${port}`,
        port: Number(port),
      }),
    );
  t.ok(await eventually(() => said().length >= 3, 10_000), served.output());
  const port = said()[0]?.port ?? 0;
  const serving = servingOf(await served.status()).map(({ pid }) => pid);
  assertEven(await countFresh({ protocol: 'http', port }, 6), serving);
  killForGood(serving);
  await served.until('others serve', (now) => {
    const pids = servingOf(now).map(({ pid }) => pid);
    return pids.length === 2 && !pids.some((pid) => serving.includes(pid));
  });
  const { pid } = await askFresh({ protocol: 'http', port });
  t.ok(await eventually(() => said().some((one) => one.pid === pid), 10_000));
  t.strictSame([...new Set(said().map(({ place }) => place))], [`127.0.0.1 IPv4 ${port}`]);
  await served.stop();
});

test('cluster-aware.cjs: the app sees itself as a worker of node:cluster, and no message of ours', async (t) => {
  const served = await serve(t, 'cluster-aware.cjs');
  const address: AppAddress = { protocol: 'http', port: served.port };
  const ids = new Set<number | null>();
  for (const _ of servingOf(await served.status())) {
    const { pid, worker, ...rest } = await askFresh<Who & Record<string, unknown>>(address);
    t.strictSame(rest, { isPrimary: false, isMaster: false, isWorker: true, connected: true, messages: [] });
    t.ok(worker !== null && worker > 0 && pid > 0);
    ids.add(worker);
  }
  t.equal(ids.size, 2, 'each has an id of its own');
  await served.stop();
});

test('forks-child.cjs: children and threads of the app are not workers and listen by themselves', async (t) => {
  const served = await serve(t, 'forks-child.cjs');
  const own = { got: 'own', isPrimary: true, isWorker: false };
  const {
    pid: _,
    worker: __,
    ...children
  } = await askFresh({ protocol: 'http', port: served.port }, '/children');
  t.strictSame(children, { fromFork: own, fromThread: own, fromExec: own });
  t.equal((await served.status()).counters.crashes, 0);
  await served.stop();
});

test('cuts-channel.cjs: a worker that cuts its channel and ends late takes no connection with it', async (t) => {
  const served = await serve(t, 'cuts-channel.cjs');
  const address: AppAddress = { protocol: 'http', port: served.port };
  const load = freshLoad(served, address, 5);
  await load.succeeded(10);
  const { pid } = await askFresh(address, '/cut');
  const cutMs = performance.now();
  await load.succeeded(50);
  await served.until('it is replaced', (now) => {
    const pids = servingOf(now).map((worker) => worker.pid);
    return pids.length === 2 && !pids.includes(pid);
  });
  // Who was in the middle of a request by then may have lost it, as with any death.
  const failed = (await load.stop()).filter(({ error }) => error !== null);
  t.strictSame(
    failed.filter(({ startedMs }) => startedMs > cutMs),
    [],
  );
  t.ok(failed.length <= 5, 'no more than were on their way');
  await served.stop();
});

test('own-sigterm.cjs: the handler of the app runs once in each worker that leaves, and nothing is dropped', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-notes-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'notes');
  const notes = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
  const served = await serve(t, 'own-sigterm.cjs', { env: { NOTES: file } });
  const address: AppAddress = { protocol: 'http', port: served.port };
  const load = freshLoad(served, address, 10);
  const kept = keptLoad(served, address, 4);
  await Promise.all([load.succeeded(10), kept.succeeded(10)]);
  const old = servingOf(await served.status()).map(({ pid }) => pid);
  served.signal('SIGHUP');
  await served.until(
    'all workers are new ones',
    ({ workers, reloading }) => !reloading && !workers.some(({ pid }) => pid !== null && old.includes(pid)),
  );
  const failed = [...(await load.stop()), ...(await kept.stop())].filter(({ error }) => error !== null);
  t.strictSame(failed, [], 'no request failed');
  for (const pid of old) {
    t.strictSame(
      notes().filter((line) => line.endsWith(` ${pid}`)),
      [`sigterm ${pid}`, `closed ${pid}`],
    );
  }
  const last = servingOf(await served.status()).map(({ pid }) => pid);
  await served.stop();
  for (const pid of last) t.ok(notes().includes(`closed ${pid}`), 'at the stop as well');
});

test('hears-end.cjs: each worker that leaves hears that its channel closes, and nobody takes that for a loss', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-notes-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'notes');
  const served = await serve(t, 'hears-end.cjs', { env: { NOTES: file } });
  const old = servingOf(await served.status()).map(({ pid }) => pid);
  served.signal('SIGHUP');
  const { counters } = await served.until(
    'all workers are new ones',
    ({ workers, reloading }) => !reloading && !workers.some(({ pid }) => pid !== null && old.includes(pid)),
  );
  t.equal(counters.ended['ipc-lost'], undefined);
  t.equal(counters.crashes, 0);
  const last = servingOf(await served.status()).map(({ pid }) => pid);
  await served.stop();
  const notes = readFileSync(file, 'utf8').trim().split('\n');
  for (const pid of [...old, ...last]) {
    t.strictSame(
      notes.filter((line) => line.endsWith(` ${pid}`)),
      [`disconnect ${pid}`, `asked true ${pid}`],
    );
  }
});

test('an idle kept connection and one that never says a word do not keep a stop', async (t) => {
  const served = await serve(t, 'http.mjs');
  const line = openLine({ protocol: 'http', port: served.port });
  t.teardown(() => line.close());
  await ask(line);
  const mute = connect({ port: served.port, host: '127.0.0.1' });
  await once(mute, 'connect');
  mute.on('error', () => undefined);
  t.teardown(() => mute.destroy());
  await served.until(
    'both workers have one',
    ({ workers }) =>
      workers.filter(({ phase, beat }) => phase === 'serving' && beat?.open === 1).length === 2,
  );
  const startedMs = performance.now();
  await served.stop();
  // Far from the 2 minutes that a worker has to drain.
  t.ok(performance.now() - startedMs < 60_000);
});

test('slow-boot.cjs: a slow boot is waited for, also while it is the only way back', async (t) => {
  const served = await serve(t, 'slow-boot.cjs', { workers: 1, env: { BOOT_MS: '700' } });
  const address: AppAddress = { protocol: 'http', port: served.port };
  await served.until('there is a standby', ({ standbys }) => standbys === 1);
  const before = await served.status();
  killForGood(before.workers.flatMap(({ pid }) => pid ?? []));
  const { pid } = await askFresh(address);
  t.notOk(before.workers.some((worker) => worker.pid === pid));
  await served.stop();
});

test('a port that somebody else has ends the start with a reason', async (t) => {
  const port = await freePort();
  const other = createServer().listen(port);
  t.teardown(() => other.close());
  await once(other, 'listening');
  const failed = serve(t, 'http.cjs', { env: { PORT: `${port}` }, args: ['--port', `${port}`] });
  await t.rejects(failed, /EADDRINUSE|listens there/);
});
