import { z } from 'zod';
import { formatBytes } from '../base/format.ts';
import type { Evidence } from '../model/journal.ts';
import type { FaultContext, FaultKind, Victim } from '../model/ports.ts';
import { poll } from '../runtime/wait.ts';
import { didYouMean, gotAllowed } from '../scenario/schema-parts.ts';
import { agentFaultId, doByAgent, healByAgent, notInjected } from './agent-deed.ts';
import { createMemoryGauge, type MemoryGauge } from './memory-gauge.ts';
import { faultParams, wholeOrNull } from './params.ts';
import { isGone, once } from './until.ts';

const PLACES = ['heap', 'off-heap'] as const;

/** Near its limit a heap of gigabytes is collected again and again, seconds each time, before a word is heard. */
const HEAL_DEADLINE_MS = 10_000;
/** V8 gives freed pages back to the system from a thread of its own, some 100 ms after the collection. */
const SHRINK_DEADLINE_MS = 800;
const SHRINK_LOOK_MS = 20;

const params = faultParams({
  where: z
    .enum(PLACES, {
      error: ({ input }) => gotAllowed(input, PLACES.join(', ')) + didYouMean(input, PLACES),
    })
    .default('heap'),
  bytes: wholeOrNull(
    1,
    2 ** 40,
    'a whole number of bytes from 1 to 2^40, or null for "to the limit of the heap"',
  ),
}).superRefine(({ where, bytes }, issues) => {
  if (where === 'heap' || bytes !== null) return;
  const message = gotAllowed(bytes, 'a number of bytes: memory outside of the heap has no limit of its own');
  issues.addIssue({ code: 'custom', path: ['bytes'], message });
});

/** Makes the victim's memory grow and keeps it: by an amount, or until V8 gives up and the process dies. */
export const memorySpike: FaultKind<z.infer<typeof params>> = {
  kind: 'memory-spike',
  summary: 'Retains memory, on the V8 heap or outside of it: by an amount, or to the limit of the heap.',
  band: { light: '#8250df', dark: '#bc8cff', label: 'memory spike' },
  needs: 'agent',
  params,
  async inject(victim, { where, bytes }, context) {
    const gauge = createMemoryGauge(victim, context);
    const id = agentFaultId(victim, context);
    const command =
      where === 'heap'
        ? { name: 'heap-spike', params: { id, bytes } }
        : { name: 'off-heap-spike', params: { id, bytes, touched: true } };
    const deed = await doByAgent(victim, context, command);
    if (!deed.done && deed.never) return notInjected(deed.atMs, deed.reason);
    if (deed.done) gauge.begin(deed.evidence);
    const healing = new AbortController();
    return {
      atMs: deed.atMs,
      effect: deed.done
        ? gauge.prove(bytes, AbortSignal.any([context.signal, healing.signal]))
        : Promise.resolve({ effective: false, evidence: gauge.evidence(), reason: deed.reason }),
      heal: once(async () => {
        gauge.look();
        healing.abort();
        const released = await healByAgent(victim, context, HEAL_DEADLINE_MS);
        if (released === null) return { how: 'victim-gone', evidence: gauge.evidence() };
        return {
          how: 'healed',
          evidence: { ...gauge.evidence(), ...(await after(victim, context, gauge, released)) },
        };
      }),
    };
  },
};

/** What is left of the spike once the agent dropped it: waits until most of it went back to the system. */
async function after(
  victim: Victim,
  context: FaultContext,
  gauge: MemoryGauge,
  released: Evidence,
): Promise<Evidence> {
  let rssAfterBytes: number | null = null;
  await poll(
    () => {
      const facts = context.inspect(victim);
      if (facts === null || isGone(facts)) return true;
      rssAfterBytes = facts.rssBytes;
      return rssAfterBytes <= gauge.mostlyGoneBytes() ? true : undefined;
    },
    { everyMs: SHRINK_LOOK_MS, deadlineMs: SHRINK_DEADLINE_MS },
  );
  const { heapUsedBytes = null, freedBytes = null } = released;
  const freed = typeof freedBytes === 'number' ? formatBytes(freedBytes) : null;
  return { rssAfterBytes, heapUsedAfterBytes: heapUsedBytes, freed };
}
