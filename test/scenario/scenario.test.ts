import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2020.js';
import t from 'tap';
import { builtinFaults } from '../../dist/faults/registry.js';
import * as self from '../../dist/index.js';
import type { Scenario } from '../../dist/model/scenario.js';
import { makePlan } from '../../dist/plan/make-plan.js';
import { loadScenarioModule } from '../../dist/runtime/load-scenario.js';
import { isDefinedScenario } from '../../dist/scenario/define-scenario.js';
import { jsonSchemas } from '../../dist/scenario/json-schemas.js';
import { parseObjective } from '../../dist/scenario/parse-objective.js';
import { targetOrigin } from '../../dist/scenario/target-url.js';
import { validateScenario } from '../../dist/scenario/validate-scenario.js';
import { METRICS } from '../../dist/verify/catalogue.js';

const {
  all,
  at,
  blockEventLoop,
  burst,
  crashLoop,
  defineScenario,
  every,
  freeze,
  kill,
  lastStarted,
  memorySpike,
  poisson,
  primary,
  primaryKill,
  random,
  reload,
  scale,
  slot,
} = self;

const validate = (input: unknown, extra: { allowRemote?: boolean; file?: string } = {}): Scenario =>
  validateScenario(input, {
    file: 'scenarios/my scenario.ts',
    cwd: '/project',
    metrics: METRICS,
    kinds: builtinFaults.values(),
    ...extra,
  });

/** The lines of the error, without the title. */
const problems = (input: unknown): string[] => {
  try {
    validate(input);
  } catch (error) {
    if (error instanceof Error) return error.message.split('\n').slice(1);
  }
  return [];
};

const scheduled = (fault: unknown, schedule: unknown = at('1s'), rest: object = {}) => ({
  faults: [{ name: 'a', fault, schedule, ...rest }],
});

t.test('an empty scenario has all the defaults, and the name of its file', async (t) => {
  const scenario = validate(defineScenario({}));
  t.match(scenario, {
    name: 'my-scenario',
    seed: null,
    target: {
      command: null,
      cwd: '/project',
      env: {},
      url: null,
      workers: null,
      readyTimeoutMs: 60_000,
      stopGraceMs: 10_000,
      agent: true,
    },
    load: {
      mode: 'open',
      ratePerSecond: null,
      connections: 20,
      freshShare: 0.5,
      timeoutMs: 5000,
      requests: [{ method: 'GET', path: '/', weight: 1, body: null, expectStatus: null, expectBody: null }],
    },
    phases: { warmupMs: 3000, baselineMs: 5000, chaosMs: 30_000, settleMs: 15_000, recoveryMs: 5000 },
    faults: [],
  });
  t.equal(scenario.objectives.length, self.resilienceObjectives().length);
  t.same(validate({ objectives: [] }).objectives, [], 'no objectives has to be said');
});

t.test('what users write becomes what the code reads', async (t) => {
  const scenario = validate({
    name: 'x',
    seed: 42,
    target: { command: 'npm start', cwd: '../app/./api', env: { A: 1, B: true, C: 'c' }, workers: 3 },
    load: {
      rate: 100,
      timeout: '2s',
      requests: [
        { path: '/a', weight: 2, expect: { status: 201, body: 'created' } },
        { method: 'POST', path: '/b', body: '{}', expect: { status: [200, 204], body: /ok|fine/i } },
        { expect: { body: { matches: '^x', flags: 'm' } } },
      ],
    },
    phases: { chaos: '1m', warmup: 0 },
    objectives: ['outage.longest < 200ms', { objective: 'errors.total < 5', level: 'warn' }],
  });
  t.match(scenario, {
    seed: '42',
    target: { command: 'npm start', cwd: '/app/api', env: { A: '1', B: 'true', C: 'c' }, workers: 3 },
    load: { ratePerSecond: 100, timeoutMs: 2000 },
    phases: { chaosMs: 60_000, warmupMs: 0 },
    objectives: [
      { metric: 'outage.longest', limit: 200, level: 'error' },
      { metric: 'errors.total', limit: 5, level: 'warn' },
    ],
  });
  t.same(
    scenario.load.requests.map(({ expectStatus, expectBody }) => [expectStatus, expectBody]),
    [
      [[201], { type: 'equals', text: 'created' }],
      [[200, 204], { type: 'matches', source: 'ok|fine', flags: 'i' }],
      [null, { type: 'matches', source: '^x', flags: 'm' }],
    ],
  );
  t.same(JSON.parse(JSON.stringify(scenario)), scenario, 'it is plain JSON');
});

const asks = (
  signal: string,
  does: string,
  by: number | null,
  withinMs: number,
): Readonly<Record<string, string | number | null>> => ({ signal, does, by, withinMs });

t.test('each factory, selector and schedule gives the data that it stands for', async (t) => {
  const cases = [
    [kill(), at('1s', '500ms'), 'kill', { signal: 'SIGKILL', code: null }, null, 'replaced'],
    [kill({ signal: 'exit' }), every('2s'), 'kill', { signal: 'exit', code: 1 }, null, 'replaced'],
    [kill({ select: primary() }), at(0), 'kill', { signal: 'SIGKILL', code: null }, null, 'any'],
    [freeze({ hold: '9s', select: all() }), at(0), 'freeze', {}, 9000, 'replaced'],
    [freeze({ hold: 1999 }), at(0), 'freeze', {}, 1999, 'survives'],
    [freeze({ hold: '9s', expect: 'survives' }), at(0), 'freeze', {}, 9000, 'survives'],
    [blockEventLoop({ hold: 'end' }), at(0), 'block', { mode: 'busy' }, 86_400_000, 'replaced'],
    [blockEventLoop({ hold: '1s', mode: 'idle' }), at(0), 'block', { mode: 'idle' }, 1000, 'survives'],
    [memorySpike({ size: '64MB' }), at(0), 'memory-spike', { where: 'heap', bytes: 64e6 }, 3000, 'survives'],
    [
      memorySpike({ size: 'limit' }),
      at(0),
      'memory-spike',
      { where: 'heap', bytes: null },
      15_000,
      'replaced',
    ],
    [
      memorySpike({ where: 'off-heap', size: 5, hold: '1s' }),
      at(0),
      'memory-spike',
      { where: 'off-heap', bytes: 5 },
      1000,
      'survives',
    ],
    [reload(), at(0), 'signal', asks('SIGHUP', 'reload', null, 15_000), null, 'survives'],
    [
      reload({ signal: 'SIGUSR2', within: '4s' }),
      at(0),
      'signal',
      asks('SIGUSR2', 'reload', null, 4000),
      null,
      'survives',
    ],
    [scale({ by: 2 }), at(0), 'signal', asks('SIGTTIN', 'scale', 2, 15_000), null, 'survives'],
    [scale({ by: -1 }), at(0), 'signal', asks('SIGTTOU', 'scale', -1, 15_000), null, 'survives'],
    [crashLoop({ select: slot(1) }), at(0), 'crash-loop', {}, 10_000, 'replaced'],
    [primaryKill({ within: '1s' }), at(0), 'primary-kill', { withinMs: 1000 }, null, 'replaced'],
  ] as const;
  for (const [fault, schedule, kind, params, holdMs, expect] of cases) {
    const spec = validate(scheduled(fault, schedule)).faults[0]?.fault;
    t.match(spec, { kind, holdMs, expect });
    t.same(spec?.params, params);
  }
  const selectors = [
    [all(), { pick: 'all' }],
    [random(), { pick: 'random', count: 1 }],
    [random(3), { pick: 'random', count: 3 }],
    [slot(2, 1), { pick: 'slot', slots: [2, 1] }],
    [primary(), { pick: 'primary' }],
    [lastStarted(), { pick: 'last-started' }],
  ] as const;
  for (const [select, data] of selectors) {
    t.same(validate(scheduled(kill({ select }))).faults[0]?.fault.select, data);
  }
  const schedules = [
    [at('2s', '1s'), { type: 'at', atMs: [1000, 2000] }],
    [every('3s', { jitter: 0.5 }), { type: 'every', everyMs: 3000, startMs: 3000, jitter: 0.5 }],
    [every('3s', { start: 0 }), { type: 'every', everyMs: 3000, startMs: 0, jitter: 0 }],
    [poisson({ mean: '3s', minGap: '500ms' }), { type: 'poisson', meanMs: 3000, minGapMs: 500 }],
    [burst({ at: '1s', count: 3, spread: '1s' }), { type: 'burst', atMs: 1000, count: 3, spreadMs: 1000 }],
  ] as const;
  for (const [schedule, data] of schedules) {
    t.same(validate(scheduled(kill(), schedule)).faults[0]?.schedule, data);
  }
});

t.test('a window may count back from the end, so that it holds for every duration', async (t) => {
  const scenario = validate(scheduled(kill(), every('1s'), { window: { from: '2s', to: '-1.5s' } }));
  t.same(scenario.faults[0]?.window, { fromMs: 2000, toMs: -1500 });
  for (const chaosMs of [5000, 15_000]) {
    const times = makePlan({ ...scenario, phases: { chaosMs } }, 1, 2).faults.map(({ atMs }) => atMs);
    t.same([times[0], times.at(-1)], [2000, chaosMs - 2000]);
  }
});

t.test('all problems are named at once, with key, value, what is allowed and the nearest name', async (t) => {
  const found = problems({
    nam: 'x',
    phases: { chaos: '25h', baselin: 1 },
    load: {
      mode: 'opn',
      connections: 5000,
      requests: [{ method: 'gett', path: 'x', expect: { body: /a/g } }],
    },
    target: { url: 'http://example.com', workers: 0, env: { 'A=B': '1' } },
    faults: [
      { name: 'a', fault: { kind: 'kil' }, schedule: { type: 'evry' } },
      {
        name: 'b',
        fault: memorySpike({ size: '64XB' }),
        schedule: at('soon'),
        window: { from: '5s', to: '2s' },
      },
      { name: 'c', fault: { kind: 'kill', params: { signal: 'SIGKIL' } }, schedule: at(1) },
      { name: 'd', schedule: at(1) },
    ],
    objectives: ['outage.longst < 1s', { objective: 'errors.total = 5', lvel: 'warn' }, 7],
  });
  const expected = [
    /^ {2}nam: unknown key; did you mean 'name'\?$/,
    /^ {2}phases\.chaos: got "25h"; allowed: a duration from 100 ms to 24h/,
    /^ {2}phases\.baselin: unknown key; did you mean 'baseline'\?$/,
    /^ {2}load\.mode: got "opn"; allowed: open, closed; did you mean 'open'\?$/,
    /^ {2}load\.connections: got 5000; allowed: a whole number from 1 to 1000 \(.+\)$/,
    /^ {2}load\.requests\[0\]\.method: got "gett".*did you mean 'GET'\?$/,
    /^ {2}load\.requests\[0\]\.path: got "x"; allowed: a path that starts with '\/'$/,
    /^ {2}load\.requests\[0\]\.expect\.body: got "\/a\/g"; allowed: .*without the flags g and y$/,
    /^ {2}target\.url: got "http:\/\/example\.com"; allowed: an address of this machine/,
    /^ {2}target\.workers: got 0; allowed: a whole number from 1 to 128/,
    /^ {2}target\.env\["A=B"\]: got "A=B"; allowed: a name of letters/,
    /^ {2}faults\[0\]\.fault\.kind: got "kil"; allowed: kill, .*did you mean 'kill'\?$/,
    /^ {2}faults\[0\]\.schedule\.type: got "evry"; .*did you mean 'every'\?$/,
    /^ {2}faults\[1\]\.fault\.params\.bytes: got "64XB"/,
    /^ {2}faults\[1\]\.schedule\.at\[0\]: got "soon"; allowed: a duration/,
    /^ {2}faults\[1\]\.window\.to: got 2000 ms; allowed: later than from, 5000 ms$/,
    /^ {2}faults\[2\]\.fault\.params\.signal: got "SIGKIL".*did you mean 'SIGKILL'\?$/,
    /^ {2}faults\[3\]\.fault: is missing; expected: an object with the keys kind/,
    /^ {2}objectives\[0\]: .*unknown metric 'outage\.longst'; did you mean 'outage\.longest'\?$/,
    /^ {2}objectives\[1\]\.objective: .*unknown operator '='.*did you mean '=='\?$/,
    /^ {2}objectives\[1\]\.lvel: unknown key; did you mean 'level'\?$/,
    /^ {2}objectives\[2\]: got 7; allowed: an objective such as/,
  ];
  for (const pattern of expected)
    t.ok(
      found.some((line) => pattern.test(line)),
      String(pattern),
    );
  t.equal(found.length, expected.length, found.join('\n'));
});

t.test('the error is one of usage, names the file and counts the problems', async (t) => {
  t.throws(() => validate({ nam: 1 }), {
    reason: 'usage',
    message: /^scenarios\/my scenario\.ts .*1 problem\n/,
  });
  for (const junk of [null, undefined, 5, 'x', [], () => 1, Symbol('x'), 1n]) {
    t.throws(() => validate(junk), { reason: 'usage', message: /the scenario: / });
  }
  const cyclic: Record<string, unknown> = { load: {} };
  cyclic['load'] = { mode: cyclic };
  t.throws(() => validate(cyclic), { reason: 'usage', message: /load\.mode: got a value of type object/ });
});

t.test('two faults of one name, and an objective twice, are refused', async (t) => {
  const fault = { name: 'a', fault: kill(), schedule: at(1) };
  t.match(problems({ faults: [fault, fault] }), [/faults\[1\]\.name: got "a"; .* faults\[0\]/]);
  t.match(problems({ objectives: ['leftovers == 0', 'leftovers == 0'] }), [/objectives\[1\]/]);
});

t.test('only this machine is a target, unless remote ones are allowed', async (t) => {
  const local = ['http://127.0.0.1:80', 'http://127.9.9.9:1', 'http://localhost:3000', 'https://[::1]:8443/'];
  for (const url of local) t.equal(validate({ target: { url } }).target.url, new URL(url).origin);
  // As the URL parser reads them, these are this machine too.
  t.equal(targetOrigin('http://0x7f.1:8080'), 'http://127.0.0.1:8080');
  const foreign = [
    'http://example.com',
    'http://10.0.0.1',
    'http://127.0.0.1.example.com',
    'http://[::2]:80',
  ];
  for (const url of foreign) {
    t.throws(() => targetOrigin(url), { reason: 'usage', message: /this machine/ });
    t.equal(targetOrigin(url, { allowRemote: true }), new URL(url).origin);
    t.equal(validate({ target: { url } }, { allowRemote: true }).target.url, new URL(url).origin);
  }
  for (const url of [
    'ftp://127.0.0.1',
    'file:///x',
    'localhost:80',
    'http://localhost/path',
    'http://a@localhost',
    '',
  ]) {
    t.throws(
      () => targetOrigin(url, { allowRemote: true }),
      { reason: 'usage', message: /^target url: got / },
      url,
    );
  }
});

t.test('objectives: metric, window, operator and limit in the unit of the metric', async (t) => {
  const metrics = [
    { metric: 'd', unit: 'ms', windows: ['run', 'chaos'] },
    { metric: 'b.x', unit: 'bytes', windows: ['run'] },
    { metric: 's', unit: 'share', windows: ['chaos'] },
    { metric: 'c', unit: 'count', windows: ['fault'] },
    { metric: 'f', unit: 'factor', windows: ['recovery'] },
    { metric: 'p', unit: 'per-second', windows: ['run'] },
  ] as const;
  const cases = [
    ['d < 1.5s', 'run', '<', 1500],
    [' d@chaos>=200 ', 'chaos', '>=', 200],
    ['b.x <= 64MB', 'run', '<=', 64e6],
    ['s >= 99.9%', 'chaos', '>=', 0.999],
    ['s >= 0.999', 'chaos', '>=', 0.999],
    ['s == 100 %', 'chaos', '==', 1],
    ['c != 12', 'fault', '!=', 12],
    ['f >= .95', 'recovery', '>=', 0.95],
    ['p > 100', 'run', '>', 100],
  ] as const;
  for (const [text, window, op, limit] of cases) {
    t.match(parseObjective(text, metrics), { text: text.trim(), window, op, limit, level: 'error' });
  }
  const junk = [
    ['', /<metric>/],
    ['d', /<metric>/],
    ['d < 5 parsecs', /'5 parsecs' is not a duration/],
    ['b.x < 1s', /not a size/],
    ['s > 99.9', /not a share/],
    ['s > 101%', /not a share/],
    ['c == -1', /not a number >= 0/],
    ['c == 1s', /not a number/],
    ['c === 1', /unknown operator '==='/],
    ['d@fault < 1s', /d is not measured over 'fault'; allowed: run, chaos/],
    ['d@chaso < 1s', /unknown window 'chaso'; did you mean 'chaos'\?/],
    ['b.z < 1MB', /unknown metric 'b\.z'; did you mean 'b\.x'\?/],
  ] as const;
  for (const [text, message] of junk)
    t.throws(() => parseObjective(text, metrics), { reason: 'usage', message });
});

t.test('the JSON Schema accepts a scenario as plain JSON and refuses what validation refuses', async (t) => {
  const ajv = new Ajv.default({ strict: false, allErrors: true });
  const check = ajv.compile(Object(jsonSchemas()['scenario.v1']));
  const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  const good = json({
    ...scheduled(kill({ select: slot(1) }), every('3s', { jitter: 0.5 }), { window: { to: '-1s' } }),
    seed: 'x',
    target: { command: 'npm start', env: { A: 1 }, url: null },
    load: { requests: [{ expect: { status: [200], body: { matches: 'x' } } }] },
    objectives: ['leftovers == 0', { objective: 'errors.total < 5', level: 'warn' }],
  });
  t.ok(check(good), ajv.errorsText(check.errors));
  t.ok(validate(good));
  const bad = [
    { nam: 1 },
    { load: { connections: 5000 } },
    { load: { requests: [{ expect: { body: 5 } }] } },
    scheduled({ kind: 'kill', select: { pick: 'some' } }),
    scheduled(kill(), { type: 'evry' }),
    { faults: [{ name: 'x' }] },
  ];
  for (const input of bad) {
    t.notOk(check(json(input)), JSON.stringify(input));
    t.throws(() => validate(json(input)), { reason: 'usage', message: /not a valid scenario/ });
  }
});

const shippedDir = fileURLToPath(new URL('../../scenarios/', import.meta.url));

t.test(
  'every shipped scenario is valid, marked, and leaves its target at the built-in example',
  async (t) => {
    const files = readdirSync(shippedDir);
    t.same(files.sort(), [
      'crash-loop.ts',
      'hang-random.ts',
      'kill-random.ts',
      'memory-spike.ts',
      'primary-kill.ts',
      'reload.ts',
      'rolling-chaos.ts',
      'scale.ts',
    ]);
    for (const file of files) {
      const input = await loadScenarioModule(shippedDir + file, { modules: { 'cluster-chaos': self } });
      t.ok(isDefinedScenario(input));
      const scenario = validate(input, { file });
      t.equal(scenario.name, file.replace('.ts', ''));
      t.equal(scenario.target.command, null);
      for (const workers of [2, 4]) {
        for (let seed = 0; seed < 50; seed++) {
          const { faults, chaosMs } = makePlan(scenario, seed, workers);
          if (faults.length < 3) t.fail(`${file}: only ${faults.length} faults`);
          // One fault never ends or hides the victim of another.
          const held = faults.flatMap(({ atMs, holdMs, victims }) =>
            (victims.by === 'slots' ? victims.slots : []).map((slot) => ({
              slot,
              atMs,
              untilMs: Math.min(atMs + (holdMs ?? 300), chaosMs),
            })),
          );
          const clash = held.some((a, index) =>
            held.slice(index + 1).some((b) => a.slot === b.slot && b.atMs < a.untilMs),
          );
          if (clash) t.fail(`${file}: seed ${seed} hits a worker that is already hit`);
        }
      }
    }
  },
);

t.test(
  'kill-random kills four times or more in 15 s, also by exit code, and ends in time to recover',
  async (t) => {
    const input = await loadScenarioModule(`${shippedDir}kill-random.ts`, {
      modules: { 'cluster-chaos': self },
    });
    const scenario = validate(input);
    for (const chaosMs of [15_000, 30_000]) {
      for (let seed = 0; seed < 300; seed++) {
        const { faults } = makePlan({ ...scenario, phases: { chaosMs } }, seed, 4);
        const exits = faults.filter(({ params }) => params['signal'] === 'exit').length;
        const lastMs = faults.at(-1)?.atMs ?? 0;
        const apart = faults.every(({ atMs }, n) => n === 0 || atMs - (faults[n - 1]?.atMs ?? 0) >= 500);
        if (faults.length - exits < 4 || exits < 1 || lastMs > chaosMs - 1500 || !apart) {
          t.fail(`seed ${seed}, ${chaosMs} ms: ${faults.map(({ atMs }) => atMs).join(' ')}`);
        }
      }
    }
  },
);

t.test(
  'hang-random never hangs two workers at once, and each hang ends within the chaos phase',
  async (t) => {
    const input = await loadScenarioModule(`${shippedDir}hang-random.ts`, {
      modules: { 'cluster-chaos': self },
    });
    const scenario = validate(input);
    for (let seed = 0; seed < 300; seed++) {
      const { faults, chaosMs } = makePlan(scenario, seed, 4);
      const ends = faults.map(({ atMs, holdMs }) => atMs + (holdMs ?? 0));
      const apart = faults.every(({ atMs }, n) => n === 0 || atMs > (ends[n - 1] ?? 0));
      const kinds = faults.map(({ kind }) => kind).join();
      if (!apart || kinds !== 'freeze,block,freeze' || (ends.at(-1) ?? 0) > chaosMs) t.fail(`seed ${seed}`);
    }
  },
);
