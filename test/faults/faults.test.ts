import t from 'tap';
import { block } from '../../dist/faults/block.js';
import { freeze } from '../../dist/faults/freeze.js';
import { kill } from '../../dist/faults/kill.js';
import { memorySpike } from '../../dist/faults/memory-spike.js';
import { builtinFaults, faultKind, registry } from '../../dist/faults/registry.js';
import { faultKindContract } from '../contract/fault-kind.ts';
import { startRig } from './rig.ts';

const MB = 1_000_000;

/** One server for all: each test takes a worker that is well, and leaves the server well. */
const shared = startRig();
t.teardown(async () => (await shared).close());

faultKindContract(t, {
  kind: kill,
  params: { signal: 'SIGKILL' },
  junk: [
    { params: { signal: 'SIGFOO' }, key: 'signal', value: 'SIGFOO' },
    { params: { signal: 'exit', code: 300 }, key: 'code', value: '300' },
    { params: { signal: 'SIGKILL', code: 3 }, key: 'code', value: '3' },
  ],
  deadly: true,
});
faultKindContract(t, {
  kind: freeze,
  params: {},
  junk: [{ params: { hard: true }, key: 'hard', value: 'true' }],
  deadly: false,
});
faultKindContract(t, {
  kind: block,
  params: { mode: 'busy' },
  junk: [{ params: { mode: 'lazy' }, key: 'mode', value: 'lazy' }],
  deadly: false,
});
faultKindContract(t, {
  kind: memorySpike,
  params: { where: 'heap', bytes: 100 * MB },
  junk: [
    { params: { where: 'stack', bytes: 1 }, key: 'where', value: 'stack' },
    { params: { where: 'heap', bytes: '12 parsecs' }, key: 'bytes', value: '12 parsecs' },
    { params: { where: 'heap', bytes: -1 }, key: 'bytes', value: '-1' },
    { params: { where: 'off-heap', bytes: null }, key: 'bytes', value: 'null' },
  ],
  deadly: false,
});

t.test('kinds are found by name, twins refused, and an unknown name gets the nearest', async (t) => {
  t.same(
    [...builtinFaults.keys()],
    ['kill', 'freeze', 'block', 'memory-spike', 'signal', 'crash-loop', 'primary-kill'],
  );
  t.equal(faultKind('freeze'), freeze);
  t.throws(() => registry([kill]), { reason: 'usage', message: /kill/ });
  t.throws(() => faultKind('freze'), { reason: 'usage', message: /freze/, hint: /freeze/ });
  const own = { ...kill, kind: 'own' };
  t.equal(faultKind('own', registry([own])), own);
  const colours = [...builtinFaults.values()].flatMap(({ band }) => [band.light, band.dark]);
  t.equal(new Set(colours).size, colours.length, 'no two kinds share a colour');
});

t.test('kill: each way ends the victim in that way', async (t) => {
  const rig = await shared;
  const ways = [
    { params: { signal: 'SIGTERM', code: null }, seen: { signal: 'SIGTERM' } },
    { params: { signal: 'exit', code: 42 }, seen: { code: 42 } },
    { params: { signal: 'uncaught', code: null }, seen: { code: 1 } },
  ] as const;
  for (const { params, seen } of ways) {
    const victim = await rig.victim();
    const injection = await kill.inject(victim, params, rig.context());
    t.match(await injection.effect, { effective: true, evidence: { ...seen, asAsked: true } }, params.signal);
    await rig.otherAnswers(victim.pid);
  }
});

t.test('kill: without an agent an exit is a SIGKILL, and says so', async (t) => {
  const rig = await shared;
  const victim = await rig.victim();
  const { pid, startTime, role, slot } = victim;
  const blind = { pid, startTime, role, slot, exited: victim.exited, agent: null };
  const injection = await kill.inject(blind, { signal: 'exit', code: 42 }, rig.context());
  t.match(await injection.effect, {
    effective: true,
    evidence: { asked: 'exit', degraded: true, signal: 'SIGKILL', asAsked: true },
  });
});

t.test('freeze: the guardian knows before the stop and until after the heal', async (t) => {
  const rig = await shared;
  const victim = await rig.victim();
  const log: string[] = [];
  const told = rig.guardianLog.length;
  const context = rig.context({
    kill: (who, signal) => {
      log.push(`${signal} after ${rig.guardianLog.slice(told).join(' ')}`);
      return rig.context().kill(who, signal);
    },
  });
  const injection = await freeze.inject(victim, {}, context);
  t.match(await injection.effect, { effective: true, evidence: { state: 'T' } });
  t.equal(rig.inspect(victim)?.state, 'T');
  t.equal((await injection.heal()).how, 'healed');
  t.same(log, [`SIGSTOP after +${victim.pid}`, `SIGCONT after +${victim.pid}`]);
  t.same(rig.guardianLog.slice(told), [`+${victim.pid}`, `-${victim.pid}`]);
});

t.test('freeze: a primary can be frozen and continued', async (t) => {
  const rig = await shared;
  const primary = await rig.primary();
  const injection = await freeze.inject(primary, {}, rig.context());
  t.match(await injection.effect, { effective: true });
  t.equal((await injection.heal()).how, 'healed');
  await rig.otherAnswers(0);
});

t.test('block: busy burns the processor and idle does not', async (t) => {
  const rig = await shared;
  const burnt = async (mode: 'busy' | 'idle'): Promise<number> => {
    const victim = await rig.victim();
    const before = rig.inspect(victim)?.cpuMs ?? 0;
    const injection = await block.inject(victim, { mode }, rig.context());
    t.match(await injection.effect, { effective: true, evidence: { mode, answered: false } });
    const healed = await injection.heal();
    t.match(healed, { how: 'healed', evidence: { answered: true } });
    t.ok(Number(healed.evidence['blockedMs']) >= 100, 'the main thread measured its own silence');
    return (rig.inspect(victim)?.cpuMs ?? 0) - before;
  };
  t.ok((await burnt('busy')) > (await burnt('idle')));
});

t.test('block: a heal before the proof still proves what there was', async (t) => {
  const rig = await shared;
  const victim = await rig.victim();
  const injection = await block.inject(victim, { mode: 'busy' }, rig.context());
  t.equal((await injection.heal()).how, 'healed');
  t.match(await injection.effect, { effective: true });
});

t.test('block: a second block of the same process is refused, and leaves the first alone', async (t) => {
  const rig = await shared;
  const victim = await rig.victim();
  const first = await block.inject(victim, { mode: 'idle' }, rig.context());
  const second = await block.inject(victim, { mode: 'idle' }, rig.context());
  t.match(await second.effect, { effective: false, reason: /already\s+blocked/ });
  await second.heal();
  t.match(await first.effect, { effective: true });
  t.equal((await first.heal()).how, 'healed');
  await rig.answers(victim.pid);
});

t.test('memory spike: memory is seen to grow and to be given back', async (t) => {
  const rig = await shared;
  for (const where of ['heap', 'off-heap'] as const) {
    const victim = await rig.victim();
    const injection = await memorySpike.inject(victim, { where, bytes: 200 * MB }, rig.context());
    const effect = await injection.effect;
    t.match(effect, { effective: true }, JSON.stringify(effect));
    const { rssBeforeBytes, rssPeakBytes } = effect.evidence;
    t.ok(Number(rssPeakBytes) - Number(rssBeforeBytes) > 100 * MB, 'it grew');
    const healed = await injection.heal();
    const { rssAfterBytes, freed } = healed.evidence;
    t.equal(freed, '200 MB');
    t.ok(Number(rssPeakBytes) - Number(rssAfterBytes) > 100 * MB, JSON.stringify(healed.evidence));
    await rig.answers(victim.pid);
  }
});

t.test('memory spike: to the limit the worker dies of it and is replaced', async (t) => {
  const rig = await startRig({
    args: ['--max-old-space-size=96', new URL('./fixtures/reforking-server.cjs', import.meta.url).pathname],
  });
  t.teardown(() => rig.close());
  const victim = await rig.victim();
  const injection = await memorySpike.inject(victim, { where: 'heap', bytes: null }, rig.context());
  const effect = await injection.effect;
  t.match(effect, { effective: true, evidence: { died: true, signal: 'SIGABRT' } }, JSON.stringify(effect));
  t.equal((await injection.heal()).how, 'victim-gone');
  await rig.otherAnswers(victim.pid);
});

t.test('memory spike: healed on its way to the limit it ends, and says that it was survived', async (t) => {
  const rig = await shared;
  const victim = await rig.victim();
  const injection = await memorySpike.inject(victim, { where: 'heap', bytes: null }, rig.context());
  await rig.until('some growth', () => (rig.inspect(victim)?.rssBytes ?? 0) > 200 * MB);
  t.equal((await injection.heal()).how, 'healed');
  t.match(await injection.effect, { effective: false, reason: /lived on/ });
  await rig.answers(victim.pid);
});
