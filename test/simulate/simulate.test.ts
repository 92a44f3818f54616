import { readFileSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { stopCoverage, takeCoverage } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { build } from 'esbuild';
import t from 'tap';
import { makeWorld } from '../../dist/simulate/make-world.js';
import { playSeeds, shrinkWorld, traceWorld } from '../../dist/simulate/many.js';
import { POLICY, type Policy } from '../../dist/simulate/policy-port.js';
import { runWorld } from '../../dist/simulate/run-world.js';
import { atOdds, type World } from '../../dist/simulate/world.js';
import { worldSchema } from '../../dist/simulate/world-schema.js';
import { chaos, tempDir } from '../support/chaos.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

// Nothing but computing: it must not take a core away from a test beside it that judges a server's behaviour.
setPriority(constants.priority.PRIORITY_LOW);

const POLICY_DIR = 'dist/supervisor/policy';
/** Worlds that a planted bug may hide in: nine in ten show within 50, the best hidden ones after some 400. */
const WORLDS_MAX = 800;

/**
 * The built policy with a bug planted into one of its files; null when that no longer has what the bug replaces. In one
 * piece: some thirty modules for each bug, under the loaders of the test runner, take far longer than to find it.
 */
async function plant({ file, find, replace }: Mutant): Promise<Policy | null> {
  const path = resolve(POLICY_DIR, file);
  const source = readFileSync(path, 'utf8');
  if (!source.includes(find)) return null;
  const contents = source.replace(find, () => replace);
  const { outputFiles } = await build({
    entryPoints: [join(POLICY_DIR, 'transition.js')],
    bundle: true,
    format: 'cjs',
    write: false,
    plugins: [
      {
        name: 'planted',
        setup(bundle) {
          bundle.onLoad({ filter: /\.js$/ }, (args) => (args.path === path ? { contents } : null));
        },
      },
    ],
  });
  const module = { exports: {} };
  runInThisContext(`(module) => {${outputFiles[0]?.text}}`)(module);
  return module.exports as Policy;
}

t.test('a thousand worlds of trouble break no rule', (t) => {
  const { brokenSeed, totals } = playSeeds({ from: 1, until: 1001, seconds: 60 });
  t.equal(brokenSeed, null, `chaos simulate --seed ${brokenSeed}`);
  t.equal(totals.worlds, 1000);
  t.ok(totals.steps > 100 * totals.worlds, 'and there was trouble');
  t.ok(Object.keys(totals.troubles).length >= 20, 'of every kind');
  t.end();
});

t.test('states are plain JSON, and never written to again', (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const { broken } = runWorld(makeWorld(seed, 60), { isStrict: true });
    t.equal(broken, null, `seed ${seed}`);
  }
  t.end();
});

t.test(
  'elided beats change nothing: with every beat delivered, the policy commands the same at the same times',
  (t) => {
    const commands = (world: World, isExact: boolean): readonly string[] => {
      const said: string[] = [];
      const { broken } = runWorld(world, {
        isExact,
        onStep: (step) =>
          said.push(...step.commands.map((command) => `${step.atMs} ${JSON.stringify(command)}`)),
      });
      t.equal(broken, null, `seed ${world.seed}`);
      return said;
    };
    let compared = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const world = makeWorld(seed, 15);
      // Without what makes two things happen at the same moment, whose order is then by chance: late timers, beats on
      // whole ms, and an absence after which everything is read at once.
      const apart: World = {
        ...world,
        nature: { ...world.nature, timerLateMs: 0, beatMs: world.nature.beatMs - 1 / 1024 },
        troubles: world.troubles.filter(({ type }) => type !== 'away' && type !== 'pause'),
      };
      const elided = commands(apart, false);
      t.same(elided, commands(apart, true), `seed ${seed}`);
      compared += elided.length;
    }
    t.ok(compared > 1000, `${compared} commands`);
    t.end();
  },
);

t.test('a world that breaks a rule shrinks to a few events that break it too, always the same', async (t) => {
  const suspects = MUTANTS.find(({ rule }) => rule === 'a suspect gets no connections');
  const policy = suspects && (await plant(suspects));
  if (!policy) throw new Error('no such bug');
  const { brokenSeed } = playSeeds({ from: 3, until: 300, seconds: 60, policy });
  const world = makeWorld(brokenSeed ?? 0, 60);
  const { broken } = runWorld(world, { policy });
  if (broken === null) throw new Error('the bug was not found');
  const small = shrinkWorld(world, broken, policy);
  t.ok(small.world.troubles.length <= 3, JSON.stringify(small.world.troubles));
  t.ok(small.world.troubles.length < world.troubles.length);
  t.equal(small.broken.rule, broken.rule);
  const again = JSON.parse(JSON.stringify(small.world)) as World;
  t.same(traceWorld(again, policy).outcome.broken, small.broken, 'its JSON plays the same');
  t.same(shrinkWorld(world, broken, policy), small);
});

t.test('chaos simulate says what it did, and the same seeds do the same', async (t) => {
  const args = ['simulate', '--seeds', '40', '--seed', '7', '--json'];
  const [one, two] = await Promise.all([chaos(t, args).done, chaos(t, [...args, '--jobs', '2']).done]);
  t.equal(one.code, 0, one.stderr);
  t.same(JSON.parse(one.stdout), JSON.parse(two.stdout));
  const text = await chaos(t, ['simulate', '--seeds', '5']).done;
  t.match(text.stdout, /worlds +5 .*\n[^]*violations +0/);
});

t.test(
  'chaos simulate --replay plays one world: exit 1 and the list of events if a rule breaks',
  async (t) => {
    const world = makeWorld(1, 20);
    // Workers that claim connections which the primary has long taken back: settings that options refuse.
    const impossible: World = {
      ...world,
      config: { ...world.config, workers: 2, withdrawMs: 100, balance: 'round-robin' },
      nature: { ...world.nature, claimMs: 10_000 },
      troubles: [
        { type: 'freeze-at-give', atMs: 5000, forMs: 400, how: 'before-check' },
        {
          type: 'burst',
          atMs: 5001,
          burst: { count: 1, overMs: 0, listener: 'a', sticky: 'no', heldMs: 5000 },
        },
      ],
    };
    const dir = tempDir(t);
    const write = (name: string, what: unknown): string => {
      writeFileSync(join(dir, name), JSON.stringify(what));
      return join(dir, name);
    };
    const good = await chaos(t, ['simulate', '--replay', write('good.json', world)]).done;
    t.equal(good.code, 0, good.stdout + good.stderr);
    const bad = await chaos(t, ['simulate', '--replay', write('bad.json', { world: impossible })]).done;
    t.equal(bad.code, 1, bad.stdout + bad.stderr);
    t.match(bad.stdout, /two-places: [^]*stands still for 400 ms[^]*connection 0 comes → give 0 to/);
  },
);

t.test('chaos simulate refuses what it cannot play: exit 3', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'other.json'), '{ "version": 1 }');
  const check = async (args: readonly string[], expected: RegExp): Promise<void> => {
    const { code, stderr } = await chaos(t, ['simulate', ...args]).done;
    t.equal(code, 3, stderr);
    t.match(stderr, expected);
  };
  await Promise.all([
    check(['--seeds', 'many'], /--seeds takes a whole number/),
    check(['--seconds', '1'], /--seconds/),
  ]);
  await Promise.all([
    check(['--replay', join(dir, 'none.json')], /none\.json/),
    check(['--replay', join(dir, 'other.json')], /no simulated world/),
  ]);
});

t.test('every world that is drawn, and what it shrinks to, can be replayed from its JSON', (t) => {
  for (let seed = 1; seed <= 2000; seed++) {
    const world = makeWorld(seed, 60);
    const read = worldSchema.safeParse(JSON.parse(JSON.stringify(world)));
    if (!read.success || atOdds(world) !== null) {
      t.fail(`seed ${seed}: ${read.error?.message ?? atOdds(world)}`);
      continue;
    }
    if (JSON.stringify(read.data) !== JSON.stringify(world)) t.same(read.data, world);
  }
  const blind: Policy = { ...POLICY, transition: (state) => ({ state, commands: [], isOtherStaff: false }) };
  const world = makeWorld(3, 60);
  const { broken } = runWorld(world, { policy: blind });
  if (broken === null) throw new Error('a policy that does nothing breaks no rule');
  const small = shrinkWorld(world, broken, blind).world;
  t.ok(worldSchema.safeParse(JSON.parse(JSON.stringify(small))).success);
  t.equal(atOdds(small), null);
  t.end();
});

t.test('chaos simulate --replay refuses a damaged world, and names what is wrong with it', async (t) => {
  const dir = tempDir(t);
  const world = makeWorld(1, 20);
  const { config, nature } = world;
  const { drainMs: _, ...noDrain } = config;
  const cases: readonly (readonly [damaged: unknown, expected: RegExp])[] = [
    [{ ...world, config: noDrain }, /config\.drainMs: is missing; expected: a number from 0/],
    [{ ...world, config: { ...config, backoff: null } }, /config\.backoff: got null; allowed: an object/],
    [{ ...world, config: { ...config, workers: -1 } }, /config\.workers: got -1; allowed: .* 1 to 29/],
    [{ ...world, config: { ...config, wrokers: 2 } }, /config\.wrokers: unknown key; did you mean 'workers'/],
    [{ ...world, nature: { ...nature, beatMs: 0 } }, /nature\.beatMs: got 0; allowed: a number from 5/],
    [{ world: { ...world, troubles: [{ type: 'flood', atMs: 1 }] } }, /troubles\[0\]\.type: got "flood"/],
    [{ ...world, troubles: [{ type: 'die', atMs: 1, pick: 0 }] }, /troubles\[0\]\.count: is missing/],
    [
      { ...world, config: { ...config, deadMs: config.suspectMs } },
      /no simulated world: config\.deadMs must be more/,
    ],
    [
      { ...world, config: { ...config, slotBound: true, standbys: 1 } },
      /config\.standbys must be 0 with config\.slotBound/,
    ],
    [{ world: null }, /no simulated world/],
    [[world], /no simulated world/],
  ];
  const check = async ([damaged, expected]: (typeof cases)[number], index: number): Promise<void> => {
    const file = join(dir, `${index}.json`);
    writeFileSync(file, JSON.stringify(damaged));
    const { code, stderr } = await chaos(t, ['simulate', '--replay', file]).done;
    t.equal(code, 3, stderr);
    t.match(stderr, expected);
  };
  for (let i = 0; i < cases.length; i += 2) {
    await Promise.all(cases.slice(i, i + 2).map((one, index) => check(one, i + index)));
  }
});

t.test('every planted bug of the policy is found', { timeout: 230_000 }, async (t) => {
  // The last test of this process: what it counted is kept. Counting lines makes the playing three times as long.
  takeCoverage();
  stopCoverage();
  const survivors: string[] = [];
  for (const mutant of MUTANTS) {
    const { file, rule } = mutant;
    const policy = await plant(mutant);
    if (policy === null) {
      t.fail(`${file} no longer has what the bug "${rule}" replaces`);
      continue;
    }
    // Seed 1 is played with frozen states, seed 2 with every beat: slow, and only needed where states are written to.
    const from = file === 'draft.js' ? 1 : 3;
    const { brokenSeed } = playSeeds({ from, until: from + WORLDS_MAX, seconds: 60, policy });
    if (brokenSeed === null) survivors.push(`${file}: ${rule}`);
  }
  t.same(survivors, []);
  t.ok(MUTANTS.length >= 150, `${MUTANTS.length} bugs`);
  t.equal(new Set(MUTANTS.map(({ file, find, replace }) => file + find + replace)).size, MUTANTS.length);
});
