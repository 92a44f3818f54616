import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../dist/runtime/free-port.js';
import { planReload } from '../../dist/supervisor/primary/reload-plan.js';
import type { ServiceSettings, SupervisorStatus } from '../../dist/supervisor/settings.js';
import { chaos, eventually, tempDir } from '../support/chaos.ts';

// Most of it is waiting for processes.
t.jobs = 2;

const DEADLINE_MS = 30_000;
const APP = join(import.meta.dirname, 'fixtures/serve-app.cjs');
const AS_APP = `require(${JSON.stringify(APP)});`;
const BROKEN = 'throw new Error("does not boot");';
/** The first boot that fails gives a reload up; and nothing but what a test asks for is forked. */
const BASE = { standbys: 0, workers: 1, reloadTries: 1 };

interface Reloading {
  readonly dir: string;
  /** Writes the config, and resolves with how `--reload` ended. */
  readonly reload: (config: object) => Promise<{ readonly code: number | null; readonly stderr: string }>;
  readonly status: () => Promise<SupervisorStatus>;
  readonly isAlive: () => boolean;
  readonly log: () => string;
  /** @returns its exit code */
  readonly stop: () => Promise<number | null>;
}

/** A `chaos serve --config` in a folder of its own. */
async function start(
  t: Test,
  config: object,
  files: Readonly<Record<string, string>> = {},
): Promise<Reloading> {
  const dir = tempDir(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const env = { TMPDIR: dir, XDG_CACHE_HOME: dir };
  const write = (value: object): void => writeFileSync(join(dir, 'serve.json'), JSON.stringify(value));
  const again = (...args: readonly string[]) =>
    chaos(t, ['serve', '--config', 'serve.json', ...args], { cwd: dir, env }).done;
  write({ ...BASE, ...config });
  const run = chaos(t, ['serve', '--config', 'serve.json'], { cwd: dir, env });
  let log = '';
  run.child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const status = async (): Promise<SupervisorStatus> =>
    JSON.parse((await again('--status', '--json')).stdout) as SupervisorStatus;
  return {
    dir,
    status,
    log: () => log,
    isAlive: () => run.child.exitCode === null && run.child.signalCode === null,
    reload(next) {
      write({ ...BASE, ...next });
      return again('--reload');
    },
    async stop() {
      run.child.kill('SIGTERM');
      return (await run.done).code;
    },
  };
}

const isReady = (served: Reloading, times = 1): Promise<boolean> =>
  eventually(() => (served.log().match(/"msg":"ready: /g)?.length ?? 0) === times, DEADLINE_MS);

/** The COLOR of who answers a fresh connection; null when nobody does. */
async function colorOf(port: number, path = '/'): Promise<string | null> {
  try {
    const [res] = (await once(get({ host: '127.0.0.1', port, path, agent: false }), 'response')) as [
      IncomingMessage,
    ];
    let text = '';
    for await (const chunk of res) text += String(chunk);
    return (JSON.parse(text) as { color: string | null }).color ?? 'none';
  } catch {
    return null;
  }
}

/** Somebody else's listener. */
async function takenPort(t: Test): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  return (taken.address() as { port: number }).port;
}

const service = (port: number, color: string, more: object = {}): object => ({
  entry: APP,
  port,
  env: { COLOR: color },
  ...more,
});

const running = (name: string, port: number | null, balance = 'round-robin') =>
  ({ settings: { name, port, policy: { balance } } }) as unknown as { readonly settings: ServiceSettings };

t.test('a config means who has the name, else who has the port, else the only one', (t) => {
  const plan = (
    before: readonly { readonly settings: ServiceSettings }[],
    after: readonly { readonly settings: ServiceSettings }[],
    canDelegate = false,
  ) => {
    const { kept, added, removed } = planReload(
      before,
      after.map(({ settings }) => settings),
      { canDelegate },
    );
    return {
      kept: kept.map((pair) => `${pair.service.settings.name} ${pair.next.name}`),
      added: added.map(({ name }) => name),
      removed: removed.map(({ settings }) => settings.name),
    };
  };
  t.same(
    plan([running('a', 1), running('b', 2), running('c', null)], [running('c', 2), running('d', 1)]),
    { kept: ['c c', 'a d'], added: [], removed: ['b'] },
    'the name comes first',
  );
  t.same(plan([running('a', null)], [running('b', null)]), { kept: ['a b'], added: [], removed: [] });
  t.same(plan([running('a', 1)], [running('b', 2)]), { kept: ['a b'], added: [], removed: [] });
  t.same(
    plan([running('a', 0), running('b', null)], [running('c', 0), running('d', null)]),
    { kept: [], added: ['c', 'd'], removed: ['a', 'b'] },
    'a port of the system’s choice says nothing',
  );
  const none = running('a', 1, 'none');
  const least = running('a', 1, 'least-connections');
  t.same(plan([running('a', 1)], [least]).kept, ['a a']);
  t.same(plan([none], [none], true).kept, ['a a']);
  for (const [before, after] of [
    [none, least],
    [least, none],
  ] as const) {
    t.throws(() => plan([before], [after], true), {
      reason: 'usage',
      message: /service 'a': balance, '.*', cannot become '.*' while the supervisor runs/,
    });
  }
  t.throws(() => plan([], [none]), { reason: 'usage', message: /of a new service, cannot become 'none'/ });
  t.same(plan([], [none], true).added, ['a'], 'where node:cluster was told so at the start');
  t.end();
});

t.test('a new service that cannot listen, or boot, is given up, and nobody else is lost', async (t) => {
  const [port, other, taken] = [await freePort(), await freePort(), await takenPort(t)];
  const served = await start(t, { services: { a: service(port, 'red') } });
  t.ok(await isReady(served), served.log());
  writeFileSync(join(served.dir, 'broken.js'), BROKEN);
  for (const bad of [service(taken, 'blue'), service(other, 'blue', { entry: 'broken.js' })]) {
    const { code, stderr } = await served.reload({ services: { a: service(port, 'red'), b: bad } });
    t.equal(code, 4);
    t.match(stderr, /service 'b', which is new, does not boot/);
    t.equal(await colorOf(port), 'red');
    // In place of `a`: that goes on until the new one serves.
    t.equal((await served.reload({ services: { b: bad, c: service(await freePort(), 'x') } })).code, 4);
    t.equal(await colorOf(port), 'red');
  }
  t.ok(await eventually(async () => (await served.status()).services.length === 1, DEADLINE_MS));
  t.equal(
    (await served.reload({ services: { b: service(other, 'green'), c: service(await freePort(), 'x') } }))
      .code,
    0,
  );
  t.equal(await colorOf(other), 'green');
  t.ok(await eventually(async () => (await colorOf(port)) === null, DEADLINE_MS), 'now it is gone');
  t.equal(await served.stop(), 0);
});

t.test('a service that crash-loops and then cannot listen takes no other with it', async (t) => {
  const [port, taken] = [await freePort(), await takenPort(t)];
  const served = await start(
    t,
    {
      backoff: { first: '20ms', cap: '100ms' },
      services: { a: service(port, 'red'), b: service(taken, 'blue', { entry: 'app.js' }) },
    },
    { 'app.js': BROKEN },
  );
  t.ok(await eventually(() => served.log().includes('worker died'), DEADLINE_MS), served.log());
  writeFileSync(join(served.dir, 'app.js'), AS_APP);
  t.ok(await eventually(() => served.log().includes(`cannot listen on 127.0.0.1 ${taken}`), DEADLINE_MS));
  const isTriedAgain = (): boolean => served.log().split('cannot listen on').length > 3;
  t.ok(await eventually(isTriedAgain, DEADLINE_MS), 'it may be free one day');
  t.ok(served.isAlive());
  t.equal(await colorOf(port), 'red');
  t.equal(await served.stop(), 0);
});

t.test(
  'one service is replaced worker by worker, also when it runs another file or has another name',
  async (t) => {
    const port = await freePort();
    const served = await start(t, service(port, 'red'));
    t.ok(await isReady(served), served.log());
    const asking = new AbortController();
    const colors = (async (): Promise<readonly (string | null)[]> => {
      const seen: (string | null)[] = [];
      while (!asking.signal.aborted) seen.push(await colorOf(port));
      return seen;
    })();
    mkdirSync(join(served.dir, 'next'));
    writeFileSync(join(served.dir, 'next/other.js'), AS_APP);
    writeFileSync(join(served.dir, 'broken.js'), BROKEN);
    t.equal((await served.reload(service(port, 'blue', { entry: 'next/other.js' }))).code, 0);
    t.match((await served.status()).services, [{ name: 'other', generation: 2, serving: 1 }]);
    const { code, stderr } = await served.reload(service(port, 'green', { entry: 'broken.js' }));
    t.equal(code, 4);
    t.match(stderr, /service 'broken': the new generation does not boot; the old one goes on/);
    t.match((await served.status()).services, [{ name: 'other', serving: 1 }]);
    t.equal((await served.reload({ services: { web: service(port, 'white') } })).code, 0);
    asking.abort();
    const seen = await colors;
    t.notOk(seen.includes(null), 'no connection was refused');
    t.same([...new Set(seen)].slice(0, 2), ['red', 'blue']);
    t.equal(await colorOf(port), 'white');
    t.match(served.log(), /"service":"web".*"msg":"reload done"/);
    t.equal(await served.stop(), 0);
  },
);

t.test('who is removed and comes back while it drains is there again', async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const both = { services: { a: service(port, 'red'), b: service(other, 'blue') } };
  const served = await start(t, both);
  t.ok(await isReady(served, 2), served.log());
  const hanging = get({ host: '127.0.0.1', port, path: '/hang', agent: false });
  hanging.on('error', () => undefined);
  const [response] = (await once(hanging, 'response')) as [IncomingMessage];
  response.on('error', () => undefined).resume();
  t.equal((await served.reload({ services: { b: service(other, 'blue') } })).code, 0);
  t.match(
    (await served.status()).services,
    [{ name: 'b' }, { name: 'a', goal: 'stop' }],
    'it drains for as long as that request takes',
  );
  t.equal((await served.reload(both)).code, 0);
  t.equal(await colorOf(port), 'red');
  hanging.destroy();
  t.same(
    (await served.status()).services.map(({ name, goal }) => [name, goal]),
    [
      ['b', 'run'],
      ['a', 'run'],
    ],
  );
  t.equal(await colorOf(port), 'red');
  t.equal(await served.stop(), 0);
});

t.test('who accepts is settled at the start', async (t) => {
  const port = await freePort();
  const served = await start(t, { ...service(port, 'red'), balance: 'none' });
  t.ok(await isReady(served), served.log());
  const { code, stderr } = await served.reload({ ...service(port, 'blue'), balance: 'round-robin' });
  t.equal(code, 3);
  t.match(stderr, /balance, 'none', cannot become 'round-robin' while the supervisor runs/);
  t.equal(await colorOf(port), 'red');
  t.equal((await served.reload({ ...service(port, 'blue'), balance: 'none' })).code, 0);
  t.equal(await colorOf(port), 'blue');
  t.equal(await served.stop(), 0);
});

t.test('an app that finds another port when its own is taken serves there', async (t) => {
  const [taken, port] = [await takenPort(t), await freePort()];
  const app = `
    const server = require('node:http').createServer((_, res) => res.end('{"color":"red"}'));
    server.on('error', ({ code }) => code === 'EADDRINUSE' && server.listen(${port}, '127.0.0.1'));
    server.listen(Number(process.env.PORT), '127.0.0.1');
  `;
  const served = await start(t, { entry: 'app.js', port: taken, workers: 2 }, { 'app.js': app });
  t.ok(await isReady(served), served.log());
  t.equal(await colorOf(port), 'red');
  t.equal(await served.stop(), 0);
});
