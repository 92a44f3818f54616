import t, { type Test } from 'tap';
import { crashLoop } from '../../dist/faults/crash-loop.js';
import { primaryKill } from '../../dist/faults/primary-kill.js';
import { signal } from '../../dist/faults/signal.js';
import type { Victim } from '../../dist/model/ports.js';
import { type ContractRig, faultKindContract } from '../contract/fault-kind.ts';
import { startRig } from './rig.ts';
import { startTargetRig } from './target-rig.ts';

type Role = 'primary' | 'worker';

const onServer =
  (role: Role) =>
  async (t: Test): Promise<ContractRig> => {
    const rig = await startTargetRig(t, 'supervises.cjs');
    return { ...rig, victim: (): Promise<Victim> => rig[role]() };
  };

const params = (over: object = {}): { signal: 'SIGHUP'; does: 'reload'; by: null; withinMs: number } => ({
  signal: 'SIGHUP',
  does: 'reload',
  by: null,
  withinMs: 20_000,
  ...over,
});

faultKindContract(t, {
  kind: signal,
  params: { signal: 'SIGHUP', does: 'reload' },
  junk: [
    { params: { signal: 'SIGKILL' }, key: 'signal', value: 'SIGKILL' },
    { params: { does: 'restart' }, key: 'does', value: 'restart' },
    { params: { does: 'scale', by: 0 }, key: 'by', value: '0' },
    { params: { does: 'reload', by: 2 }, key: 'by', value: '2' },
    { params: { withinMs: 'soon' }, key: 'withinMs', value: 'soon' },
  ],
  deadly: false,
  heals: 'not-needed',
  start: onServer('primary'),
});
faultKindContract(t, {
  kind: crashLoop,
  params: {},
  junk: [{ params: { code: 3 }, key: 'code', value: '3' }],
  deadly: true,
  heals: 'healed',
  start: onServer('worker'),
});
faultKindContract(t, {
  kind: primaryKill,
  params: {},
  junk: [{ params: { withinMs: -1 }, key: 'withinMs', value: '-1' }],
  deadly: true,
  heals: 'healed',
  start: onServer('primary'),
  backAfterAbort: false,
});

t.test('signal: what would not be heard, or is for a worker, is not sent', async (t) => {
  const rig = await startRig();
  t.teardown(() => rig.close());
  const primary = await rig.primary();
  const deaf = await signal.inject(primary, params(), rig.context());
  t.match(await deaf.effect, { effective: false, reason: /does not listen for SIGHUP/ });
  t.ok(rig.inspect(primary), 'a primary without a handler lives on');
  const worker = await signal.inject(await rig.victim(), params(), rig.context());
  t.match(await worker.effect, { effective: false, reason: /for the primary/ });
});

t.test('signal: a worker that ends by itself after a reload is a finding again', async (t) => {
  const rig = await startTargetRig(t, 'supervises.cjs');
  const injection = await signal.inject(await rig.primary(), params(), rig.context());
  t.match(await injection.effect, { effective: true, evidence: { workers: 2, replaced: 2 } });
  const { pid } = await rig.worker();
  process.kill(pid, 'SIGKILL');
  await rig.handle.exited(pid);
  const exits = rig.events.flatMap((event) => (event.type === 'worker.exit' ? [event] : []));
  t.same(exits.find((event) => event.pid === pid)?.expected, null);
  t.same(
    exits.filter((event) => event.pid !== pid).map(({ expected }) => expected),
    ['supervisor', 'supervisor'],
  );
});

t.test('signal: two more are two signals, and the slots that were given up are taken again', async (t) => {
  const rig = await startTargetRig(t, 'supervises.cjs');
  const scale = async (by: number, name: 'SIGTTIN' | 'SIGTTOU'): Promise<void> => {
    const wanted = { signal: name, does: 'scale', by, withinMs: 20_000 } as const;
    const injection = await signal.inject(await rig.primary(), wanted, rig.context());
    const effect = await injection.effect;
    t.match(effect, { effective: true, workersBy: by }, JSON.stringify(effect));
  };
  const slots = (): readonly number[] =>
    rig.handle.workers().flatMap(({ slot, state }) => (state === 'ready' ? [slot] : []));
  await scale(2, 'SIGTTIN');
  t.same(slots(), [1, 2, 3, 4]);
  await scale(-1, 'SIGTTOU');
  t.equal(slots().length, 3);
  await scale(1, 'SIGTTIN');
  t.same(slots(), [1, 2, 3, 4]);
});

t.test('crash loop: boots crash until the heal, and a second loop at the same time is refused', async (t) => {
  const rig = await startTargetRig(t, 'retries-at-once.cjs');
  const victim = await rig.worker();
  const injection = await crashLoop.inject(victim, {}, rig.context());
  t.match(await injection.effect, { effective: true });
  await t.rejects(crashLoop.inject(await rig.worker(), {}, rig.context()), /another crash loop/);
  const exits = (): readonly unknown[] =>
    rig.events.flatMap((event) => (event.type === 'worker.exit' ? [event.expected] : []));
  await rig.until('five crashes', () => exits().length >= 6);
  const { how, evidence } = await injection.heal();
  t.equal(how, 'healed');
  t.ok(Number(evidence['crashes']) >= 5 && Number(evidence['crashesPer10s']) >= 5, JSON.stringify(evidence));
  await rig.until('all workers', () => rig.handle.workers().every(({ state }) => state === 'ready'));
  // The kill itself is expected by whoever injects; here nobody has said so.
  t.same(new Set(exits().slice(1)), new Set([`fault-1`]), 'each crash is the fault’s');
});

t.test('primary kill: orphans are named, ended, and the same slots come back', async (t) => {
  const rig = await startTargetRig(t, 'orphans-keep-port.cjs');
  const before = rig.handle.workers().map(({ pid }) => pid);
  const injection = await primaryKill.inject(await rig.primary(), { withinMs: 300 }, rig.context());
  const effect = await injection.effect;
  t.match(effect, { effective: true, evidence: { goneMs: null, orphans: before.length, portHeld: true } });
  for (const pid of before) t.match(effect.evidence['orphanPids'], String(pid));
  t.equal((await injection.heal()).how, 'healed');
  await rig.until('all workers', () => rig.handle.workers().every(({ state }) => state === 'ready'));
  t.same(
    rig.handle.workers().map(({ slot, generation }) => [slot, generation]),
    [
      [1, 2],
      [2, 2],
    ],
  );
  t.not((await rig.primary()).pid, undefined);
  t.ok(rig.events.some((event) => event.type === 'target.restart' && event.killed.length >= before.length));
});

t.test('primary kill: a target that is not seen forking is left alone', async (t) => {
  const rig = await startTargetRig(t, 'spawns-servers.cjs');
  const primary = await rig.primary();
  await t.rejects(primaryKill.inject(primary, { withinMs: 300 }, rig.context()), /forked by node:cluster/);
  t.ok(rig.inspect(primary));
});
