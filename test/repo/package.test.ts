import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT, tempDir } from '../support/chaos.ts';
import { cleanSpawn } from '../support/clean-spawn.ts';

const npm = (args: readonly string[], cwd: string): string =>
  execFileSync('npm', [...args, '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  });

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ code: number | null; text: string }> {
  const child = cleanSpawn(command, args, { cwd, env: { CI: 'true' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, text })));
}

t.test('the package installs from its tarball into an empty folder, and runs there', async (t) => {
  const packed = tempDir(t);
  // Without scripts: a build would rewrite dist under the other tests.
  npm(['pack', '--ignore-scripts', '--pack-destination', packed], ROOT);
  const [tarball] = readdirSync(packed);
  const project = tempDir(t);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  npm(['install', '--no-audit', '--no-fund', '--prefer-offline', join(packed, tarball ?? '')], project);
  const chaos = join(project, 'node_modules/.bin/chaos');

  const plan = await run(chaos, ['plan', 'kill-random.ts', '--seed', '1', '--json'], project);
  t.equal(plan.code, 0, plan.text);
  const own = await run(
    process.execPath,
    ['bin/chaos.js', 'plan', 'kill-random.ts', '--seed', '1', '--json'],
    ROOT,
  );
  t.equal(plan.text, own.text, 'the same plan, byte for byte');

  const init = await run(chaos, ['init'], project);
  t.equal(init.code, 0, init.text);

  mkdirSync(join(project, 'chaos'));
  writeFileSync(
    join(project, 'chaos/mine.mjs'),
    `import { at, defineScenario, kill } from 'cluster-chaos';
export default defineScenario({ phases: { warmup: '500ms', baseline: '1s', chaos: '2s', recovery: '1s' },
  faults: [{ name: 'kill', fault: kill(), schedule: at('200ms') }], objectives: ['workers.missing == 0'] });`,
  );
  const result = await run(chaos, ['run', 'chaos/mine.mjs'], project);
  t.equal(result.code, 0, result.text);
  t.match(result.text, /^PASS/m);
});
