import type { Test } from 'tap';
import type { FaultParams } from '../../dist/model/fault.js';
import type { FaultKind } from '../../dist/model/ports.js';
import { withDeadline } from '../../dist/runtime/wait.js';
import { type Rig, startRig } from '../faults/rig.ts';

/** What the contract needs of a server to hurt. */
export type ContractRig = Pick<Rig, 'clock' | 'victim' | 'context' | 'inspect' | 'answers' | 'otherAnswers'>;

export interface FaultKindCase {
  readonly kind: FaultKind;
  /** Parameters under which the fault takes effect on a small clustered server. */
  readonly params: FaultParams;
  /** Parameters that must be refused, with the key and the value that the message must name. */
  readonly junk: readonly { readonly params: unknown; readonly key: string; readonly value: string }[];
  /** Whether the victim dies of the fault. */
  readonly deadly: boolean;
  /** What healing says; default: `healed`, or `not-needed` where the victim is dead. */
  readonly heals?: 'healed' | 'not-needed';
  /** A server for each test, where one test leaves nothing for the next; default: one for all, that reforks. */
  readonly start?: (t: Test) => Promise<ContractRig>;
  /** An aborted run brings the service back; default true. A restart is left to whoever ended the run. */
  readonly backAfterAbort?: boolean;
}

/** What every fault kind must keep to, tried on a real clustered server that replaces its dead workers. */
export function faultKindContract(
  t: Test,
  { kind, params, junk, deadly, start, ...expected }: FaultKindCase,
): void {
  const { heals = deadly ? 'not-needed' : 'healed', backAfterAbort = true } = expected;
  const read = (): FaultParams => kind.params.parse(params);
  // What is only asked to do something, the primary, gives no answers itself.
  const serves = (rig: ContractRig, pid: number): Promise<void> =>
    deadly || start !== undefined ? rig.otherAnswers(pid) : rig.answers(pid);

  t.test(`${kind.kind}: junk parameters are refused with key and value`, async (t) => {
    t.doesNotThrow(read);
    for (const { params, key, value } of [
      ...junk,
      { params: { surprise: 7 }, key: 'surprise', value: '7' },
    ]) {
      const read = kind.params.safeParse(params);
      const told =
        read.error?.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ') ?? '';
      t.ok(told.includes(key) && told.includes(value) && told.includes('allowed: '), told);
    }
  });

  t.test(`${kind.kind}: it has a summary, a label and two colours`, async (t) => {
    t.match(kind.summary, /^[A-Z].*\.$/);
    t.match(kind.band, { light: /^#[0-9a-f]{6}$/, dark: /^#[0-9a-f]{6}$/, label: /./ });
  });

  t.test(`${kind.kind}, on a server`, async (t) => {
    const shared = start === undefined ? startRig() : null;
    t.teardown(async () => (await shared)?.close());
    const rigFor = async (t: Test): Promise<ContractRig> =>
      shared ?? (start === undefined ? startRig() : start(t));

    await t.test('inject shows evidence, heal restores and is harmless twice', async (t) => {
      const rig = await rigFor(t);
      const victim = await rig.victim();
      const fromMs = rig.clock.now();
      const injection = await kind.inject(victim, read(), rig.context());
      t.ok(injection.atMs >= fromMs && injection.atMs <= rig.clock.now(), 'the time is that of the deed');
      const effect = await injection.effect;
      t.match(effect, { effective: true }, JSON.stringify(effect));
      t.ok(Object.keys(effect.evidence).length > 0, 'there is evidence');
      const healed = await injection.heal();
      t.equal(healed.how, heals, JSON.stringify(healed));
      await serves(rig, victim.pid);
      t.equal((await injection.heal()).how, healed.how);
      t.equal(rig.inspect(victim) === null, deadly, 'only a deadly fault ends its victim');
    });

    await t.test('heal is harmless after the victim died', async (t) => {
      const rig = await rigFor(t);
      const victim = await rig.victim();
      const context = rig.context();
      const injection = await kind.inject(victim, read(), context);
      await injection.effect;
      context.kill(victim, 'SIGKILL');
      await victim.exited;
      const first = await injection.heal();
      // Who outlives its victims has more to heal than them.
      t.equal(first.how === 'healed', kind.outlivesVictims === true);
      t.equal((await injection.heal()).how, first.how);
    });

    await t.test('inject into a dead victim is harmless and takes no effect', async (t) => {
      const rig = await rigFor(t);
      const victim = await rig.victim();
      rig.context().kill(victim, 'SIGKILL');
      await victim.exited;
      const injection = await kind.inject(victim, read(), rig.context());
      t.equal((await injection.effect).effective, false);
      t.not((await injection.heal()).how, 'healed');
    });

    await t.test('an abort ends it within 1 s', async (t) => {
      const rig = await rigFor(t);
      const victim = await rig.victim();
      const abort = new AbortController();
      const injection = await kind.inject(victim, read(), rig.context({ signal: abort.signal }));
      abort.abort();
      await withDeadline(injection.effect, 1000, 'the effect after the abort');
      await injection.heal();
      if (backAfterAbort) await serves(rig, victim.pid);
      t.pass('the service is back');
    });

    await t.test('a run that already ended gets a prompt answer', async (t) => {
      const rig = await rigFor(t);
      const victim = await rig.victim();
      const context = rig.context({ signal: AbortSignal.abort() });
      const injection = await withDeadline(kind.inject(victim, read(), context), 1000, 'inject');
      await withDeadline(injection.effect, 1000, 'the effect');
      await injection.heal();
      if (backAfterAbort) await rig.otherAnswers(0);
      t.pass('the service is back');
    });
  });
}
