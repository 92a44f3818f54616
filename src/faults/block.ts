import { z } from 'zod';
import { messageOf } from '../base/errors.ts';
import type { Evidence } from '../model/journal.ts';
import type { Effect, FaultContext, FaultKind, Victim } from '../model/ports.ts';
import { didYouMean, gotAllowed } from '../scenario/schema-parts.ts';
import { AGENT_DEADLINE_MS, agentFaultId, doByAgent, healByAgent, notInjected } from './agent-deed.ts';
import { faultParams } from './params.ts';
import { once, until } from './until.ts';

const MODES = ['busy', 'idle'] as const;

/** A main loop that has not heard a word for this long does not run: no healthy server's turn takes so long. */
const PROOF_MS = 100;
/** Timers of the control thread may fire a little early. */
const PROOF_WAIT_MS = PROOF_MS + 5;
/** After the release: until the main loop has taken up its work again. */
const ANSWER_DEADLINE_MS = 2000;

const params = faultParams({
  mode: z
    .enum(MODES, {
      error: ({ input }) => gotAllowed(input, MODES.join(', ')) + didYouMean(input, MODES),
    })
    .default('busy'),
});

/** Holds the victim's main thread, in a busy loop or asleep, until it is healed. */
export const block: FaultKind<z.infer<typeof params>> = {
  kind: 'block',
  summary: 'Blocks the event loop: busy burns a core, idle sleeps as in a deadlock. Signals still work.',
  band: { light: '#bc4c00', dark: '#f0883e', label: 'event-loop block' },
  needs: 'agent',
  params,
  async inject(victim, { mode }, context) {
    const id = agentFaultId(victim, context);
    const command = { name: 'block', params: { id, idle: mode === 'idle', forMs: null } };
    const deed = await doByAgent(victim, context, command);
    if (!deed.done && deed.never) return notInjected(deed.atMs, deed.reason);
    // Set when healing began: then the proof is what the main thread itself measured.
    let healed: Promise<Evidence> | null = null;
    const prove = async (): Promise<Effect> => {
      const pinged = await ping(victim, context, mode);
      return pinged.effective || healed === null ? pinged : proveByHeal(await healed, mode);
    };
    return {
      atMs: deed.atMs,
      effect: deed.done
        ? prove()
        : Promise.resolve({ effective: false, evidence: { mode }, reason: deed.reason }),
      // Also when the agent did not answer in time: it may yet get to it.
      heal: once(async () => {
        const released = healByAgent(victim, context, AGENT_DEADLINE_MS);
        healed = released.then(blockedOf, () => ({}));
        const evidence = blockedOf(await released);
        if ((await released) === null) return { how: 'victim-gone', evidence };
        return { how: 'healed', evidence: { ...evidence, ...(await mainAnswers(victim)) } };
      }),
    };
  },
};

function blockedOf(released: Evidence | null): Evidence {
  return released === null ? {} : { blockedMs: released['blockedMs'] ?? null };
}

/** Asks the control thread whether the main loop runs. */
async function ping(victim: Victim, { signal }: FaultContext, mode: string): Promise<Effect> {
  const asked =
    victim.agent?.command('ping-main', { waitMs: PROOF_WAIT_MS }) ?? Promise.reject(new Error('no agent'));
  const waited = await until(asked, { deadlineMs: AGENT_DEADLINE_MS, signal });
  if (waited.how !== 'done') {
    const why = waited.how === 'failed' ? messageOf(waited.error) : waited.how;
    return { effective: false, evidence: { mode }, reason: `the block could not be measured: ${why}` };
  }
  const { answered = null, unansweredMs, delayMs } = waited.value;
  const silentMs = unansweredMs ?? delayMs ?? 0;
  const evidence = { mode, answered, silentMs };
  if (typeof silentMs === 'number' && silentMs >= PROOF_MS) return { effective: true, evidence };
  return { effective: false, evidence, reason: `the main loop answered after ${silentMs} ms` };
}

/** Healed before the ping could tell: the main thread knows how long it was held. */
function proveByHeal({ blockedMs = null }: Evidence, mode: string): Effect {
  const evidence = { mode, blockedMs };
  return typeof blockedMs === 'number' && blockedMs > 0
    ? { effective: true, evidence }
    : { effective: false, evidence, reason: 'the block was healed before it began' };
}

async function mainAnswers(victim: Victim): Promise<Evidence> {
  const waitMs = ANSWER_DEADLINE_MS;
  const asked = victim.agent?.command('ping-main', { waitMs }, 2 * waitMs) ?? Promise.resolve({});
  const waited = await until<Evidence>(asked, { deadlineMs: 2 * waitMs, signal: null });
  return waited.how === 'done' ? { answered: waited.value['answered'] ?? null } : { answered: false };
}
