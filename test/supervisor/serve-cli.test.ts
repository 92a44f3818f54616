import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { get, type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { ChaosError } from '../../dist/base/errors.js';
import { askSupervisor } from '../../dist/cli/commands/serve-client.js';
import { loadServeConfig } from '../../dist/cli/commands/serve-config.js';
import { prettyLine } from '../../dist/cli/commands/serve-log.js';
import { renderStatus } from '../../dist/cli/commands/serve-status.js';
import type { CliContext } from '../../dist/cli/context.js';
import { exitCode } from '../../dist/cli/exit-codes.js';
import { freePort } from '../../dist/runtime/free-port.js';
import { openAdmin } from '../../dist/supervisor/admin/admin-server.js';
import { askAdmin } from '../../dist/supervisor/admin/client.js';
import type { Control } from '../../dist/supervisor/admin/control.js';
import { flagOf, type OptionKey, variableOf } from '../../dist/supervisor/options/option.js';
import { OPTION_KEYS, optionOf } from '../../dist/supervisor/options/table.js';
import type { ServiceStatus, SupervisorStatus } from '../../dist/supervisor/settings.js';
import { type ChaosRun, chaos, eventually, ROOT, tempDir } from '../support/chaos.ts';
import { cleanSpawn, finished } from '../support/clean-spawn.ts';

// Each test has a folder and ports of its own, and most of it is waiting for processes.
t.jobs = 2;

const FIXTURES = join(import.meta.dirname, 'fixtures');
const APP = join(FIXTURES, 'serve-app.cjs');
const DEADLINE_MS = 30_000;

const STATUS: SupervisorStatus = {
  version: 1,
  pid: 4711,
  uptimeMs: 65_000,
  services: [
    {
      name: 'web',
      entry: '/srv/app.js',
      goal: 'run',
      generation: 3,
      reloading: false,
      workersWanted: 2,
      serving: 1,
      standbys: 1,
      waiting: 4,
      listeners: ['[::]:3000'],
      bootFailures: 2,
      breakerOpen: true,
      counters: {
        forks: 9,
        connections: 1234,
        regiven: 5,
        shed: 6,
        reloads: 7,
        reloadsAborted: 8,
        crashes: 2,
        ended: { memory: 1, hung: 3 },
      },
      workers: [
        {
          worker: 8,
          pid: 801,
          slot: null,
          generation: 3,
          phase: 'standby',
          suspect: true,
          retire: null,
          ageMs: 2000,
          silentMs: 300,
          beat: null,
        },
        {
          worker: 7,
          pid: 701,
          slot: 1,
          generation: 3,
          phase: 'serving',
          suspect: false,
          retire: 'age',
          ageMs: 2000,
          silentMs: 3,
          beat: {
            open: 11,
            taken: 12,
            requests: 1300,
            rssBytes: 50_000_000,
            heapUsedBytes: 10,
            heapSoonBytes: 10,
            heapLimitBytes: 100,
            cpuMs: 3250,
            cpu: 0.5,
            utilisation: 0.25,
            loopDelayMs: 1.5,
          },
        },
      ],
    },
  ],
};

/** A supervisor that only remembers what it was asked for. */
function fakeControl(over: Partial<Control> = {}): Control & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    status: () => STATUS,
    reload: () => Promise.resolve(void asked.push('reload')),
    scale: (service, workers) => void asked.push(`scale ${service} ${workers}`),
    stop: () => Promise.resolve(void asked.push('stop')),
    ...over,
  };
}

/** Runs the admin address in front of a fake. */
async function adminOf(
  t: Test,
  address: { path: string } | { port: number },
  control: Control | null,
  metrics = false,
) {
  const admin = await openAdmin(address, { metrics });
  t.teardown(() => admin.close());
  if (control !== null) admin.attach(control);
  return admin;
}

const usageError = async (promise: Promise<unknown>): Promise<ChaosError> => {
  const error: unknown = await promise.then(
    () => new Error('it was accepted'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof ChaosError && error.reason === 'usage') return error;
  throw error;
};

t.test('the admin address answers each request as documented, errors as JSON', async (t) => {
  const address = { path: join(tempDir(t), 'a.sock') };
  const control = fakeControl();
  await adminOf(t, address, control);
  const ask = async (method: string, path: string) => {
    const { status, body } = await askAdmin(address, { method: method as 'GET', path });
    return [status, body as { error?: string; hint?: string }] as const;
  };
  t.same(await ask('GET', '/status'), [200, STATUS]);
  t.same((await ask('POST', '/reload'))[0], 200);
  t.same((await ask('POST', '/scale?service=web&workers=5'))[0], 200);
  t.same((await ask('POST', '/scale?workers=6'))[0], 200, 'the only service needs no name');
  t.same(await ask('POST', '/stop'), [200, { stopped: true }]);
  t.same(control.asked, ['reload', 'scale web 5', 'scale web 6', 'stop']);
  for (const workers of ['', 'x', '0', '1025', '-1', '1.5', 'cores']) {
    t.match(await ask('POST', `/scale?workers=${workers}`), [
      422,
      { error: /^workers: expected a whole number/ },
    ]);
  }
  t.match(await ask('POST', '/scale?service=wob&workers=1'), [
    404,
    { error: /no such service/, hint: /mean web/ },
  ]);
  t.match(await ask('GET', '/metrics'), [404, { error: 'metrics are off', hint: /--metrics/ }]);
  for (const path of ['/', '/nowhere', '/__proto__', '/toString', '//status', '/status/']) {
    t.match(await ask('GET', path), [404, { error: /nothing here/, hint: /\/status/ }], path);
  }
  for (const path of ['/reload', '/stop', '/scale']) {
    t.match(await ask('GET', path), [405, { error: `${path} takes POST` }]);
  }
  t.match(await ask('DELETE', '/status'), [405, { error: '/status takes GET' }]);
  t.equal(control.asked.length, 4, 'nothing that was refused was done');
});

t.test(
  'a refused reload is 422, a failed one 500, and before the supervisor is there it is 503',
  async (t) => {
    const dir = tempDir(t);
    const ask = (path: string) => askAdmin({ path: join(dir, path) }, { method: 'POST', path: '/reload' });
    await adminOf(t, { path: join(dir, 'none') }, null);
    t.match(await ask('none'), { status: 503, body: { error: 'the supervisor starts' } });
    const failing = (error: Error) => fakeControl({ reload: () => Promise.reject(error) });
    await adminOf(
      t,
      { path: join(dir, 'bad') },
      failing(new ChaosError('usage', 'workers: no', { hint: 'do so' })),
    );
    t.match(await ask('bad'), { status: 422, body: { error: 'workers: no', hint: 'do so' } });
    await adminOf(t, { path: join(dir, 'fails') }, failing(new ChaosError('unhealthy', 'does not boot')));
    t.match(await ask('fails'), { status: 500, body: { error: 'does not boot' } });
  },
);

t.test('slow clients lock nobody out, and are ended after 10 s', async (t) => {
  const path = join(tempDir(t), 'a.sock');
  let finish = (): void => undefined;
  const reloaded = new Promise<void>((resolve) => (finish = resolve));
  await adminOf(t, { path }, fakeControl({ reload: () => reloaded }));
  const waiting = askAdmin({ path }, { method: 'POST', path: '/reload' });
  const slow = await Promise.all(
    Array.from({ length: 70 }, async () => {
      const socket = connect(path);
      t.teardown(() => socket.destroy());
      socket.on('error', () => undefined).resume();
      await once(socket, 'connect');
      socket.write('GET /status HTTP/1.1\r\nHost: x\r\n');
      return socket;
    }),
  );
  for (let i = 0; i < 3; i++) {
    t.equal((await askAdmin({ path }, { method: 'GET', path: '/status', timeoutMs: 1000 })).status, 200);
  }
  const open = (): number => slow.filter((socket) => !socket.closed).length;
  t.ok(await eventually(() => open() <= 64, DEADLINE_MS), 'more than 64 at a time are not kept');
  t.ok(open() > 0, 'no more are ended than must be');
  t.ok(await eventually(() => open() === 0, 20_000), 'less than the 30 s of Node');
  finish();
  t.equal((await waiting).status, 200, 'who waits for an answer is not slow');
});

t.test('a reload or a scaling while it stops is 503: in order, but too late', async (t) => {
  const address = { path: join(tempDir(t), 'a.sock') };
  let services: readonly ServiceStatus[] = STATUS.services.map((one) => ({ ...one, goal: 'stop' }));
  const control = fakeControl({
    status: () => ({ ...STATUS, services }),
    reload: () => {
      services = [];
      return Promise.reject(new ChaosError('usage', 'begun meanwhile'));
    },
  });
  await adminOf(t, address, control);
  const post = (path: string) => askAdmin(address, { method: 'POST', path });
  const stopping = { status: 503, body: { error: 'the supervisor is stopping' } };
  t.match(await post('/reload'), stopping);
  t.match(await post('/scale?workers=5'), stopping);
  services = [...services, ...STATUS.services.map((one) => ({ ...one, name: 'new' }))];
  t.match(await post('/scale?service=web&workers=5'), {
    status: 503,
    body: { error: 'service web is stopping' },
  });
  t.match(await post('/reload'), stopping, 'it stopped while the config was read');
  t.match(await post('/scale?workers=5'), stopping, 'no service is left');
  t.same(control.asked, []);
});

t.test('who waits for the stop gets the answer before the address closes', async (t) => {
  const address = { path: join(tempDir(t), 'a.sock') };
  let finish = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (finish = resolve));
  let isAsked = false;
  const admin = await adminOf(
    t,
    address,
    fakeControl({
      stop: () => {
        isAsked = true;
        return stopped;
      },
    }),
  );
  const answer = askAdmin(address, { method: 'POST', path: '/stop' });
  t.ok(await eventually(() => isAsked, DEADLINE_MS));
  const closed = admin.close();
  finish();
  t.match(await answer, { status: 200, body: { stopped: true } });
  await closed;
  t.notOk(existsSync(address.path), 'its socket is gone');
});

t.test('over TCP only loopback is listened on, and pages of other sites are refused', async (t) => {
  const port = await freePort();
  const control = fakeControl();
  await adminOf(t, { port }, control);
  const ask = async (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<number> => {
    const req = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
    req.end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    res.resume();
    return res.statusCode ?? 0;
  };
  const refused: readonly Readonly<Record<string, string>>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost.evil.example' },
    { origin: 'http://127.0.0.1@evil.example' },
    { host: 'evil.example' },
    { host: `rebound.example:${port}` },
    { host: '127.0.0.1.evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of refused) {
    t.equal(await ask('POST', '/stop', headers), 403, JSON.stringify(headers));
    t.equal(await ask('GET', '/status', headers), 403, JSON.stringify(headers));
  }
  t.same(control.asked, []);
  for (const headers of [
    {},
    { host: `localhost:${port}` },
    { host: `[::1]:${port}`, origin: `http://127.0.0.1:${port}` },
  ]) {
    t.equal(await ask('POST', '/stop', headers), 200, JSON.stringify(headers));
  }
  // The second half of /proc/net/tcp's local address is the port; the first is 127.0.0.1 and nothing else.
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const listening = ['tcp', 'tcp6'].flatMap((file) =>
    readFileSync(`/proc/net/${file}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => local?.endsWith(`:${hex}`) && state === '0A')
      .map(([, local]) => local),
  );
  t.same(listening, [`0100007F:${hex}`]);
  t.match(
    (await usageError(openAdmin({ port }, { metrics: false }))).message,
    /supervisor \(pid 4711\) runs already/,
  );
});

t.test(
  'the socket of a dead supervisor is replaced; a live one, a file, and a foreign folder are not',
  async (t) => {
    const dir = tempDir(t);
    const path = join(dir, 'a.sock');
    const dead = cleanSpawn(process.execPath, [join(FIXTURES, 'serve-leaves-socket.cjs'), path], { env: {} });
    await once(dead, 'exit');
    t.ok(statSync(path).isSocket(), 'the dead one left its socket');
    await adminOf(t, { path }, fakeControl());
    t.equal((await askAdmin({ path }, { method: 'GET', path: '/status' })).status, 200);
    t.equal(statSync(path).mode & 0o777, 0o600, 'nobody else gets in');

    const { message, hint } = await usageError(openAdmin({ path }, { metrics: false }));
    t.equal(message, `a supervisor (pid 4711) runs already, steered at ${path}`);
    t.match(hint, /--admin/);
    t.equal(
      (await askAdmin({ path }, { method: 'GET', path: '/status' })).status,
      200,
      'the live one is left alone',
    );

    const file = join(dir, 'precious');
    writeFileSync(file, 'data');
    t.match(
      (await usageError(openAdmin({ path: file }, { metrics: false }))).message,
      /something else is there/,
    );
    t.equal(readFileSync(file, 'utf8'), 'data');

    const silent = createServer();
    t.teardown(() => silent.close());
    silent.listen(join(dir, 'silent'));
    silent.on('connection', (socket) => socket.end('hello'));
    await once(silent, 'listening');
    const foreign = await usageError(openAdmin({ path: join(dir, 'silent') }, { metrics: false }));
    t.match(
      foreign.message,
      /something else is there/,
      'what answers without being a supervisor is not removed',
    );
    t.ok(existsSync(join(dir, 'silent')));
  },
);

t.test('a default folder that others can write to is refused', async (t) => {
  const dir = tempDir(t);
  const run = (): ChaosRun => chaos(t, ['serve', APP, '--workers', '1'], { cwd: dir, env: { TMPDIR: dir } });
  mkdirSync(join(dir, `cluster-chaos-${process.getuid?.()}`));
  chmodSync(join(dir, `cluster-chaos-${process.getuid?.()}`), 0o777);
  const { code, stderr } = await run().done;
  t.equal(code, 3);
  t.match(stderr, /is not a folder that only this user can enter/);
});

t.test(
  'below a temp folder with a long name no supervisor is steered from the folder of another',
  async (t) => {
    const long = join(tempDir(t), 'x'.repeat(100));
    mkdirSync(long);
    const env = { TMPDIR: long };
    const [dir, other] = [tempDir(t), tempDir(t)];
    const port = String(await freePort());
    const run = chaos(t, ['serve', APP, '--workers', '1', '--standbys', '0'], {
      cwd: dir,
      env: { ...env, PORT: port },
    });
    const ask = (cwd: string, what: string) => chaos(t, ['serve', what], { cwd, env }).done;
    t.ok(await eventually(async () => (await ask(dir, '--status')).code === 0, DEADLINE_MS));
    t.match(await ask(other, '--stop'), {
      code: 4,
      stderr: /no supervisor answers at \/tmp\/cluster-chaos-/,
    });
    t.equal((await ask(dir, '--stop')).code, 0);
    t.equal((await run.done).code, 0);
    t.same(readdirSync(dirname(long)), ['x'.repeat(100)], 'no cut socket is left');
  },
);

t.test('the second supervisor of a folder does not claim the admin address of the first', async (t) => {
  const first = await serving(t, [APP, '--workers', '1', '--standbys', '0']);
  await first.until('it serves', ({ serving }) => serving === 1);
  const second = await serving(t, [APP, '--workers', '1', '--standbys', '0'], { dir: first.dir() });
  const readyOf = (log: string): string | undefined =>
    log.split('\n').find((line) => line.includes('"msg":"ready: '));
  for (const { log } of [first, second]) {
    t.ok(await eventually(() => readyOf(log()) !== undefined, DEADLINE_MS), log());
  }
  t.match(readyOf(first.log()), /"admin":"[^"]+\.sock"/);
  t.match(second.log(), /no admin address for this one/);
  t.notMatch(readyOf(second.log()), /"admin"/);
  for (const { child, done } of [first, second]) {
    child.kill('SIGTERM');
    t.equal((await done).code, 0);
  }
});

t.test('metrics say all that the status says, in the format of Prometheus', async (t) => {
  const path = join(tempDir(t), 'a.sock');
  await adminOf(t, { path }, fakeControl(), true);
  const [res] = (await once(get({ socketPath: path, path: '/metrics', agent: false }), 'response')) as [
    IncomingMessage,
  ];
  t.match(res.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  let text = '';
  for await (const chunk of res) text += String(chunk);
  for (const line of [
    'chaos_uptime_seconds 65',
    'chaos_workers{service="web",phase="serving"} 1',
    'chaos_workers{service="web",phase="standby"} 1',
    'chaos_workers{service="web",phase="ending"} 0',
    'chaos_workers_wanted{service="web"} 2',
    'chaos_workers_suspect{service="web"} 1',
    'chaos_generation{service="web"} 3',
    'chaos_waiting_connections{service="web"} 4',
    'chaos_breaker_open{service="web"} 1',
    'chaos_connections_total{service="web"} 1234',
    'chaos_regiven_total{service="web"} 5',
    'chaos_shed_total{service="web"} 6',
    'chaos_worker_ends_total{service="web",reason="crash"} 2',
    'chaos_worker_ends_total{service="web",reason="hung"} 3',
    'chaos_worker_resident_bytes{service="web",slot="1"} 50000000',
    'chaos_worker_utilisation{service="web",slot="1"} 0.25',
    'chaos_worker_cpu_seconds_total{service="web",slot="1"} 3.25',
    'chaos_worker_loop_delay_seconds{service="web",slot="1"} 0.0015',
    'chaos_worker_open_connections{service="web",slot="1"} 11',
    'chaos_worker_requests_total{service="web",slot="1"} 1300',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
  t.match(text, /^# TYPE chaos_worker_requests_total counter$/m);
  t.match(text, /^# TYPE chaos_workers gauge$/m);
});

t.test('the status as text has every worker in order of its slot', (t) => {
  const text = renderStatus(STATUS, '/run/a.sock');
  t.match(text, /^supervisor 4711, up 1 min 5 s, steered at \/run\/a\.sock\n/);
  t.match(
    text,
    /serving 1 of 2 · 1 standby · generation 3 · listening on \[::\]:3000 · breaker open after 2 failed boots/,
  );
  t.match(
    text,
    /given again 5 · shed 6 · forks 9 · crashes 2 · reloads 7 \(8 given up\) · ended: memory 1, hung 3/,
  );
  const rows = text.split('\n').slice(-3, -1);
  t.match(rows[0], /^ +1 +7 +701 +serving \(age\) +3 +2 s +11 +1,300 +50 MB +10 % +50 % +25 % +1\.5 ms$/);
  t.match(rows[1], /^ +- +8 +801 +standby, silent 300 ms +3 +2 s( +-){7}$/);
  t.end();
});

t.test('on a terminal a log line is a line for people, and shows nothing that does not print', (t) => {
  const line = JSON.stringify({
    level: 40,
    time: 0,
    service: 'web',
    msg: 'worker died',
    slot: 2,
    signal: 'SIGKILL',
  });
  t.match(
    prettyLine(line, false),
    /^\d\d:\d\d:\d\d\.000 {2}warn {3}web {2}worker died {2}slot=2 signal=SIGKILL\n$/,
  );
  const evil = JSON.stringify({ level: 30, time: 0, msg: 'x', detail: 'a\u001b[31m\nb' });
  t.match(prettyLine(evil, false), /detail='a\\u\{1b\}\[31m\\u\{a\}b'\n$/);
  const failed = JSON.stringify({ level: 50, time: 0, msg: 'cannot fork', err: { message: 'EAGAIN' } });
  t.match(prettyLine(failed, false), /error {2}cannot fork: EAGAIN\n$/);
  t.end();
});

t.test('the help has every flag with its default, bounds and variables', async (t) => {
  const { code, stdout } = await chaos(t, ['serve', '--help']).done;
  t.equal(code, 0);
  const flat = stdout.replace(/\s+/g, ' ');
  const flagless: readonly OptionKey[] = ['entry', 'args', 'slotEnv'];
  for (const key of OPTION_KEYS.filter((key) => !flagless.includes(key))) {
    const { fallback, kind, help } = optionOf(key);
    const flag = key === 'nodeArgs' ? '--node-arg' : flagOf(key);
    const line = flat.slice(flat.indexOf(` ${flag} `)).split(' --')[1] ?? '';
    t.ok(flat.includes(` ${flag} `), flag);
    t.ok(line.includes(help), `${flag}: ${line}`);
    if (fallback === 'required') continue;
    const shown = 'says' in fallback ? fallback.says : fallback.input;
    if (typeof shown === 'string' || typeof shown === 'number')
      t.ok(line.includes(`(default ${shown}`), line);
    if (kind.range !== undefined) t.ok(line.includes(`; ${kind.range})`), line);
  }
  t.match(flat, /--drain-timeout is CHAOS_SERVE_DRAIN_TIMEOUT\./);
  t.match(
    flat,
    /PORT \(--port\), WORKERS \(--workers\), WEB_CONCURRENCY \(--workers\), NODE_CLUSTER_SCHED_POLICY/,
  );
  t.match(flat, /--config and --log-level have one too, --node-arg and --env have none\./);
  t.match(stdout, /Exit codes of serve:/);
  t.match(flat, /Only in a config: slotEnv \(.+?\), services \(/);
});

t.test('the help and README have the same exit codes, each as the program gives it', async (t) => {
  const { stdout } = await chaos(t, ['serve', '--help']).done;
  const inHelp = stdout
    .slice(stdout.indexOf('Exit codes of serve:'))
    .matchAll(/^ +(\d+(?:, \d+)?) {2}(.+)$/gm);
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const inReadme = readme
    .slice(readme.indexOf('| of `chaos serve`'))
    .matchAll(/^\| (\d+(?:, \d+)?) +\| (.+?) +\|$/gm);
  const rows = [...inHelp].map(([, code, meaning]) => [code, meaning]);
  t.same(
    [...inReadme].map(([, code, meaning]) => [code, meaning?.replaceAll('`', '')]),
    rows,
  );
  const given = ['pass', 'usage', 'unhealthy', 'leftover', 'bug', 'interrupted', 'terminated'] as const;
  t.same(
    rows.flatMap(([code]) => code?.split(', ').map(Number)),
    given.map(exitCode),
  );
});

t.test('what is wrong with the command line or the config ends with 3 and starts nothing', async (t) => {
  const dir = tempDir(t);
  const mark = join(dir, 'started');
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return name;
  };
  const entry = JSON.stringify(APP);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /entry: is missing/],
    [[APP, '--wrokers', '2'], /unknown option '--wrokers'[^]*--workers/],
    [
      [APP, '--beat', '1m', '--drain-timeout', 'x'],
      /2 problems[^]*--drain-timeout: expected[^]*beat: suspectAfter \(250 ms\) must be/,
    ],
    [
      ['--config', file('d.json', `{"entry":${entry},"wrokers":2}`)],
      /d\.json: wrokers: unknown option; did you mean workers\?/,
    ],
    [['--config', file('f.ts', 'export default {{')], /f\.ts:1:\d+ has a syntax error/],
    [
      ['--config', file('p.mjs', "export default Promise.reject(new Error('x'));")],
      /p\.mjs:1 threw while it was loaded: x\n {2}→ It exports its options/,
    ],
    [['--config', file('q.cjs', 'process.exit(0);')], /q\.cjs ended its process \(exit code 0\) before/],
    [[APP, '--status', '--stop'], /one at a time: --status, --stop/],
    [[APP, '--json'], /--json goes with --status/],
    [[APP, '--service', 'web'], /--service goes with --scale only/],
    [['--status', '--service', 'nonexist'], /--service goes with --scale only/],
    [[APP, '--admin=/proc/x/y.sock'], /admin: cannot make the folder \/proc\/x: ENOENT/],
  ];
  const env = { MARK: mark, TMPDIR: dir, XDG_CACHE_HOME: dir };
  const check = async ([args, message]: (typeof cases)[number]): Promise<void> => {
    const { code, stdout, stderr } = await chaos(t, ['serve', ...args], { cwd: dir, env }).done;
    t.equal(code, 3, args.join(' '));
    t.match(stderr, message);
    t.equal(stdout, '');
  };
  // Two at a time: each is a process that ends at once.
  for (let i = 0; i < cases.length; i += 2) await Promise.all(cases.slice(i, i + 2).map(check));
  const wrong = await chaos(t, ['serve', APP], { cwd: dir, env: { ...env, WORKERS: '-1' } }).done;
  t.match(wrong, { code: 3, stderr: /WORKERS: expected a whole number/ });
  t.notOk(existsSync(mark), 'no worker was started by any of them');
});

t.test('a config is JSON, JavaScript or TypeScript, and is read as it is then', async (t) => {
  const dir = tempDir(t);
  // The code cache goes to a folder of this test: the user's own is left alone.
  process.env['XDG_CACHE_HOME'] = dir;
  const load = (name: string, text: string): Promise<unknown> => {
    writeFileSync(join(dir, name), text);
    return loadServeConfig(dir, name);
  };
  const wanted = { entry: 'a.js', workers: 2 };
  t.same(await load('a.json', JSON.stringify(wanted)), wanted);
  t.same(await load('a.json', `\uFEFF${JSON.stringify(wanted)}`), wanted, 'with a byte order mark');
  t.same(await load('a.mjs', `export default ${JSON.stringify(wanted)}`), wanted);
  t.same(await load('a.cjs', `module.exports = ${JSON.stringify(wanted)}`), wanted);
  const typed = `import { type SupervisorOptions, startSupervisor } from 'cluster-chaos/supervisor';
    if (typeof startSupervisor !== 'function') throw new Error('the library is not there');
    const options: SupervisorOptions = ${JSON.stringify(wanted)};
    export default options;`;
  t.same(await load('a.ts', typed), wanted);
  t.same(await load('a.ts', 'export default { workers: 3 as number };'), { workers: 3 }, 'again, and new');
  const refusals: readonly (readonly [string, string, RegExp, RegExp?])[] = [
    ['a.yaml', '', /^the config 'a\.yaml' must end in \.json/],
    ['b.json', '{', /b\.json is not valid JSON/, /^It is one object of options, without comments/],
    ['e.mjs', 'export const entry = 1;', /e\.mjs has no default export/],
    ['g.cjs', "throw new Error('oops')", /g\.cjs:1 threw while it was loaded: oops/],
    [
      'h.mjs',
      "import './nowhere.mjs'; export default {}",
      /h\.mjs imports '.*nowhere\.mjs', which cannot be found/,
    ],
    ['i.json', ' '.repeat(1_000_001), /has 1000001 bytes; at most 1000000/],
  ];
  for (const [name, text, message, hint] of refusals) {
    const error = await usageError(load(name, text));
    t.match(error.message, message);
    if (hint !== undefined) t.match(error.hint, hint);
  }
  t.match(
    (await usageError(loadServeConfig(dir, 'n\none.json'))).message,
    /^the config 'n\\u\{a\}one\.json' is not a file/,
  );
});

t.test('whatever the code of a config does, it is read or refused, and ends with its reading', async (t) => {
  const dir = tempDir(t);
  process.env['XDG_CACHE_HOME'] = dir;
  const load = (name: string, text: string, deadlineMs?: number): Promise<unknown> => {
    writeFileSync(join(dir, name), text);
    return loadServeConfig(dir, name, deadlineMs);
  };
  const wanted = { entry: 'a.js', workers: 2, maxAge: undefined };
  const data = "{ entry: 'a.js', workers: 2, maxAge: undefined }";
  const read: readonly (readonly [name: string, text: string])[] = [
    ['promise.mjs', `export default Promise.resolve(${data});`],
    ['proxy.mjs', `export default new Proxy(${data}, {});`],
    ['class.mjs', "class Options { entry = 'a.js'; workers = 2; maxAge; } export default new Options();"],
    [
      'stray.mjs',
      `setImmediate(() => Promise.reject(new Error('stray')));
process.on('exit', () => { throw new Error('at its end'); });
setInterval(() => undefined, 1000);
export default ${data};`,
    ],
    ['channel.cjs', `if (process.send) process.send({ config: 1 }); module.exports = ${data};`],
  ];
  const never = /never comes to its default export: nothing is left that could settle/;
  const refused: readonly (readonly [name: string, text: string, message: RegExp, hint: RegExp])[] = [
    ['syntax.mjs', '\nexport default {{', /syntax\.mjs:2:\d+ has a syntax error/, /^It exports its options/],
    ['syntax.cjs', 'module.exports = {{', /syntax\.cjs:1:\d+ has a syntax error/, /^It exports its options/],
    ['missing.ts', "import 'no-such';", /missing\.ts imports 'no-such', which cannot/, /^It exports/],
    [
      'rejected.ts',
      "\nexport default Promise.reject(new Error('x'));",
      /rejected\.ts:2 threw while it was loaded: x$/,
      /^It exports/,
    ],
    [
      'late.mjs',
      "setTimeout(() => { throw new Error('late'); }); await new Promise((wake) => setTimeout(wake, 9000));",
      /late\.mjs:1 threw while it was loaded: late$/,
      /^It exports/,
    ],
    [
      'unhandled.mjs',
      "Promise.reject(new Error('lost')); await new Promise((wake) => setTimeout(wake, 9000));",
      /unhandled\.mjs:1 threw while it was loaded: lost$/,
      /^It exports/,
    ],
    [
      'getter.mjs',
      "export default { services: { web: { get entry() { throw new Error('no'); } } } };",
      /getter\.mjs: services\.web\.entry: threw while it was read: no$/,
      /^chaos serve --help/,
    ],
    [
      'trap.mjs',
      "export default new Proxy({}, { ownKeys() { throw new Error('trap'); } });",
      /trap\.mjs:1 threw while it was loaded: trap$/,
      /^It exports/,
    ],
    [
      'values.mjs',
      "export default { workers: () => 4, args: ['a', Symbol('b')], entry: new URL('file:///a'), env: new Map() };",
      /values\.mjs: 4 problems[^]*workers: expected data, got a function\n {2}args\[1\]: expected data, got a symbol\n {2}entry: expected data, got an object of class URL\n {2}env: expected data, got an object of class Map/,
      /^chaos serve --help/,
    ],
    [
      'function.mjs',
      'export default () => ({});',
      /: expected an object of options, got a function$/,
      /^chaos serve --help/,
    ],
    ['never.mjs', 'export default new Promise(() => undefined);', never, /^Look for an `await`/],
    ['never.ts', 'await new Promise(() => undefined); export default {};', never, /^Look for an `await`/],
    [
      'exit.ts',
      'process.exit(0);',
      /exit\.ts ended its process \(exit code 0\) before it came/,
      /no process\.exit\(\)/,
    ],
    [
      'killed.cjs',
      "process.kill(process.pid, 'SIGKILL'); for (;;);",
      /killed\.cjs died by SIGKILL before/,
      /no process\.exit/,
    ],
    [
      'large.mjs',
      "export default { args: ['x'.repeat(2_000_000)] };",
      /large\.mjs exports 20000\d\d bytes of options; at most 1000000$/,
      /^It exports/,
    ],
  ];
  const checks = [
    ...read.map(
      ([name, text]) =>
        async () =>
          t.same(await load(name, text), wanted, name),
    ),
    ...refused.map(([name, text, message, hint]) => async () => {
      const error = await usageError(load(name, text));
      t.match(error.message, message, name);
      t.match(error.hint, hint, name);
    }),
    ...['for (;;);', 'setInterval(() => undefined, 1000); export default new Promise(() => undefined);'].map(
      (text, index) => async () => {
        const error = await usageError(load(`slow-${index}.mjs`, text, 3000));
        t.match(error.message, /did not come to its default export within 3000 ms$/);
        t.match(error.hint, /^Look for a loop/);
      },
    ),
  ];
  // Two at a time: each is a process.
  for (let i = 0; i < checks.length; i += 2) {
    await Promise.all(checks.slice(i, i + 2).map((check) => check()));
  }
});

t.test('a config of JavaScript is read anew, and so is what it imports', async (t) => {
  const dir = tempDir(t);
  process.env['XDG_CACHE_HOME'] = dir;
  for (const extension of ['mjs', 'cjs', 'js']) {
    const esm = extension === 'mjs';
    const write = (color: string): void => {
      const part = esm ? `export const color = '${color}';` : `exports.color = '${color}';`;
      writeFileSync(join(dir, `color.${extension}`), part);
      const whole = esm
        ? `import { color } from './color.mjs'; export default { own: '${color}', color };`
        : `module.exports = { own: '${color}', color: require('./color.${extension}').color };`;
      writeFileSync(join(dir, `serve.${extension}`), whole);
    };
    for (const color of ['red', 'green']) {
      write(color);
      t.same(await loadServeConfig(dir, `serve.${extension}`), { own: color, color }, extension);
    }
  }
});

/** Whether a process runs that may have no parent to reap it. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

t.test('what reads a config ignores signals, and outlives nobody, in an endless loop either', async (t) => {
  const dir = tempDir(t);
  process.env['XDG_CACHE_HOME'] = dir;
  const tell =
    "import { writeFileSync } from 'node:fs'; writeFileSync(import.meta.dirname + '/pid', `${process.pid}`);";
  const pidOnceTold = async (): Promise<number> => {
    const read = (): string => (existsSync(join(dir, 'pid')) ? readFileSync(join(dir, 'pid'), 'utf8') : '');
    t.ok(await eventually(() => read() !== '', DEADLINE_MS));
    return Number(read());
  };
  writeFileSync(
    join(dir, 'a.mjs'),
    `${tell} await new Promise((wake) => setTimeout(wake, 500)); export default { workers: 2 };`,
  );
  const loaded = loadServeConfig(dir, 'a.mjs');
  const reader = await pidOnceTold();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(reader, signal);
  t.same(await loaded, { workers: 2 });

  rmSync(join(dir, 'pid'));
  writeFileSync(join(dir, 'b.mjs'), `${tell} for (;;);`);
  const run = chaos(t, ['serve', '--config', 'b.mjs'], {
    cwd: dir,
    env: { TMPDIR: dir, XDG_CACHE_HOME: dir },
  });
  const orphan = await pidOnceTold();
  t.teardown(() => runs(orphan) && process.kill(orphan, 'SIGKILL'));
  run.child.kill('SIGKILL');
  t.ok(await eventually(() => !runs(orphan), DEADLINE_MS));

  rmSync(join(dir, 'pid'));
  const stopped = chaos(t, ['serve', '--config', 'b.mjs'], {
    cwd: dir,
    env: { TMPDIR: dir, XDG_CACHE_HOME: dir },
  });
  const hung = await pidOnceTold();
  t.teardown(() => runs(hung) && process.kill(hung, 'SIGKILL'));
  stopped.child.kill('SIGTERM');
  t.match(await stopped.done, { code: 0, stderr: /stopped before anything was started/ });
  t.ok(await eventually(() => !runs(hung), DEADLINE_MS));
});

t.test('a debugger of the supervisor is none of what reads its config', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'a.mjs'), 'export default { wrokers: 1 };');
  const { code, stderr } = await chaos(t, ['serve', '--config', 'a.mjs'], {
    cwd: dir,
    env: { TMPDIR: dir, XDG_CACHE_HOME: dir, NODE_OPTIONS: `--inspect=127.0.0.1:${await freePort()}` },
  }).done;
  t.equal(code, 3);
  t.match(stderr, /a\.mjs: 2 problems[^]*wrokers: unknown option/);
  t.notMatch(stderr, /Starting inspector/);
});

t.test('--status leaves out a service that is on its way out, as long as another runs', async (t) => {
  const path = join(tempDir(t), 'a.sock');
  const [service] = STATUS.services;
  if (service === undefined) throw new Error('no service');
  const leaving = { ...service, goal: 'stop', serving: 0 } as const;
  let services: readonly ServiceStatus[] = [service, leaving];
  await adminOf(t, { path }, fakeControl({ status: () => ({ ...STATUS, services }) }));
  const cli = { stdout: { write: () => true } } as unknown as CliContext;
  const ask = () => askSupervisor(cli, { path }, { do: 'status' }, { json: true });
  t.equal(await ask(), 'pass');
  services = [leaving];
  t.equal(await ask(), 'unhealthy', 'all of it stops');
});

t.test('--status fails when a service has no worker that serves', async (t) => {
  const path = join(tempDir(t), 'a.sock');
  const [service] = STATUS.services;
  const dead = { ...STATUS, services: service === undefined ? [] : [service, { ...service, serving: 0 }] };
  let status = STATUS;
  await adminOf(t, { path }, fakeControl({ status: () => status }));
  const cli = { stdout: { write: () => true } } as unknown as CliContext;
  const ask = () => askSupervisor(cli, { path }, { do: 'status' }, { json: true });
  t.equal(await ask(), 'pass');
  status = dead;
  t.equal(await ask(), 'unhealthy');
});

/** A `chaos serve` that runs in a folder of its own. */
interface Serving extends ChaosRun {
  readonly dir: () => string;
  readonly port: number;
  readonly status: () => Promise<ServiceStatus>;
  /** Resolves with the first status for which it holds. */
  readonly until: (what: string, holds: (status: ServiceStatus) => boolean) => Promise<ServiceStatus>;
  /** Runs another `chaos serve` in the same folder. */
  readonly again: (...args: readonly string[]) => ChaosRun['done'];
  readonly log: () => string;
  readonly ask: (path?: string) => Promise<{ pid: number; args: readonly string[]; color: string | null }>;
}

async function serving(
  t: Test,
  args: readonly string[],
  options: { dir?: string; env?: NodeJS.ProcessEnv; port?: number } = {},
): Promise<Serving> {
  const dir = options.dir ?? tempDir(t);
  const port = options.port ?? (await freePort());
  const env = { TMPDIR: dir, XDG_CACHE_HOME: dir, ...options.env };
  const run = chaos(t, ['serve', ...args], { cwd: dir, env: { PORT: String(port), ...env } });
  let log = '';
  run.child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const again = (...more: readonly string[]): ChaosRun['done'] =>
    chaos(t, ['serve', ...more], { cwd: dir, env }).done;
  // The default address, which is found from the folder alone.
  const uid = process.getuid?.() ?? 0;
  const address = (): string => {
    const folder = join(dir, `cluster-chaos-${uid}`);
    return join(folder, (existsSync(folder) ? readdirSync(folder)[0] : undefined) ?? 'none');
  };
  const status = async (): Promise<ServiceStatus> => {
    const { body } = await askAdmin({ path: address() }, { method: 'GET', path: '/status', timeoutMs: 5000 });
    const [first] = (body as SupervisorStatus).services;
    if (first === undefined) throw new Error('no service');
    return first;
  };
  return {
    ...run,
    dir: () => dir,
    port,
    status,
    again,
    log: () => log,
    async until(what, holds) {
      let last: unknown = null;
      const met = await eventually(async () => {
        if (run.child.exitCode !== null) throw new Error(`it ended\n${log}`);
        last = await status().catch(() => null);
        return last !== null && holds(last as ServiceStatus);
      }, DEADLINE_MS);
      if (!met) throw new Error(`it never came to be that ${what}\n${JSON.stringify(last)}\n${log}`);
      return last as ServiceStatus;
    },
    async ask(path = '/') {
      const [res] = (await once(get({ host: '127.0.0.1', port, path, agent: false }), 'response')) as [
        IncomingMessage,
      ];
      let text = '';
      for await (const chunk of res) text += String(chunk);
      return JSON.parse(text) as { pid: number; args: readonly string[]; color: string | null };
    },
  };
}

const pidsOf = (status: ServiceStatus): readonly (number | null)[] =>
  status.workers.filter(({ phase }) => phase === 'serving').map(({ pid }) => pid);

t.test('a server runs, and is seen, reloaded, scaled and stopped from another shell', async (t) => {
  const flags = ['--workers', '2', '--standbys', '0', '--env', 'COLOR=blue', '--metrics'];
  const served = await serving(t, [APP, ...flags, '--', '--shade', 'dark']);
  const before = await served.until('2 workers serve', ({ serving }) => serving === 2);
  t.match(await served.ask(), { args: ['--shade', 'dark'], color: 'blue' });
  t.ok(
    await eventually(
      () => /"msg":"ready: 2 workers serve, listening on 127\.0\.0\.1:\d+"/.test(served.log()),
      DEADLINE_MS,
    ),
    served.log(),
  );

  const json = await served.again('--status', '--json');
  t.equal(json.code, 0);
  t.match(JSON.parse(json.stdout), {
    version: 1,
    pid: served.child.pid,
    services: [{ name: 'serve-app', serving: 2 }],
  });
  t.match(
    (await served.again('--status')).stdout,
    /serving 2 of 2 · 0 standby · generation 1 · listening on 127/,
  );

  const second = await served.again(APP, '--workers', '1', '--metrics');
  t.equal(second.code, 3);
  t.match(second.stderr, new RegExp(`a supervisor \\(pid ${served.child.pid}\\) runs already`));

  const reloaded = await served.again('--reload');
  t.equal(reloaded.code, 0, reloaded.stderr);
  const after = await served.status();
  t.equal(after.counters.reloads, 1, 'it waits for the end of the reload');
  t.same(
    pidsOf(after).filter((pid) => pidsOf(before).includes(pid)),
    [],
    'all workers are new',
  );

  t.equal((await served.again('--scale', '3')).code, 0);
  await served.until('3 workers serve', ({ serving }) => serving === 3);
  t.match(served.log(), /"from":2,"to":3,"msg":"scaled"/);
  t.match(await served.again('--scale', '0'), { code: 3, stderr: /workers: expected a whole number/ });
  t.match(await served.again('--scale', '1', '--service', 'serve-ap'), { code: 3, stderr: /mean serve-app/ });

  served.child.kill('SIGTTOU');
  await served.until(
    'one less is wanted',
    ({ workersWanted, serving }) => workersWanted === 2 && serving === 2,
  );
  served.child.kill('SIGTTIN');
  await served.until(
    'one more is wanted',
    ({ workersWanted, serving }) => workersWanted === 3 && serving === 3,
  );

  const stopped = await served.again('--stop');
  t.match(stopped, { code: 0, stdout: 'stopped: no worker is left\n' });
  t.equal((await served.done).code, 0);
  t.match(await served.again('--status'), { code: 4, stderr: /no supervisor answers at/ });
});

t.test('a loop of deaths after they were ready opens the breaker, for all to see', async (t) => {
  const dir = tempDir(t);
  writeFileSync(
    join(dir, 'dies-soon.js'),
    `const { existsSync } = require('node:fs');
require('node:http').createServer((_req, res) => res.end('ok')).listen(Number(process.env.PORT), '127.0.0.1');
if (!existsSync('mended')) setTimeout(() => process.exit(1), 100);`,
  );
  const flags = [
    '--workers',
    '2',
    '--backoff-free',
    '1',
    '--backoff-first',
    '100ms',
    '--backoff-cap',
    '500ms',
    '--backoff-stable',
    '2s',
  ];
  const served = await serving(t, ['dies-soon.js', ...flags], { dir });
  await served.until('the breaker is open', ({ breakerOpen, bootFailures }) => {
    t.equal(bootFailures, 0, 'its boots are fine');
    return breakerOpen;
  });
  t.match((await served.again('--status')).stdout, /breaker open after early deaths/);
  t.ok(await eventually(() => served.log().includes('crash-loop breaker opens'), DEADLINE_MS));
  writeFileSync(join(dir, 'mended'), '');
  await served.until('it is closed', ({ breakerOpen, serving }) => !breakerOpen && serving === 2);
  t.ok(await eventually(() => served.log().includes('crash-loop breaker closes'), DEADLINE_MS));
  served.child.kill('SIGTERM');
  t.equal((await served.done).code, 0);
});

t.test(
  'a unix socket that a killed primary left is taken over, and one that somebody listens on is not',
  async (t) => {
    const dir = tempDir(t);
    writeFileSync(
      join(dir, 'path.js'),
      "require('node:http').createServer((_req, res) => res.end('ok')).listen('app.sock');",
    );
    const status = async (): Promise<number | undefined> => {
      const request = get({ socketPath: join(dir, 'app.sock'), agent: false });
      const [res] = (await once(request, 'response')) as [IncomingMessage];
      res.resume();
      return res.statusCode;
    };
    const flags = ['path.js', '--workers', '1', '--standbys', '0'];
    const first = await serving(t, flags, { dir });
    await first.until('it serves', ({ serving }) => serving === 1);
    t.equal(await status(), 200);
    const taken = await first.again(...flags, '--admin', './other.sock');
    t.match(taken, { code: 3, stderr: /cannot listen on .*app\.sock.*EADDRINUSE/ });
    t.equal(await status(), 200, 'the first serves on');

    first.child.kill('SIGKILL');
    await first.done;
    const second = await serving(t, flags, { dir });
    await second.until('it serves', ({ serving }) => serving === 1);
    t.equal(await status(), 200);
    second.child.kill('SIGTERM');
    t.equal((await second.done).code, 0);
  },
);

t.test('SIGTTOU leaves the last worker', async (t) => {
  const served = await serving(t, [APP, '--workers', '1', '--standbys', '0']);
  await served.until('it serves', ({ serving }) => serving === 1);
  served.child.kill('SIGTTOU');
  t.ok(await eventually(() => served.log().includes('no fewer workers than 1'), DEADLINE_MS));
  t.equal((await served.status()).workersWanted, 1);
  served.child.kill('SIGINT');
  t.equal((await served.done).code, 0, 'one SIGINT stops in good order');
});

t.test(
  'SIGHUP reads the config again; one that is bad, or does not boot, keeps the old workers',
  async (t) => {
    const dir = tempDir(t);
    // TypeScript, with an import that changes too.
    const write = (color: string, more = ''): void => {
      writeFileSync(join(dir, 'color.ts'), `export const color: string = '${color}';`);
      writeFileSync(
        join(dir, 'serve.ts'),
        `import type { SupervisorOptions } from 'cluster-chaos/supervisor';
import { color } from './color.ts';
export default { entry: ${JSON.stringify(APP)}, workers: 1, standbys: 0, reloadTries: 1, env: { COLOR: color }, ${more} } satisfies SupervisorOptions;`,
      );
    };
    write('red');
    const served = await serving(t, ['--config', 'serve.ts'], { dir });
    await served.until('it serves', ({ serving }) => serving === 1);
    t.equal((await served.ask()).color, 'red');

    write('green', 'workers: 2');
    served.child.kill('SIGHUP');
    await served.until('it is reloaded', ({ counters, serving }) => counters.reloads === 1 && serving === 2);
    t.equal((await served.ask()).color, 'green');

    write('blue', 'wrokers: 2');
    served.child.kill('SIGHUP');
    t.ok(await eventually(() => served.log().includes('reload refused'), DEADLINE_MS), served.log());
    t.match(served.log(), /serve\.ts: wrokers: unknown option; did you mean workers\?/);
    const refused = await served.again('--reload', '--config', 'color.ts', '--admin', './none.sock');
    t.equal(refused.code, 3, 'the client reads its own config too');
    t.equal((await served.ask()).color, 'green');
    t.equal((await served.status()).counters.reloads, 1);

    write('blue', "env: { BOOT: 'fail' }");
    const failed = await served.again('--reload');
    t.match(failed, { code: 4, stderr: /does not boot; the old one goes on/ });
    t.equal((await served.ask()).color, 'green');
    const status = await served.until('the old ones serve', ({ serving }) => serving >= 1);
    t.equal(status.counters.reloadsAborted, 1);
    t.equal(status.workersWanted, 2, 'as many as before');
    served.child.kill('SIGTERM');
    t.equal((await served.done).code, 0);
  },
);

t.test('a supervisor outlives every config of JavaScript, and reads it anew at each reload', async (t) => {
  const dir = tempDir(t);
  const write = (color: string, code = ''): void =>
    writeFileSync(
      join(dir, 'serve.mjs'),
      `${code};
export default { entry: ${JSON.stringify(APP)}, workers: 1, standbys: 0, env: { COLOR: '${color}' } };`,
    );
  write('red');
  const served = await serving(t, ['--config', 'serve.mjs'], { dir });
  await served.until('it serves', ({ serving }) => serving === 1);
  t.equal((await served.ask()).color, 'red');

  write('green', "setImmediate(() => Promise.reject(new Error('stray')))");
  t.match(await served.again('--reload'), { code: 0 });
  t.equal((await served.ask()).color, 'green');

  for (const [code, why] of [
    ['{{', /serve\.mjs:\d+:\d+ has a syntax error/],
    ['process.exit(0)', /ended its process \(exit code 0\)/],
    ['await new Promise(() => undefined)', /never comes to its default export/],
  ] as const) {
    write('blue', code);
    const refused = await served.again('--reload');
    t.not(refused.code, 0, code);
    t.match(refused.stderr, why);
  }
  t.equal((await served.ask()).color, 'green');

  // The earlier of two reloads takes longer to read.
  write(
    'old',
    `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(join(dir, 'reads'))}, '');
await new Promise((wake) => setTimeout(wake, 2000))`,
  );
  served.child.kill('SIGHUP');
  t.ok(await eventually(() => existsSync(join(dir, 'reads')), DEADLINE_MS));
  write('new');
  served.child.kill('SIGHUP');
  const { counters } = await served.until(
    'both are through',
    ({ generation, reloading }) => generation === 4 && !reloading,
  );
  t.equal((await served.ask()).color, 'new', `${counters.reloads} reloads`);
  served.child.kill('SIGTERM');
  t.equal((await served.done).code, 0);
});

t.test('an app that never listens on TCP is told what it needs, and runs with that', async (t) => {
  const dir = tempDir(t);
  const app = join(dir, 'udp.cjs');
  writeFileSync(
    app,
    "require('node:dgram').createSocket('udp4').bind(Number(process.env.PORT), '127.0.0.1');",
  );
  const one = [app, '--workers', '1', '--standbys', '0'];
  const killed = await serving(t, [...one, '--boot-timeout', '1s'], { dir });
  t.ok(await eventually(() => killed.log().includes('boot-deadline'), DEADLINE_MS), killed.log());
  t.match(killed.log(), /"msg":"worker is killed"/);
  t.match(killed.log(), /"hint":"it never listened on TCP or a unix socket; [^"]* --ready online"/);
  killed.child.kill('SIGTERM');
  await killed.done;

  const served = await serving(t, [...one, '--ready', 'online']);
  await served.until('it serves', ({ serving }) => serving === 1);
  served.child.kill('SIGTERM');
  t.equal((await served.done).code, 0);
});

t.test('while it stops nothing else is done, and a second signal ends it at once', async (t) => {
  const served = await serving(t, [APP, '--workers', '1', '--drain-timeout', '1h']);
  await served.until('it serves', ({ serving }) => serving === 1);
  const hanging = get({ host: '127.0.0.1', port: served.port, path: '/hang', agent: false });
  hanging.on('error', () => undefined);
  const [response] = (await once(hanging, 'response')) as [IncomingMessage];
  response.on('error', () => undefined).resume();
  served.child.kill('SIGTERM');
  await served.until('it drains', ({ workers }) => workers.some(({ phase }) => phase === 'draining'));
  const pids = (await served.status()).workers.map(({ pid }) => pid);
  for (const ask of [['--reload'], ['--scale', '5']]) {
    t.match(await served.again(...ask), { code: 4, stdout: '', stderr: /the supervisor is stopping/ });
  }
  served.child.kill('SIGTTIN');
  served.child.kill('SIGHUP');
  for (const what of ['reload', 'scaling']) {
    const told = `"msg":"${what} refused: the supervisor is stopping"`;
    t.ok(await eventually(() => served.log().includes(told), DEADLINE_MS), what);
  }
  t.notMatch(served.log(), /the old workers go on/);
  t.equal((await served.status()).workersWanted, 1);
  served.child.kill('SIGINT');
  t.equal((await served.done).code, 130, served.log());
  const isAlive = (pid: number | null): boolean => pid !== null && existsSync(`/proc/${pid}`);
  t.ok(await eventually(() => !pids.some(isAlive), DEADLINE_MS), 'no worker is left');
});

t.test('a port that is taken at the first start ends with 3', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const dir = tempDir(t);
  const { code, stderr } = await chaos(t, ['serve', APP, '--workers', '1', '--port', String(port)], {
    cwd: dir,
    env: { TMPDIR: dir },
  }).done;
  t.equal(code, 3, stderr);
  t.match(stderr, new RegExp(`chaos: cannot listen on 127\\.0\\.0\\.1 ${port}: .*EADDRINUSE`));
});

t.test(
  'systemd is told what happens, in order; where its tool is missing the server runs all the same',
  async (t) => {
    const dir = tempDir(t);
    const told = join(dir, 'told');
    mkdirSync(join(dir, 'bin'));
    writeFileSync(join(dir, 'bin/systemd-notify'), `#!/bin/sh\necho "$*" >> ${told}\n`, { mode: 0o755 });
    const served = await serving(t, [APP, '--workers', '1', '--standbys', '0'], {
      dir,
      env: { NOTIFY_SOCKET: '/nowhere', PATH: `${dir}/bin:${process.env['PATH']}` },
    });
    await served.until('it serves', ({ serving }) => serving === 1);
    t.equal((await served.again('--reload')).code, 0);
    served.child.kill('SIGTERM');
    t.equal((await served.done).code, 0);
    const pid = `--pid=${served.child.pid}`;
    const status = 'STATUS=serve-app: 1 of 1 workers serve';
    const lines = (): readonly string[] => readFileSync(told, 'utf8').trim().split('\n');
    t.ok(await eventually(() => lines().length === 4, DEADLINE_MS));
    t.match(lines(), [
      `${pid} READY=1 ${status}`,
      new RegExp(`^${pid} RELOADING=1 MONOTONIC_USEC=\\d+$`),
      `${pid} READY=1 ${status}`,
      `${pid} STOPPING=1`,
    ]);

    const without = await serving(t, [APP, '--workers', '1', '--standbys', '0'], {
      env: { NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' },
    });
    await without.until('it serves', ({ serving }) => serving === 1);
    t.ok(await eventually(() => without.log().includes('systemd-notify failed'), DEADLINE_MS));
    without.child.kill('SIGTERM');
    t.equal((await without.done).code, 0);
  },
);

t.test('several services run under one supervisor, from a config of JSON', async (t) => {
  const dir = tempDir(t);
  const [web, api] = [await freePort(), await freePort()];
  writeFileSync(
    join(dir, 'serve.json'),
    JSON.stringify({
      standbys: 0,
      services: {
        web: { entry: APP, workers: 2, port: web, env: { COLOR: 'red' } },
        api: { entry: APP, workers: 1, port: api, env: { COLOR: 'blue' } },
      },
    }),
  );
  const served = await serving(t, ['--config', 'serve.json'], { dir, port: web });
  t.ok(await eventually(() => (served.log().match(/"msg":"ready: /g)?.length ?? 0) === 2, DEADLINE_MS));
  t.equal((await served.ask()).color, 'red');
  t.match(await served.again('--scale', '2'), {
    code: 3,
    stderr: /service is missing, and there are several/,
  });
  t.equal((await served.again('--scale', '2', '--service', 'api')).code, 0);
  t.match(JSON.parse((await served.again('--status', '--json')).stdout), {
    services: [
      { name: 'web', workersWanted: 2 },
      { name: 'api', workersWanted: 2 },
    ],
  });
  served.child.kill('SIGTERM');
  t.equal((await served.done).code, 0);
});

t.test('config and log level may come from the environment; a flag beats it', async (t) => {
  const dir = tempDir(t);
  const write = (color: string): void =>
    writeFileSync(
      join(dir, 'serve.json'),
      JSON.stringify({ entry: APP, workers: 1, standbys: 0, env: { COLOR: color } }),
    );
  write('red');
  const env = { CHAOS_SERVE_CONFIG: 'serve.json', CHAOS_SERVE_LOG_LEVEL: 'warn' };
  const served = await serving(t, [], { dir, env });
  await served.until('it serves', ({ serving }) => serving === 1);
  t.equal((await served.ask()).color, 'red');
  write('green');
  t.equal((await served.again('--reload')).code, 0);
  t.equal((await served.ask()).color, 'green', 'a reload reads it again');
  t.equal((await served.again('--stop')).code, 0);
  t.equal((await served.done).code, 0);
  t.equal(served.log(), '', 'nothing was to be warned of');
  const refused = (over: NodeJS.ProcessEnv, ...args: readonly string[]) =>
    chaos(t, ['serve', ...args], { cwd: dir, env: { TMPDIR: dir, ...env, ...over } }).done;
  t.match(await refused({ CHAOS_SERVE_LOG_LEVEL: 'loud' }), {
    code: 3,
    stderr: /CHAOS_SERVE_LOG_LEVEL: expected one of trace, .*, got 'loud' \(string\)/,
  });
  t.match(await refused({}, '--config', 'other.json'), { code: 3, stderr: /'other\.json' is not a file/ });
});

t.test('signals that come early are heard later; one press of Ctrl-C that arrives twice is one wish', (t) => {
  const heard = (...steps: readonly string[]): string =>
    spawnSync('/usr/bin/env', ['-i', process.execPath, join(FIXTURES, 'serve-signals.mjs'), ...steps], {
      encoding: 'utf8',
    }).stdout;
  t.equal(heard('SIGHUP', 'SIGTERM', 'attach', 'SIGTTIN'), 'reload, stop SIGTERM, scale 1');
  t.equal(heard('attach', 'SIGINT', 'SIGINT'), 'stop SIGINT');
  t.equal(heard('attach', 'SIGINT', 'SIGTERM'), 'stop SIGINT, force SIGTERM');
  t.equal(heard('attach', 'SIGTTOU'), 'scale -1');
  t.end();
});

t.test('the library starts, refuses bad options without touching what runs, and stops', async (t) => {
  const dir = tempDir(t);
  const admin = join(dir, 'a.sock');
  const child = cleanSpawn(
    process.execPath,
    [join(FIXTURES, 'serve-library.mjs'), APP, String(await freePort()), admin],
    { cwd: dir, env: {}, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const { code, stdout, stderr } = await finished(child);
  t.equal(code, 0, stderr);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  t.match(lines, [
    { refused: /^workers: expected a whole number/ },
    { second: `a supervisor (pid ${child.pid}) runs already, steered at ${admin}` },
    { reload: /^beat: expected a duration/, serving: 1 },
    { wanted: 2 },
    { stopped: true },
  ]);
  t.notOk(existsSync(admin), 'its socket is gone');
});

t.test('every option with a flag has a variable of the same name', (t) => {
  t.equal(variableOf('drainTimeout'), 'CHAOS_SERVE_DRAIN_TIMEOUT');
  t.equal(new Set(OPTION_KEYS.map(variableOf)).size, OPTION_KEYS.length, 'no two share one');
  t.equal(new Set(OPTION_KEYS.map(flagOf)).size, OPTION_KEYS.length);
  t.end();
});
