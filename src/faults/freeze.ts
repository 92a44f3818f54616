import type { z } from 'zod';
import { ChaosError } from '../base/errors.ts';
import type { Effect, FaultContext, FaultKind, Victim } from '../model/ports.ts';
import { poll } from '../runtime/wait.ts';
import { notInjected } from './agent-deed.ts';
import { faultParams } from './params.ts';
import { isGone, once, roundMs } from './until.ts';

/** Stopping takes a thread no longer than to leave the kernel; one in uninterruptible sleep a little. */
const STOP_DEADLINE_MS = 2000;
const CONTINUE_DEADLINE_MS = 2000;
const LOOK_EVERY_MS = 2;

const params = faultParams({});

/** Stops the victim's process with SIGSTOP, and continues it with SIGCONT. */
export const freeze: FaultKind<z.infer<typeof params>> = {
  kind: 'freeze',
  summary: 'Stops a process (SIGSTOP), so that it is alive, keeps its sockets and does nothing.',
  band: { light: '#0969da', dark: '#58a6ff', label: 'freeze' },
  needs: 'process',
  params,
  inject(victim, _params, context) {
    // Before the stop: should we die in between, the guardian continues a process that is not stopped, harmlessly.
    context.guardian.addStopped(victim);
    const atMs = context.clock.now();
    if (!context.kill(victim, 'SIGSTOP')) {
      context.guardian.removeStopped(victim);
      return Promise.resolve(notInjected(atMs, `pid ${victim.pid} was already gone`));
    }
    return Promise.resolve({
      atMs,
      effect: prove(victim, context, atMs),
      heal: once(() => thaw(victim, context, atMs)),
    });
  },
};

async function prove(victim: Victim, context: FaultContext, atMs: number): Promise<Effect> {
  const state = await poll(
    () => {
      const facts = context.inspect(victim);
      if (facts === null || isGone(facts)) return 'gone';
      return facts.state === 'T' ? facts.state : undefined;
    },
    { everyMs: LOOK_EVERY_MS, deadlineMs: STOP_DEADLINE_MS, signal: context.signal },
  );
  const seenMs = roundMs(context.clock.now() - atMs);
  if (state === 'T') return { effective: true, evidence: { state, stoppedMs: seenMs } };
  const reason = state === 'gone' ? 'the victim ended before it stopped' : 'the victim was not seen stopped';
  return { effective: false, evidence: { state: context.inspect(victim)?.state ?? null }, reason };
}

async function thaw(
  victim: Victim,
  context: FaultContext,
  atMs: number,
): Promise<Awaited<ReturnType<Awaited<ReturnType<typeof freeze.inject>>['heal']>>> {
  const heldMs = roundMs(context.clock.now() - atMs);
  const sent = context.kill(victim, 'SIGCONT');
  const state = await poll(
    () => {
      const facts = context.inspect(victim);
      if (!sent || facts === null || isGone(facts)) return 'gone';
      return facts.state === 'T' ? undefined : facts.state;
    },
    { everyMs: LOOK_EVERY_MS, deadlineMs: CONTINUE_DEADLINE_MS },
  );
  if (state === undefined) {
    throw new ChaosError('leftover', `pid ${victim.pid} is still stopped after SIGCONT`);
  }
  context.guardian.removeStopped(victim);
  return state === 'gone'
    ? { how: 'victim-gone', evidence: { heldMs } }
    : { how: 'healed', evidence: { heldMs, state } };
}
