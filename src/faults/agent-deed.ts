import { ChaosError, messageOf } from '../base/errors.ts';
import type { Evidence } from '../model/journal.ts';
import type { FaultContext, Injection, Victim } from '../model/ports.ts';
import { isGone, until } from './until.ts';

/** The agent's main part answers within ms, unless the main thread is already held by something else. */
export const AGENT_DEADLINE_MS = 2000;
/** After a line closed: until the process table shows the death that closed it. */
const DEATH_CONFIRM_MS = 1000;

/** What came of asking the agent to do something. */
export type Deed =
  | { readonly done: true; readonly atMs: number; readonly evidence: Evidence }
  /** `never`: the agent refused; otherwise it may yet get to it, and must be told to heal. */
  | { readonly done: false; readonly atMs: number; readonly reason: string; readonly never: boolean };

/** Has the agent do it; `atMs` is the agent's own time of the deed, on the run's clock, or now where it told none. */
export async function doByAgent(
  victim: Victim,
  { clock, signal }: FaultContext,
  command: { readonly name: string; readonly params: Evidence },
): Promise<Deed> {
  const askedAtMs = clock.now();
  const fail = (reason: string, never = false): Deed => ({ done: false, atMs: askedAtMs, reason, never });
  if (victim.agent === null) return fail(`there is no agent in pid ${victim.pid}`, true);
  const answer = victim.agent.command(command.name, command.params, AGENT_DEADLINE_MS);
  const waited = await until(answer, { deadlineMs: AGENT_DEADLINE_MS, signal });
  if (waited.how === 'failed') return fail(messageOf(waited.error));
  if (waited.how !== 'done') return fail(`${command.name}: ${waited.how} before the agent answered`);
  const evidence = waited.value;
  if (typeof evidence['refused'] === 'string') return fail(evidence['refused'], true);
  const atMs = typeof evidence['atMs'] === 'number' ? evidence['atMs'] - clock.zeroMs : askedAtMs;
  return { done: true, atMs, evidence };
}

/** The name under which the agent keeps this fault of this victim. */
export function agentFaultId(victim: Victim, context: FaultContext): string {
  return `${context.faultId}/${victim.pid}`;
}

/**
 * Has the agent heal the fault.
 * @returns what the agent measured, or `null` when the victim is gone
 * @throws ChaosError 'leftover' if the victim lives and its agent does not answer
 */
export async function healByAgent(
  victim: Victim,
  context: FaultContext,
  deadlineMs: number,
): Promise<Evidence | null> {
  const gone = (): boolean => isGone(context.inspect(victim));
  if (victim.agent === null || gone()) return null;
  const answer = victim.agent.command('heal', { id: agentFaultId(victim, context) }, deadlineMs);
  // No abort here: healing is what an aborted run still has to do.
  const waited = await until(answer, { deadlineMs, signal: null });
  if (waited.how === 'done') return waited.value;
  // The line closes some ms before the process table shows the death.
  await until(victim.exited, { deadlineMs: DEATH_CONFIRM_MS, signal: null });
  if (gone()) return null;
  const why = waited.how === 'failed' ? messageOf(waited.error) : `no answer within ${deadlineMs} ms`;
  throw new ChaosError('leftover', `${context.faultId} could not be healed in pid ${victim.pid}: ${why}`);
}

/** An injection that did not come about: nothing to prove, nothing to heal. */
export function notInjected(atMs: number, reason: string): Injection {
  return {
    atMs,
    effect: Promise.resolve({ effective: false, evidence: {}, reason }),
    heal: () => Promise.resolve({ how: 'not-needed', evidence: {} }),
  };
}
