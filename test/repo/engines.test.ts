import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isSupported } from '../../dist/cli/commands/doctor.js';
import { ROOT } from '../support/chaos.ts';

const jsonOf = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));

t.test('chaos doctor accepts the versions of Node that engines names', (t) => {
  const engines = '^20.19.0 || >=22.12.0';
  t.equal(jsonOf('package.json').engines.node, engines);
  t.equal(jsonOf('package-lock.json').packages[''].engines.node, engines);
  for (const node of ['v20.19.0', 'v20.20.2', 'v22.12.0', 'v22.20.0', 'v23.0.0', 'v24.0.0', 'v26.10.0'])
    t.ok(isSupported(node), node);
  for (const node of ['v18.20.0', 'v20.11.0', 'v20.18.3', 'v21.7.0', 'v22.0.0', 'v22.11.0'])
    t.notOk(isSupported(node), node);
  t.end();
});

t.test('CommonJS requires each part of the package', (t) => {
  const parts = ['cluster-chaos', 'cluster-chaos/supervisor', 'cluster-chaos/worker'];
  const code = `console.log(${parts.map((part) => `Object.keys(require('${part}')).length > 0`).join(', ')})`;
  const printed = execFileSync(process.execPath, ['--input-type=commonjs', '-e', code], {
    cwd: ROOT,
    encoding: 'utf8',
    env: {},
  });
  t.equal(printed, 'true true true\n');
  t.end();
});
