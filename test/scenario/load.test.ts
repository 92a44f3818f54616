import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { renderFaults } from '../../dist/cli/commands/faults.js';
import { initFiles, writeInitFiles } from '../../dist/cli/commands/init.js';
import { renderPlan } from '../../dist/cli/commands/plan.js';
import { builtinFaults } from '../../dist/faults/registry.js';
import * as self from '../../dist/index.js';
import { makePlan } from '../../dist/plan/make-plan.js';
import { findScenarios } from '../../dist/runtime/find-scenario.js';
import { loadScenarioModule } from '../../dist/runtime/load-scenario.js';
import { privateCacheDir } from '../../dist/runtime/private-cache.js';
import { isDefinedScenario } from '../../dist/scenario/define-scenario.js';
import { validateScenario } from '../../dist/scenario/validate-scenario.js';
import { METRICS } from '../../dist/verify/catalogue.js';

const modules = { 'cluster-chaos': self };
const load = (file: string): Promise<unknown> => loadScenarioModule(file, { modules });

// The code cache goes to a folder of this test: the user's own is left alone.
const scratch = mkdtempSync(join(tmpdir(), 'chaos-load-'));
process.env['XDG_CACHE_HOME'] = join(scratch, 'cache');
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

let folders = 0;

/** A fresh folder outside of any package, with these files in it. */
function folder(files: Readonly<Record<string, string>>): string {
  const dir = join(scratch, `folder-${folders++}`);
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

const ESM_TS = `
import { defineScenario, kill } from 'cluster-chaos';
import * as api from 'cluster-chaos';
import type { ScenarioInput } from 'cluster-chaos';
import { Level, helper } from './lib/helper';
import { other } from './lib/other.js';
import { helper as again } from './lib/helper.ts';

class Holder { constructor(readonly description: string) {} }
const seed: number = await Promise.resolve(Level.High);
export default defineScenario({
  seed,
  description: new Holder(helper + other).description,
  faults: [{ name: 'a', fault: kill(), schedule: api.at('1s') }],
} satisfies ScenarioInput);
if (helper !== again) throw new Error('two instances');
`;

const SCENARIOS: Readonly<Record<string, string>> = {
  'a.ts': ESM_TS,
  'b.mts': ESM_TS,
  'c.js': `import { defineScenario } from 'cluster-chaos';
    import { helper } from './lib/helper';
    export default defineScenario({ seed: 7, description: helper + 'other' });`,
  'd.mjs': `const { defineScenario } = await import('cluster-chaos');
    export default defineScenario({ seed: 7, description: 'helperother' });`,
  'e.cjs': `const { defineScenario } = require('cluster-chaos');
    module.exports = defineScenario({ seed: 7, description: require('./lib/helper').helper + 'other' });`,
  'f.cts': `import { defineScenario } from 'cluster-chaos';
    export default defineScenario({ seed: 7 as number, description: 'helperother' });`,
  'lib/helper.ts': `export enum Level { Low = 1, High = 7 }\nexport const helper: string = 'helper';`,
  'lib/other.ts': `export const other: string = 'other';`,
};

t.test('every spelling loads in an ESM package, a CommonJS package and a folder without any', async (t) => {
  const places = [
    ['esm', { 'package.json': '{ "type": "module" }' }],
    ['commonjs', { 'package.json': '{ "type": "commonjs" }' }],
    ['no package', {}],
  ] as const;
  for (const [name, extra] of places) {
    const dir = folder({ ...SCENARIOS, ...extra });
    for (const file of Object.keys(SCENARIOS).filter((path) => !path.startsWith('lib/'))) {
      const input = await load(join(dir, file));
      t.ok(isDefinedScenario(input), `${file} in ${name}: the API is the instance of the caller`);
      t.match(input, { seed: 7, description: 'helperother' }, `${file} in ${name}`);
    }
  }
});

t.test('JSON is a scenario too, and need not be marked', async (t) => {
  const dir = folder({ 'a.json': '{ "seed": 7 }', 'b.json': '{\n  "seed": 7,\n}' });
  t.same(await load(join(dir, 'a.json')), { seed: 7 });
  await t.rejects(load(join(dir, 'b.json')), { reason: 'usage', message: /b\.json is not valid JSON: / });
});

t.test('a file in node_modules loads, as the shipped scenarios do in an installed package', async (t) => {
  const dir = folder({
    'node_modules/x/package.json': '{ "type": "module" }',
    'node_modules/x/s/a.ts': ESM_TS,
  });
  const lib = join(dir, 'node_modules/x/s/lib');
  mkdirSync(lib);
  writeFileSync(join(lib, 'helper.ts'), SCENARIOS['lib/helper.ts'] ?? '');
  writeFileSync(join(lib, 'other.ts'), SCENARIOS['lib/other.ts'] ?? '');
  t.ok(isDefinedScenario(await load(join(dir, 'node_modules/x/s/a.ts'))));
});

t.test('what cannot be loaded is an error of usage with file, line and what to do', async (t) => {
  const dir = folder({
    'syntax.ts': `import { kill } from 'cluster-chaos';\n\nexport default {,};`,
    'lib/bad.ts': `\n\nexport const x = = 1;`,
    'inner-syntax.ts': `import { x } from './lib/bad';\nexport default x;`,
    'throws.ts': `interface A { b: number }\n\nfunction f(): never {\n  throw new Error('boom');\n}\nexport default f();`,
    'throws-null.ts': `throw null;`,
    'named.ts': `export const scenario: number = 1;`,
    'nothing.ts': `const x: number = 1;\nvoid x;`,
    'unknown.ts': `import { kil } from 'cluster-chaos';\nexport default kil();`,
    'missing.ts': `import './nope';\nexport default 1;`,
    'package.ts': `import 'no-such-package-at-all';\nexport default 1;`,
    'scenario.yaml': `a: 1`,
  });
  const at = (name: string): string => join(dir, name).replaceAll('.', '\\.');
  const cases = [
    ['syntax.ts', `${at('syntax.ts')}:3:\\d+ has a syntax error`, undefined],
    ['inner-syntax.ts', `${at('lib/bad.ts')}:3:\\d+ has a syntax error`, undefined],
    ['throws.ts', `${at('throws.ts')}:4 threw .*: boom`, /run before anything is started/],
    ['throws-null.ts', `${at('throws-null.ts')} threw .*: null`, /./],
    ['named.ts', `no default export; it exports scenario`, /export default defineScenario/],
    ['nothing.ts', `no default export; it exports nothing`, /export default defineScenario/],
    ['unknown.ts', `${at('unknown.ts')}:2 threw .*'kil' is not a function`, /Did you mean 'kill'/],
    ['missing.ts', `imports '\\./nope', which cannot be found`, /relative to the file/],
    ['package.ts', `imports 'no-such-package-at-all'`, /npm install --save-dev no-such-package-at-all/],
    ['scenario.yaml', `must end in \\.ts, `, undefined],
    ['absent.ts', `absent\\.ts is not a file`, undefined],
  ] as const;
  for (const [file, message, hint] of cases) {
    const error = await load(join(dir, file)).then(
      () => t.fail(`${file} loaded`),
      (reason: unknown) => reason,
    );
    t.match(error, { name: 'ChaosError', reason: 'usage', message: new RegExp(message, 's') }, file);
    if (hint) t.match(error, { hint }, file);
  }
});

t.test('compiled code is kept where nobody else can write, or nowhere', async (t) => {
  const dir = privateCacheDir('jiti');
  t.equal(dir, join(scratch, 'cache/cluster-chaos/jiti'));
  t.equal(lstatSync(dir ?? '').mode & 0o777, 0o700);
  const open = join(scratch, 'cache/cluster-chaos/open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  t.equal(privateCacheDir('open'), null);
  writeFileSync(join(scratch, 'cache/cluster-chaos/file'), '');
  t.equal(privateCacheDir('file'), null);
});

t.test('names are found here, in scenarios/, among the shipped; folders expand sorted', async (t) => {
  const shippedDir = folder({ 'kill-random.ts': '', 'hang.ts': '' });
  const cwd = folder({
    'here.ts': '',
    'scenarios/b.ts': '',
    'scenarios/a.mjs': '',
    'scenarios/_shared.ts': '',
    'scenarios/types.d.ts': '',
    'scenarios/a.test.ts': '',
    'scenarios/data.json': '',
    'scenarios/sub/c.ts': '',
    'empty/readme.md': '',
  });
  const find = (...names: string[]) => findScenarios(names, { cwd, shippedDir });
  const own = (name: string) => join(cwd, 'scenarios', name);
  t.same(find(), [own('a.mjs'), own('b.ts')], 'no name is scenarios/');
  t.same(find('scenarios'), [own('a.mjs'), own('b.ts')]);
  t.same(find('scenarios/sub/c.ts', './here.ts'), [own('sub/c.ts'), join(cwd, 'here.ts')]);
  t.same(find('b.ts', 'b', own('b.ts'), 'scenarios'), [own('b.ts'), own('a.mjs')], 'each once');
  t.same(find('here', 'kill-random', 'hang.ts'), [
    join(cwd, 'here.ts'),
    join(shippedDir, 'kill-random.ts'),
    join(shippedDir, 'hang.ts'),
  ]);
  t.same(find('data.json'), [own('data.json')], 'JSON by name only');
  t.throws(() => find('kill-randm.ts'), {
    reason: 'usage',
    message: /no scenario/,
    hint: /'kill-random\.ts'/,
  });
  t.throws(() => find('scenarios/sub/d.ts'), {
    reason: 'usage',
    message: /no scenario/,
    hint: /'c\.ts'|'a\.mjs'|'b\.ts'/,
  });
  t.throws(() => find('qqqqqqqqqqqqqq'), {
    reason: 'usage',
    message: /no scenario/,
    hint: /hang\.ts, kill-random\.ts/,
  });
  t.throws(() => find('empty'), {
    reason: 'usage',
    message: /no scenario in the folder/,
    hint: /chaos init/,
  });
});

t.test('chaos init writes files that load and validate, and never over one that exists', async (t) => {
  const cwd = folder({ 'package.json': '{ "scripts": { "start": "node x.js" } }' });
  const files = initFiles(cwd);
  writeInitFiles(cwd, files);
  for (const { path, content } of files) t.equal(readFileSync(join(cwd, path), 'utf8'), content);
  const [file] = findScenarios([], { cwd, shippedDir: cwd });
  const scenario = validateScenario(await load(file ?? ''), {
    file: file ?? '',
    cwd,
    metrics: METRICS,
    kinds: builtinFaults.values(),
  });
  t.match(scenario, { name: 'kill-workers', target: { command: 'npm start' } });
  t.throws(() => writeInitFiles(cwd, files), {
    reason: 'usage',
    message: /kill-workers\.ts.*nothing was written/,
  });
  const bare = initFiles(folder({ 'package.json': '{ broken' }))[0]?.content ?? '';
  t.match(bare, /command: "node server\.js"/);
  t.match(initFiles(folder({ 'package.json': '{ "main": "lib/app.js" }' }))[0]?.content, /node lib\/app\.js/);
});

t.test('chaos plan prints a table, or the JSON that hashes to the plan', async (t) => {
  const scenario = validateScenario(
    { name: 'x', faults: [{ name: 'a', fault: self.kill(), schedule: self.at('1s') }] },
    { file: 'x.ts', cwd: '/', metrics: METRICS },
  );
  const plan = makePlan(scenario, 1, 2);
  t.same(JSON.parse(renderPlan(plan, { json: true, color: true })), plan);
  const plain = renderPlan(plan, { json: false, color: false });
  t.match(plain, /1\.000 s +a-1 +kill/);
  t.notOk(plain.includes('\u001b'));
  t.ok(renderPlan(plan, { json: false, color: true }).includes('\u001b['));
});

t.test('chaos faults lists every kind, and the parameters of one', async (t) => {
  const list = renderFaults(builtinFaults.values());
  for (const { kind, summary } of builtinFaults.values())
    t.ok(list.includes(`${kind} `) && list.includes(summary));
  t.match(renderFaults(builtinFaults.values(), 'kill'), /signal: "SIGKILL" \| .*default "SIGKILL"/);
  t.match(renderFaults(builtinFaults.values(), 'freeze'), /no parameters/);
  t.throws(() => renderFaults(builtinFaults.values(), 'kil'), {
    reason: 'usage',
    message: /unknown fault kind 'kil'/,
    hint: /'kill'/,
  });
});

t.test('the shipped scenarios compile against the types that users get', async (t) => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--skipLibCheck', '--types', 'node'];
  const files = findScenarios(['scenarios'], { cwd: root, shippedDir: root });
  const run = spawnSync(
    process.execPath,
    [tsc, '--ignoreConfig', '--target', 'es2023', ...options, ...files],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  t.equal(run.status, 0, run.stdout + run.stderr);
});
