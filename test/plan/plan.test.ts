import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import t from 'tap';
import type { ScheduledFault } from '../../dist/model/fault.js';
import type { Plan, PlannedFault } from '../../dist/model/plan.js';
import { canonicalJson, sha256Hex } from '../../dist/plan/canonical-json.js';
import { describePlan } from '../../dist/plan/describe-plan.js';
import { hashPlan, makePlan } from '../../dist/plan/make-plan.js';
import { drawExponential, drawSubset, seededRng } from '../../dist/plan/seeded-rng.js';
import { GOLDEN_SEED, GOLDEN_SOURCE, GOLDEN_WORKERS } from './golden-source.ts';

const CHAOS_MS = 30_000;

const ms = (min: number, max: number) => fc.integer({ min, max });

const schedule = fc.oneof(
  fc.record({
    type: fc.constant('at' as const),
    atMs: fc.array(ms(0, 40_000), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant('every' as const),
    everyMs: ms(500, 20_000),
    startMs: ms(0, 20_000),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  ms(500, 20_000).chain((meanMs) =>
    fc.record({
      type: fc.constant('poisson' as const),
      meanMs: fc.constant(meanMs),
      minGapMs: ms(0, meanMs - 1),
    }),
  ),
  fc.record({
    type: fc.constant('burst' as const),
    atMs: ms(0, 40_000),
    count: ms(1, 8),
    spreadMs: ms(0, 5000),
  }),
);

const selector = fc.oneof(
  fc.constant({ pick: 'all' as const }),
  fc.record({ pick: fc.constant('random' as const), count: ms(1, 6) }),
  fc.constant({ pick: 'primary' as const }),
  fc.constant({ pick: 'last-started' as const }),
);

const scheduled = (name: string): fc.Arbitrary<ScheduledFault> =>
  fc.record({
    name: fc.constant(name),
    fault: fc.record({
      kind: fc.constantFrom('kill', 'freeze'),
      params: fc.constant({}),
      select: selector,
      holdMs: fc.option(ms(1, 10_000)),
      expect: fc.constant('any' as const),
    }),
    schedule,
    window: fc.option(
      fc.record({ fromMs: ms(0, 15_000), toMs: fc.oneof(ms(15_001, 40_000), ms(-10_000, 0)) }),
    ),
  });

const faultList: fc.Arbitrary<ScheduledFault[]> = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'a-1', 'kill', 'time'), { minLength: 1, maxLength: 5 })
  .chain((names) => fc.tuple(...names.map(scheduled)));

const seeds = fc.oneof(fc.string({ maxLength: 20 }), fc.integer());

const plan = (faults: readonly ScheduledFault[], seed: string | number, workers = 4): Plan =>
  makePlan({ name: 'property', faults, phases: { chaosMs: CHAOS_MS } }, seed, workers);

const named = ({ faults }: Plan, name: string): PlannedFault[] =>
  faults.filter((fault) => fault.name === name);

t.test('same scenario and seed: the same bytes, on every machine and Node version', async (t) => {
  const golden = readFileSync(new URL('golden-plan.txt', import.meta.url), 'utf8');
  const made = makePlan(GOLDEN_SOURCE, GOLDEN_SEED, GOLDEN_WORKERS);
  t.equal(`${canonicalJson(made)}\n`, golden);
  const { hash, ...body } = made;
  t.equal(hash, sha256Hex(canonicalJson(body)), 'the hash is of the canonical JSON of the other fields');
  t.equal(hash, hashPlan(JSON.parse(golden) as Plan), 'a plan read from a file has the same hash');
});

t.test('a text seed and a number seed that read the same are one seed', async (t) => {
  t.same(plan(GOLDEN_SOURCE.faults, 7), plan(GOLDEN_SOURCE.faults, '7'));
  t.notSame(plan(GOLDEN_SOURCE.faults, 7).faults, plan(GOLDEN_SOURCE.faults, 8).faults);
});

t.test('adding, removing or reordering faults leaves the draws of the others as they were', async () => {
  fc.assert(
    fc.property(faultList, seeds, fc.nat(), (faults, seed, nth) => {
      const whole = plan(faults, seed);
      const removed = faults[nth % faults.length]?.name;
      const without = plan(
        faults.filter(({ name }) => name !== removed),
        seed,
      );
      const reversed = plan(faults.toReversed(), seed);
      return (
        canonicalJson(reversed) === canonicalJson(whole) &&
        faults.every(
          ({ name }) =>
            name === removed || canonicalJson(named(without, name)) === canonicalJson(named(whole, name)),
        )
      );
    }),
  );
});

t.test('another number of workers leaves all times as they were', async () => {
  fc.assert(
    fc.property(faultList, seeds, ms(1, 128), ms(1, 128), (faults, seed, a, b) => {
      const times = (workers: number) => plan(faults, seed, workers).faults.map(({ id, atMs }) => [id, atMs]);
      return canonicalJson(times(a)) === canonicalJson(times(b));
    }),
  );
});

t.test('a plan is sorted, in whole ms, inside of chaos phase and window, with unique ids', async () => {
  fc.assert(
    fc.property(faultList, seeds, (faults, seed) => {
      const { faults: planned } = plan(faults, seed);
      const windows = new Map(faults.map(({ name, window }) => [name, window]));
      const inside = planned.every(({ name, atMs }) => {
        const { fromMs, toMs } = windows.get(name) ?? { fromMs: 0, toMs: 0 };
        const endMs = Math.min(CHAOS_MS, toMs > 0 ? toMs : CHAOS_MS + toMs);
        return Number.isInteger(atMs) && !Object.is(atMs, -0) && atMs >= fromMs && atMs < endMs;
      });
      const sorted = planned.every(({ atMs }, index) => atMs >= (planned[index - 1]?.atMs ?? 0));
      return inside && sorted && new Set(planned.map(({ id }) => id)).size === planned.length;
    }),
  );
});

t.test('slots are in range, distinct and sorted, as many as asked for where there are as many', async () => {
  fc.assert(
    fc.property(faultList, seeds, ms(1, 8), (faults, seed, workers) => {
      const selectors = new Map(faults.map(({ name, fault }) => [name, fault.select]));
      return plan(faults, seed, workers).faults.every(({ name, victims }) => {
        if (victims.by !== 'slots') return true;
        const select = selectors.get(name);
        const count = select?.pick === 'random' ? Math.min(select.count, workers) : workers;
        const { slots } = victims;
        const inRange = slots.every((slot) => Number.isInteger(slot) && slot >= 1 && slot <= workers);
        return (
          inRange && slots.length === count && slots.every((slot, n) => n === 0 || slot > (slots[n - 1] ?? 0))
        );
      });
    }),
  );
});

t.test('poisson keeps its minimal gap and, over many seeds, its mean', async (t) => {
  const [meanMs, minGapMs] = [3000, 500];
  const fault = (name: string): ScheduledFault => ({
    name,
    fault: { kind: 'kill', params: {}, select: { pick: 'all' }, holdMs: null, expect: 'any' },
    schedule: { type: 'poisson', meanMs, minGapMs },
    window: null,
  });
  let gaps = 0;
  let spanMs = 0;
  for (let seed = 0; seed < 200; seed++) {
    const source = { name: 'x', faults: [fault('kill')], phases: { chaosMs: 120_000 } };
    const times = makePlan(source, seed, 4).faults.map(({ atMs }) => atMs);
    for (const [index, atMs] of times.entries()) {
      if (index > 0 && atMs - (times[index - 1] ?? 0) < minGapMs) t.fail(`seed ${seed}: ${times.join(' ')}`);
    }
    gaps += times.length - 1;
    spanMs += (times.at(-1) ?? 0) - (times[0] ?? 0);
  }
  // Short of the mean by what the end of the phase cuts off.
  t.ok(Math.abs(spanMs / gaps / meanMs - 1) < 0.05, `mean gap ${spanMs / gaps} ms`);
});

t.test('every draws each interval within its jitter, and all workers are hit alike', async (t) => {
  const hits: number[] = [];
  for (let seed = 0; seed < 300; seed++) {
    const { faults } = plan(GOLDEN_SOURCE.faults, seed);
    const steady = faults.filter(({ name }) => name === 'steady');
    for (const { id, atMs, victims } of steady) {
      const n = Number(id.split('-')[1]);
      if (Math.abs(atMs - 3000 * n) > 750) t.fail(`seed ${seed}: ${id} at ${atMs} ms`);
      if (victims.by === 'slots') hits.push(...victims.slots);
    }
  }
  for (const slot of [1, 2, 3, 4]) {
    const share = hits.filter((hit) => hit === slot).length / hits.length;
    t.ok(Math.abs(share - 0.25) < 0.05, `slot ${slot} got ${share}`);
  }
});

t.test('draws are uniform, exponential and fair enough', async (t) => {
  const rng = seededRng('draws');
  let sum = 0;
  let exponential = 0;
  const pairs = new Map<string, number>();
  const rounds = 6000;
  for (let n = 0; n < rounds; n++) {
    const own = rng.fork(String(n));
    sum += own.fork('uniform').next();
    exponential += drawExponential(own.fork('exponential'));
    const pair = drawSubset(own.fork('subset'), [1, 2, 3, 4], 2).join();
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  t.ok(Math.abs(sum / rounds - 0.5) < 0.02);
  t.ok(Math.abs(exponential / rounds - 1) < 0.06);
  t.equal(pairs.size, 6);
  t.ok([...pairs.values()].every((count) => Math.abs(count / (rounds / 6) - 1) < 0.15));
});

t.test('a slot that does not exist, and too many injections, are refused with what to do', async (t) => {
  const [base] = GOLDEN_SOURCE.faults;
  if (base === undefined) throw new Error('no fault');
  const onSlot = { ...base, fault: { ...base.fault, select: { pick: 'slot' as const, slots: [2, 7, 2] } } };
  t.throws(() => plan([onSlot], 1, 4), {
    reason: 'usage',
    message: /slot 7.*only 4 workers/,
    hint: /--workers/,
  });
  const [fault] = plan([onSlot], 1, 7).faults;
  t.same(fault?.victims, { by: 'slots', slots: [2, 7] });
  const dense = { ...base, schedule: { type: 'every' as const, everyMs: 1, startMs: 0, jitter: 0 } };
  t.throws(() => plan([dense], 1), { reason: 'usage', message: /at most 10000/ });
  const stuck = { ...base, schedule: { type: 'poisson' as const, meanMs: 0, minGapMs: 0 } };
  t.throws(() => plan([stuck], 1), { message: /at most 10000/ });
});

t.test('the table names seed, time, victims and hash, also of an empty plan', async (t) => {
  const made = makePlan(GOLDEN_SOURCE, GOLDEN_SEED, GOLDEN_WORKERS);
  const table = describePlan(made);
  t.match(table, `seed ${GOLDEN_SEED}`);
  t.match(table, made.hash.slice(0, 12));
  for (const { id } of made.faults) t.match(table, id);
  t.match(table, /memory-spike where=heap bytes=48 MB +slot \d +3 s +survives/);
  t.match(describePlan(plan([], 1)), /nothing is injected/);
});
