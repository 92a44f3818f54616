import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { playSeeds } from '../../dist/simulate/many.js';
import type { Policy } from '../../dist/simulate/policy-port.js';
import { chaos } from '../support/chaos.ts';
import { MUTANTS } from './mutants.ts';

const POLICY_DIR = 'dist/supervisor/policy';
/** Worlds that a planted bug may hide in: the best hidden ones show after some 100. */
const WORLDS_MAX = 200;

t.test('a thousand worlds of trouble break no invariant', (t) => {
  const { brokenSeed, totals } = playSeeds({ from: 1, until: 1001, seconds: 60 });
  t.equal(brokenSeed, null, `chaos simulate --seeds 1 --seed ${brokenSeed}`);
  t.equal(totals.worlds, 1000);
  t.ok(totals.steps > 100 * totals.worlds, 'and there was trouble');
  t.end();
});

t.test('every planted bug of the policy is found', { timeout: 230_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-mutants-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  const survivors: string[] = [];
  for (const [index, { file, find, replace, rule }] of MUTANTS.entries()) {
    const source = readFileSync(join(POLICY_DIR, file), 'utf8');
    t.ok(source.includes(find), `${file} still has what the bug "${rule}" replaces`);
    const own = join(dir, String(index));
    cpSync(POLICY_DIR, own, { recursive: true, filter: (name) => !/\.(?:d\.ts|map)$/.test(name) });
    writeFileSync(
      join(own, file),
      source.replace(find, () => replace),
    );
    const policy = (await import(join(own, 'transition.js'))) as Policy;
    const { brokenSeed } = playSeeds({ from: 1, until: 1 + WORLDS_MAX, seconds: 60, policy });
    if (brokenSeed === null) survivors.push(`${file}: ${rule}`);
  }
  t.same(survivors, []);
  t.ok(MUTANTS.length >= 40);
});

t.test('chaos simulate says what it did, and the same seed does the same', async (t) => {
  const args = ['simulate', '--seeds', '40', '--seed', '7', '--json'];
  const [one, two] = [await chaos(t, args).done, await chaos(t, args).done];
  t.equal(one.code, 0, one.stderr);
  const facts = (text: string): unknown => {
    const { worlds, steps, troubles, violation } = JSON.parse(text) as Record<string, unknown>;
    return { worlds, steps, troubles, violation };
  };
  t.same(facts(one.stdout), facts(two.stdout));
  const wrong = await chaos(t, ['simulate', '--seeds', 'many']).done;
  t.equal(wrong.code, 3);
});
