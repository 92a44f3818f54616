import type { Test } from 'tap';
import type { FaultParams } from '../../dist/model/fault.js';
import type { FaultKind } from '../../dist/model/ports.js';
import { withDeadline } from '../../dist/runtime/wait.js';
import { startRig } from '../faults/rig.ts';

export interface FaultKindCase {
  readonly kind: FaultKind;
  /** Parameters under which the fault takes effect on a small clustered server. */
  readonly params: FaultParams;
  /** Parameters that must be refused, with the key and the value that the message must name. */
  readonly junk: readonly { readonly params: unknown; readonly key: string; readonly value: string }[];
  /** Whether the victim dies of the fault. */
  readonly deadly: boolean;
}

/** What every fault kind must keep to, tried on a real clustered server that replaces its dead workers. */
export function faultKindContract(t: Test, { kind, params, junk, deadly }: FaultKindCase): void {
  const read = (): FaultParams => kind.params.parse(params);

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
    const rig = await startRig();
    t.teardown(() => rig.close());

    await t.test('inject shows evidence, heal restores and is harmless twice', async (t) => {
      const victim = await rig.victim();
      const fromMs = rig.clock.now();
      const injection = await kind.inject(victim, read(), rig.context());
      t.ok(injection.atMs >= fromMs && injection.atMs <= rig.clock.now(), 'the time is that of the deed');
      const effect = await injection.effect;
      t.match(effect, { effective: true }, JSON.stringify(effect));
      t.ok(Object.keys(effect.evidence).length > 0, 'there is evidence');
      const healed = await injection.heal();
      t.equal(healed.how, deadly ? 'not-needed' : 'healed', JSON.stringify(healed));
      await (deadly ? rig.otherAnswers(victim.pid) : rig.answers(victim.pid));
      t.equal((await injection.heal()).how, healed.how);
      t.equal(rig.inspect(victim) === null, deadly, 'only a deadly fault ends its victim');
    });

    await t.test('heal is harmless after the victim died', async (t) => {
      const victim = await rig.victim();
      const context = rig.context();
      const injection = await kind.inject(victim, read(), context);
      await injection.effect;
      context.kill(victim, 'SIGKILL');
      await victim.exited;
      t.not((await injection.heal()).how, 'healed');
      t.not((await injection.heal()).how, 'healed');
    });

    await t.test('inject into a dead victim is harmless and takes no effect', async (t) => {
      const victim = await rig.victim();
      rig.context().kill(victim, 'SIGKILL');
      await victim.exited;
      const injection = await kind.inject(victim, read(), rig.context());
      t.equal((await injection.effect).effective, false);
      t.not((await injection.heal()).how, 'healed');
    });

    await t.test('an abort ends it within 1 s', async (t) => {
      const victim = await rig.victim();
      const abort = new AbortController();
      const injection = await kind.inject(victim, read(), rig.context({ signal: abort.signal }));
      abort.abort();
      await withDeadline(injection.effect, 1000, 'the effect after the abort');
      await injection.heal();
      await (deadly ? rig.otherAnswers(victim.pid) : rig.answers(victim.pid));
      t.pass('the service is back');
    });

    await t.test('a run that already ended gets a prompt answer', async (t) => {
      const victim = await rig.victim();
      const context = rig.context({ signal: AbortSignal.abort() });
      const injection = await withDeadline(kind.inject(victim, read(), context), 1000, 'inject');
      await withDeadline(injection.effect, 1000, 'the effect');
      await injection.heal();
      await rig.otherAnswers(0);
      t.pass('the service is back');
    });
  });
}
