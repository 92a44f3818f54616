import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ChaosError } from '../../dist/base/errors.js';
import { cgroupLimits, coresOf, type Machine } from '../../dist/supervisor/options/machine.js';
import { flagOf, type OptionKey, variableOf } from '../../dist/supervisor/options/option.js';
import {
  type ResolveContext,
  resolveAdmin,
  resolveSettings,
} from '../../dist/supervisor/options/resolve-settings.js';
import { OPTION_KEYS, optionOf } from '../../dist/supervisor/options/table.js';
import type { SupervisorOptions } from '../../dist/supervisor/options/user-options.js';
import { scaled } from '../../dist/supervisor/policy/copies.js';
import { tempDir } from '../support/chaos.ts';

const dir = tempDir(t);
writeFileSync(join(dir, 'app.js'), '');
writeFileSync(join(dir, 'other.js'), '');
mkdirSync(join(dir, 'sub'));
writeFileSync(join(dir, 'sub/inner.js'), '');

const MACHINE: Machine = { cores: 3, memoryLimitBytes: null, tmpDir: '/tmp', uid: 1000 };

function resolve(input: unknown, context: Partial<ResolveContext> = {}): ReturnType<typeof resolveSettings> {
  return resolveSettings(input, { env: {}, cwd: dir, machine: MACHINE, ...context });
}

/** The settings of the only service. */
function service(input: SupervisorOptions, context: Partial<ResolveContext> = {}) {
  const [first] = resolve({ entry: 'app.js', ...input }, context).services;
  if (first === undefined) throw new Error('no service');
  return first;
}

function refusal(input: unknown, context: Partial<ResolveContext> = {}): ChaosError {
  try {
    resolve(input, context);
  } catch (error) {
    if (error instanceof ChaosError && error.reason === 'usage') return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(input)}`);
}

const nest = (key: string, value: unknown): Readonly<Record<string, unknown>> => {
  const [first = '', second] = key.split('.');
  return { [first]: second === undefined ? value : { [second]: value } };
};

t.test('an entry alone is enough; the defaults are those that are documented', (t) => {
  const only = service({});
  t.match(only, {
    name: 'app',
    entry: join(dir, 'app.js'),
    args: [],
    nodeArgs: [],
    cwd: dir,
    port: null,
    env: {},
    slotEnv: null,
    ready: 'listening',
    sticky: null,
    beatMs: 83,
    claimMs: 100,
    messagesPerSecondMax: 10_000,
    ipc: { messageBytesMax: 2 ** 20, outstandingMax: 1000, queuedBytesMax: 2 ** 24 },
  });
  t.same(only.policy, {
    workers: 3,
    standbys: 1,
    surge: 1,
    bootsMax: 3,
    bootMs: 30_000,
    suspectMs: 250,
    deadMs: 1000,
    withdrawMs: 200,
    drainMs: 30_000,
    backoff: { free: 2, firstMs: 1000, capMs: 1700, jitter: 0.1, stableMs: 1000 },
    limits: {
      rssBytes: null,
      rssTotalBytes: null,
      heapShare: 0.8,
      requests: null,
      ageMs: null,
      stagger: 0.2,
    },
    balance: 'round-robin',
    handsMax: 8,
    waitingMax: 4096,
    spreadMs: 500,
    stickyHoldMs: 2000,
    slotBound: false,
    reloadTries: 2,
  });
  const { admin, metrics } = resolve({ entry: 'app.js' });
  t.match(admin, { path: /^\/tmp\/cluster-chaos-1000\/[0-9a-f]{12}\.sock$/ });
  t.equal(metrics, false);
  t.not(
    JSON.stringify(resolveAdmin({}, { env: {}, cwd: '/elsewhere', machine: MACHINE })),
    JSON.stringify(admin),
    'each folder has a socket of its own',
  );
  t.end();
});

t.test('each fixed default is a value that the option itself takes', (t) => {
  for (const key of OPTION_KEYS) {
    const { fallback, kind } = optionOf(key);
    if (fallback === 'required' || 'of' in fallback) continue;
    t.ok('value' in kind.read(fallback.input, { textual: false, baseDir: dir }), key);
  }
  t.end();
});

t.test(
  'a temp folder whose name is too long for a socket gives way to /tmp, and is found from there',
  (t) => {
    const pathIn = (length: number): string => {
      const machine = { ...MACHINE, tmpDir: `/${'x'.repeat(length - 1)}` };
      const { admin } = resolve({ entry: 'app.js' }, { machine });
      t.same(resolveAdmin({}, { env: {}, cwd: dir, machine }), admin, '--status looks at the same place');
      return admin !== null && 'path' in admin ? admin.path : 'none';
    };
    const rest = '/cluster-chaos-1000/0123456789ab.sock'.length;
    t.equal(Buffer.byteLength(pathIn(107 - rest)), 107, 'as long as the kernel takes');
    t.match(pathIn(108 - rest), /^\/tmp\/cluster-chaos-1000\/[0-9a-f]{12}\.sock$/);
    t.end();
  },
);

/** For each option with bounds: the least and the greatest value, and what lies just outside. */
const BOUNDS: readonly (readonly [OptionKey, readonly unknown[], readonly unknown[]])[] = [
  ['port', [0, 65_535], [-1, 65_536, 1.5, '80']],
  ['workers', [1, 1024, 'cores'], [0, 1025, 2.5, '4', 'all', Number.NaN, Number.POSITIVE_INFINITY]],
  ['standbys', [0, 64], [-1, 65, '1']],
  ['surge', [1, 64], [0, 65]],
  ['bootsMax', [1, 1024], [0, 1025]],
  ['ready', ['listening', 'online', 'signal'], ['Listening', '', true]],
  ['bootTimeout', ['100ms', '24h', 100], ['99ms', '24.1h', '5 parsecs', true, -1]],
  ['drainTimeout', [0, '24h'], [-1, '25h', {}]],
  ['reloadTries', [1, 100], [0, 101]],
  ['backoff.free', [0, 1000], [-1, 1001]],
  ['backoff.first', ['1ms', '1.7s'], [0, '2h']],
  ['backoff.cap', ['1s', '1h'], ['61m']],
  ['backoff.jitter', [0, 1], [-0.1, 1.1, '0.5']],
  ['backoff.stable', [0, '1h'], ['61m']],
  ['balance', ['round-robin', 'least-connections', 'none'], ['rr', 'random']],
  [
    'sticky',
    ['address', 'cookie', { cookie: 'sid' }, null, 'none'],
    ['ip', { cookie: 'a b' }, { name: 'x' }, true],
  ],
  ['stickyHold', [0, '60s'], ['61s']],
  ['waitingMax', [0, 1_000_000], [-1, 1_000_001]],
  ['handsMax', [1, 1024], [0, 1025]],
  ['spread', [0, '60s'], ['61s']],
  ['beat', ['5ms', '80ms'], ['4ms', '61s']],
  ['suspectAfter', ['150ms', '999ms'], ['14ms', '61m']],
  ['deadAfter', ['251ms', '1h'], ['19ms', '61m']],
  ['claim', ['1ms', '199ms'], [0, '61m']],
  ['withdraw', ['101ms', '250ms'], [0, '61m']],
  ['maxMemory', ['32MB', '1024GB', null], ['31MB', '1025GB', '1 cup']],
  ['maxHeap', [0.1, 1, null], [0.09, 1.01, 80]],
  ['maxRequests', [1, 1e12, null], [0, 0.5, '10']],
  ['maxAge', ['1s', '576h', null], ['999ms', '577h']],
  ['stagger', [0, 0.9], [-0.1, 0.91]],
  ['ipc.messageSize', ['1KiB', '16MiB'], [1023, '257MiB']],
  ['ipc.outstanding', [1, 1_000_000], [0, 1_000_001]],
  ['ipc.queuedSize', ['1MiB', '4GiB'], [1023, '5GiB']],
  ['messagesPerSecondMax', [1, 10_000_000], [0, 10_000_001]],
  ['admin', [1, 65_535, '/run/a.sock', './a.sock', null], [0, 65_536, 'a.sock', '', `/${'x'.repeat(120)}`]],
  ['metrics', [true, false], ['true', 1, null]],
  ['name', ['a', 'Web-1.x_y'], ['', '-a', 'a b', 'x'.repeat(65), '__proto__', 3]],
  ['cwd', ['sub', '.'], ['app.js', 'nowhere', 3]],
  ['entry', ['app.js', './other.js'], ['nowhere.js', 'sub', '', 3, 'a\0b']],
  ['args', [[], ['a', '--b']], ['a', [1], ['a\0']]],
  ['nodeArgs', [['--inspect']], ['--inspect', [null]]],
  [
    'env',
    [{ A: 'x', B: 1, C: true }],
    ['A=1', { A: null }, { 'A=B': 'x' }, { A: 'x\0' }, { NODE_CHANNEL_FD: '3' }],
  ],
  ['slotEnv', [null], [{ 0: {} }, { a: {} }, { 1: 'x' }, { 4: {} }]],
];

t.test('every option takes its bounds and refuses what lies outside, naming key, value and type', (t) => {
  t.same(BOUNDS.map(([key]) => key).sort(), [...OPTION_KEYS].sort(), 'every option of the table is tested');
  for (const [key, good, bad] of BOUNDS) {
    for (const value of good) {
      t.doesNotThrow(
        () => resolve({ entry: 'app.js', workers: 3, ...nest(key, value) }),
        `${key} ${String(value)}`,
      );
    }
    for (const value of bad) {
      const { message } = refusal({ entry: 'app.js', workers: 3, ...nest(key, value) });
      t.ok(message.startsWith(key), `${key} refuses ${JSON.stringify(value)}: ${message}`);
      if (typeof value === 'number' || typeof value === 'boolean') {
        t.ok(message.includes(`got ${String(value)} (${typeof value})`), message);
      }
    }
  }
  t.end();
});

t.test('all problems are told at once, each with what was expected and what was got', (t) => {
  const { message, hint } = refusal(
    {
      entry: 'ap.js',
      wrokers: 2,
      drainTimeout: '30 parsecs',
      backoff: { fist: '1s' },
      ipc: 3,
      'evil\n\u202e': 1,
    },
    { file: 'serve.json' },
  );
  t.equal(
    message,
    `serve.json: 6 problems in the options
  entry: expected a file that can be read, got 'ap.js' (string); did you mean 'app.js'?
  wrokers: unknown option; did you mean workers?
  drainTimeout: expected a duration from 0ms to 24h, such as '250ms', '1.5s' or '10m', got '30 parsecs' (string)
  backoff.fist: unknown option; did you mean first?
  ipc: expected an object, got 3 (number)
  'evil\\u{a}\\u{202e}': unknown option`,
  );
  t.match(hint, /chaos serve --help/);
  for (const junk of [42, null, [], 'app.js', undefined, () => ({})]) {
    t.match(refusal(junk).message, /^expected an object of options, got /);
  }
  t.match(refusal({}).message, /^entry: is missing/);
  t.end();
});

t.test('values that contradict each other are refused, and the blame goes to what was written', (t) => {
  const cases: readonly (readonly [SupervisorOptions, string])[] = [
    [{ beat: '100ms' }, 'beat: suspectAfter (250 ms) must be at least 3 beats (beat is 100 ms)'],
    [
      { suspectAfter: '140ms', beat: '50ms' },
      'suspectAfter: suspectAfter (140 ms) must be at least 3 beats (beat is 50 ms)',
    ],
    [{ deadAfter: '250ms' }, 'deadAfter: deadAfter (250 ms) must be more than suspectAfter (250 ms)'],
    [{ suspectAfter: '2s' }, 'suspectAfter: deadAfter (1 s) must be more than suspectAfter (2 s)'],
    [{ claim: '200ms' }, 'claim: withdraw (200 ms) must be more than claim (200 ms)'],
    [{ withdraw: '251ms' }, 'withdraw: withdraw (251 ms) must be at most suspectAfter (250 ms)'],
    [{ backoff: { first: '2s' } }, 'backoff.first: backoff.cap (1.7 s) must be at least backoff.first (2 s)'],
    [{ ipc: { messageSize: '17MiB' } }, 'ipc.messageSize: ipc.queuedSize (16.8 MB) must be at least'],
    [
      { slotEnv: { 1: {} }, standbys: 1 },
      'standbys: expected 0, got 1: with slotEnv each worker is made for one slot',
    ],
    [{ slotEnv: { 5: {} }, workers: 4 }, 'slotEnv: names slot 5, and there are 4 workers'],
    [{ sticky: 'address', balance: 'none' }, "sticky: sticky cannot be with balance 'none'"],
    [{ metrics: true, admin: null }, 'metrics: are served at the admin address'],
  ];
  for (const [input, expected] of cases) {
    const { message } = refusal({ entry: 'app.js', ...input });
    t.ok(message.startsWith(expected), message);
  }
  t.match(
    refusal({ entry: 'app.js', beat: 'x', suspectAfter: '20ms' }).message,
    /^beat: expected a duration[^\n]*$/,
    'nothing is concluded from a value that was refused',
  );
  t.end();
});

t.test('claim and withdraw follow suspectAfter', (t) => {
  const { claimMs, policy } = service({ suspectAfter: '500ms' });
  t.equal(claimMs, 200);
  t.equal(policy.withdrawMs, 400);
  t.end();
});

t.test('slot variables bind workers to slots and leave no standby', (t) => {
  const { slotEnv, policy } = service({ workers: 2, slotEnv: { 1: { SHARD: 'a' }, 2: { SHARD: 2 } } });
  t.same(slotEnv, { 1: { SHARD: 'a' }, 2: { SHARD: '2' } });
  t.match(policy, { slotBound: true, standbys: 0 });
  t.end();
});

t.test('a flag beats the config, which beats the environment, which beats the default', (t) => {
  const env = { WORKERS: '5', CHAOS_SERVE_BEAT: '10ms', PORT: '3000', CHAOS_SERVE_MAX_MEMORY: 'none' };
  const workers = (input: SupervisorOptions, context: Partial<ResolveContext>): number =>
    service(input, context).policy.workers;
  t.equal(workers({}, {}), 3, 'default');
  t.equal(workers({}, { env }), 5, 'environment');
  t.equal(workers({ workers: 6 }, { env }), 6, 'config');
  t.equal(workers({ workers: 6 }, { env, flags: { workers: '7' } }), 7, 'flag');
  t.equal(workers({ workers: 6 }, { env, flags: { workers: 'cores' } }), 3);
  t.match(service({}, { env }), { beatMs: 10, port: 3000, policy: { limits: { rssBytes: null } } });
  t.equal(workers({}, { env: { WEB_CONCURRENCY: '2' } }), 2);
  t.equal(workers({}, { env: { WEB_CONCURRENCY: '2', WORKERS: '4' } }), 4);
  t.equal(workers({}, { env: { WORKERS: '4', CHAOS_SERVE_WORKERS: '8' } }), 8);
  t.equal(workers({}, { env: { WORKERS: '' } }), 3, 'an empty variable is none');
  t.equal(service({}, { env: { NODE_CLUSTER_SCHED_POLICY: 'none' } }).policy.balance, 'none');
  t.equal(service({}, { env: { NODE_CLUSTER_SCHED_POLICY: 'rr' } }).policy.balance, 'round-robin');
  t.equal(
    service({ balance: 'least-connections' }, { env: { NODE_CLUSTER_SCHED_POLICY: 'none' } }).policy.balance,
    'least-connections',
  );
  t.equal(service({ port: 1 }, { env: { PORT: 'junk' } }).port, 1, 'what is decided elsewhere is not read');
  t.equal(service({ env: { PORT: '9' } }, { env }).port, null, 'a PORT among the variables stands');
  t.end();
});

t.test('env is merged by variable: a flag over the service over the top', (t) => {
  const env = { A: 'top', B: 'top', C: 'top' };
  t.same(service({ env }, { flags: { env: ['A=flag', 'D=flag'] } }).env, { ...env, A: 'flag', D: 'flag' });
  const input = {
    env,
    services: {
      web: { entry: 'app.js', env: { A: 'web', B: 'web', E: 'web' }, slotEnv: { 1: { A: 'slot' } } },
      api: { entry: 'app.js' },
    },
  };
  const { services } = resolve(input, { flags: { env: ['A=flag'] } });
  t.same(
    services.map(({ env }) => env),
    [
      { A: 'flag', B: 'web', C: 'top', E: 'web' },
      { A: 'flag', B: 'top', C: 'top' },
    ],
  );
  t.same(services[0]?.slotEnv, { 1: { A: 'slot' } }, 'those of single slots are theirs');
  t.end();
});

t.test('junk in flags and variables is named by flag and variable', (t) => {
  const entry = { entry: 'app.js' };
  t.match(
    refusal(entry, { env: { WORKERS: 'many' } }).message,
    /^WORKERS: expected .* got 'many' \(string\)/,
  );
  t.match(
    refusal(entry, { env: { NODE_CLUSTER_SCHED_POLICY: 'x' } }).message,
    /^NODE_CLUSTER_SCHED_POLICY: expected one of rr, none, got 'x'/,
  );
  t.match(
    refusal(entry, { env: { CHAOS_SERVE_BAET: '1' } }).message,
    /^'CHAOS_SERVE_BAET': unknown variable; did you mean CHAOS_SERVE_BEAT\?/,
  );
  for (const name of ['CHAOS_SERVE_ENV', 'CHAOS_SERVE_NODE_ARG', 'CHAOS_SERVE_NODE_ARGS']) {
    const instead = name.endsWith('ENV') ? 'set the variables themselves' : 'set NODE_OPTIONS';
    t.match(
      refusal(entry, { env: { [name]: 'A=1' } }).message,
      new RegExp(`^'${name}': unknown variable; ${instead}`),
    );
  }
  t.doesNotThrow(
    () => resolve(entry, { env: { CHAOS_SERVE_CONFIG: 'a.json', CHAOS_SERVE_LOG_LEVEL: 'x' } }),
    'the command line reads these',
  );
  t.match(refusal(entry, { flags: { drainTimeout: 'x' } }).message, /^--drain-timeout: expected a duration/);
  t.match(refusal(entry, { flags: { env: ['A'] } }).message, /^--env: expected NAME=value, got 'A'/);
  t.same(service({}, { flags: { env: ['A=1', 'B=x=y'] } }).env, { A: '1', B: 'x=y' });
  t.same(service({}, { flags: { sticky: 'cookie:sid' } }).sticky, { by: 'cookie', name: 'sid' });
  t.same(service({}, { flags: { sticky: 'cookie' } }).sticky, { by: 'cookie', name: 'chaos_slot' });
  t.same(resolve(entry, { flags: { admin: '9000' } }).admin, { port: 9000 });
  t.same(resolve(entry, { flags: { admin: 'none' } }).admin, null);
  t.equal(flagOf('backoff.first'), '--backoff-first');
  t.equal(variableOf('ipc.messageSize'), 'CHAOS_SERVE_IPC_MESSAGE_SIZE');
  t.end();
});

t.test('several services have names of their own, and the top is the default for all', (t) => {
  const { services } = resolve(
    {
      drainTimeout: '5s',
      workers: 2,
      services: {
        web: { entry: 'app.js', port: 3000 },
        api: { entry: 'other.js', workers: 1, drainTimeout: 0 },
      },
    },
    { env: { PORT: '8080', WORKERS: '9' }, flags: { beat: '20ms' } },
  );
  t.same(
    services.map(({ name, port, beatMs, policy: { workers, drainMs } }) => [
      name,
      port,
      beatMs,
      workers,
      drainMs,
    ]),
    [
      ['web', 3000, 20, 2, 5000],
      ['api', null, 20, 1, 0],
    ],
    'one PORT of the environment is not given to several',
  );
  const { message } = refusal(
    {
      name: 'x',
      services: {
        web: { entry: 'app.js', port: 3000, admin: 1, name: 'y', worker: 1 },
        api: { entry: 'other.js', port: 3000 },
        'a b': { entry: 'app.js' },
        junk: 3,
      },
    },
    { flags: { port: '1' } },
  );
  for (const line of [
    "services.'a b': expected a name of 1 to 64",
    'services.junk: expected an object of options, got 3 (number)',
    'name: services are named by their key in services',
    'services.web.name: services are named by their key in services',
    'services.web.admin: is an option of the whole supervisor; write it at the top',
    'services.web.worker: unknown option; did you mean workers?',
    '--port: is of one service, and the config has several',
  ]) {
    t.ok(message.includes(`\n  ${line}`), `${line}\n${message}`);
  }
  t.match(
    refusal({ services: { a: { entry: 'app.js', port: 1 }, b: { entry: 'app.js', port: 1 } } }).message,
    /^services\.b\.port: 1 is also that of a$/,
  );
  t.match(refusal({ services: {} }).message, /^services: expected an object of services by name/);
  t.match(refusal({ services: { a: {} } }).message, /^services\.a\.entry: is missing/);
  t.end();
});

t.test('no flag and no variable renames a service that the config names, be it the only one', (t) => {
  const input = { services: { web: { entry: 'app.js' } } };
  const itself = 'the config names its service itself: web; change it there';
  t.equal(refusal(input, { flags: { name: 'x' } }).message, `--name: ${itself}`);
  t.equal(refusal(input, { env: { CHAOS_SERVE_NAME: 'x' } }).message, `CHAOS_SERVE_NAME: ${itself}`);
  t.equal(resolve(input, { flags: { port: '1' } }).services[0]?.port, 1, 'the rest is for the only one');
  const two = { services: { ...input.services, api: { entry: 'app.js' } } };
  t.equal(
    refusal(two, { env: { CHAOS_SERVE_PORT: '1' } }).message,
    'CHAOS_SERVE_PORT: is of one service, and the config has several: web, api; write it there',
  );
  t.equal(service({}, { env: { CHAOS_SERVE_NAME: 'x' } }).name, 'x');
  t.end();
});

t.test('paths of a config start at its folder, those of flags at the working directory', (t) => {
  t.equal(service({ entry: 'inner.js' }, { baseDir: 'sub' }).entry, join(dir, 'sub/inner.js'));
  t.equal(
    service({ entry: 'inner.js' }, { baseDir: 'sub', flags: { entry: 'app.js' } }).entry,
    join(dir, 'app.js'),
  );
  t.equal(service({ entry: `file://${dir}/other.js` }).entry, join(dir, 'other.js'));
  t.equal(service({ entry: 'inner.js' }, { baseDir: 'sub' }).cwd, dir);
  t.end();
});

t.test('a hostile file name gives a harmless service name', (t) => {
  writeFileSync(join(dir, '--é\u202e $(x).js'), '');
  t.match(service({ entry: '--é\u202e $(x).js' }).name, /^[A-Za-z0-9][\w.-]*$/);
  writeFileSync(join(dir, '§.js'), '');
  t.equal(service({ entry: '§.js' }).name, 'app');
  t.end();
});

t.test('the memory limit of the container is shared among all processes of all services', (t) => {
  const machine = { ...MACHINE, memoryLimitBytes: 1e9 };
  const limits = (input: SupervisorOptions, of: Machine = machine): readonly (number | null)[] =>
    resolve(input, { machine: of }).services.map(({ policy }) => policy.limits.rssBytes);
  t.same(limits({ entry: 'app.js' }), [180_000_000], '90 % over 3 workers, a standby and the primary');
  t.same(
    limits({
      services: { a: { entry: 'app.js', workers: 1 }, b: { entry: 'app.js', workers: 1, standbys: 0 } },
    }),
    [225_000_000, 225_000_000],
  );
  t.same(limits({ entry: 'app.js', maxMemory: '1GB' }), [1e9]);
  t.same(limits({ entry: 'app.js', maxMemory: null }), [null]);
  t.same(limits({ entry: 'app.js' }, { ...MACHINE, memoryLimitBytes: 256e6 }), [null], 'too small to share');
  const scaledTo = (workers: number, input: SupervisorOptions = { entry: 'app.js' }): number | null => {
    const [first] = resolve(input, { machine }).services;
    if (first === undefined) throw new Error('no service');
    return scaled(first.policy, workers).limits.rssBytes;
  };
  t.equal(scaledTo(7), 90_000_000, 'what 3 and a standby have, over 7 and a standby');
  t.equal(scaledTo(1), 360_000_000);
  t.equal(scaledTo(100), null, 'too small to share');
  t.equal(scaledTo(100, { entry: 'app.js', maxMemory: '70MB' }), 70e6, 'what was asked for stays');
  t.end();
});

t.test('cgroup limits are read in version 1 and 2, in any ancestor; the smallest counts', (t) => {
  const limits = (files: Readonly<Record<string, string>>) => cgroupLimits((path) => files[path] ?? null);
  const v2 = '/sys/fs/cgroup';
  t.same(limits({}), { cpus: null, memoryBytes: null });
  t.same(
    limits({
      '/proc/self/cgroup': '0::/a/b\n',
      [`${v2}/a/b/cpu.max`]: 'max 100000\n',
      [`${v2}/a/cpu.max`]: '150000 100000\n',
      [`${v2}/a/b/memory.max`]: 'max\n',
      [`${v2}/memory.max`]: '536870912\n',
    }),
    { cpus: 1.5, memoryBytes: 536_870_912 },
  );
  t.same(
    limits({
      '/proc/self/cgroup': '7:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n1:name=systemd:/\n',
      [`${v2}/cpu/cpu.cfs_quota_us`]: '50000\n',
      [`${v2}/cpu/cpu.cfs_period_us`]: '100000\n',
      [`${v2}/memory/docker/x/memory.limit_in_bytes`]: '9223372036854771712\n',
      [`${v2}/memory/memory.limit_in_bytes`]: '1000000\n',
    }),
    { cpus: 0.5, memoryBytes: 1_000_000 },
    'a container sees its own group as the root',
  );
  t.same(
    limits({
      '/proc/self/cgroup': '1:cpu:/\n',
      [`${v2}/cpu/cpu.cfs_quota_us`]: '-1',
      [`${v2}/cpu/cpu.cfs_period_us`]: '100000',
    }),
    { cpus: null, memoryBytes: null },
  );
  t.equal(coresOf(8, 1.5), 2, 'one core and a half keep two workers busy');
  t.equal(coresOf(8, 0.2), 1);
  t.equal(coresOf(2, 16), 2);
  t.equal(coresOf(4, null), 4);
  t.end();
});

t.test('the admin address is found by the same rules, also where everything else is wrong', (t) => {
  const at = (input: unknown, context: Partial<ResolveContext> = {}) =>
    resolveAdmin(input, { env: {}, cwd: dir, machine: MACHINE, ...context });
  t.same(at({ entry: 'nowhere.js', workers: 0, admin: 4000 }), { port: 4000 });
  t.same(at({ admin: 4000 }, { flags: { admin: './x.sock', workers: 'junk' } }), {
    path: join(dir, 'x.sock'),
  });
  t.same(at({}, { env: { CHAOS_SERVE_ADMIN: '4001', WORKERS: 'junk' } }), { port: 4001 });
  t.same(at({}), resolve({ entry: 'app.js' }).admin);
  t.throws(
    () => at({}, { env: { CHAOS_SERVE_ADMNI: '4001' } }),
    /'CHAOS_SERVE_ADMNI': unknown variable; did you mean CHAOS_SERVE_ADMIN\?/,
    'or another supervisor would be asked',
  );
  t.throws(() => at({ admin: 'x' }), /admin: expected the path of a unix socket/);
  t.end();
});
