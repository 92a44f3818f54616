import type { z } from 'zod';
import type { Evidence } from '../model/journal.ts';
import type { Effect, FaultContext, FaultKind } from '../model/ports.ts';
import { poll } from '../runtime/wait.ts';
import { notInjected } from './agent-deed.ts';
import { faultParams } from './params.ts';
import { once, roundMs } from './until.ts';

/** A supervisor that waits longer than this with its first try has no crash loop. */
const FIRST_CRASH_MS = 10_000;
const LOOK_EVERY_MS = 20;
const SPAN_MS = 10_000;

const params = faultParams({});

/** Kills a worker, and lets every worker that is started to take its place crash at boot, until it is healed. */
export const crashLoop: FaultKind<z.infer<typeof params>> = {
  kind: 'crash-loop',
  summary: 'Kills a worker; all that is started in its place crashes at boot, before the app runs.',
  band: { light: '#cf222e', dark: '#ff7b72', label: 'crash loop' },
  needs: 'agent',
  outlivesVictims: true,
  params,
  async inject(victim, _params, context) {
    // First the flag: the supervisor may start the next worker within a few ms.
    const crashes = context.target.crashBoots(context.faultId);
    const atMs = context.clock.now();
    if (!context.kill(victim, 'SIGKILL')) {
      crashes.stop();
      return notInjected(atMs, `pid ${victim.pid} was already gone`);
    }
    return {
      atMs,
      effect: prove(() => crashes.seen(), context, atMs),
      heal: once(async () => {
        crashes.stop();
        return { how: 'healed', evidence: summary(crashes.seen()) };
      }),
    };
  },
};

async function prove(seen: () => readonly number[], context: FaultContext, atMs: number): Promise<Effect> {
  const first = await poll(() => seen()[0], {
    everyMs: LOOK_EVERY_MS,
    deadlineMs: FIRST_CRASH_MS,
    signal: context.signal,
  });
  if (first !== undefined) return { effective: true, evidence: { firstCrashMs: roundMs(first - atMs) } };
  const reason = context.signal.aborted
    ? 'the run ended before a boot had crashed'
    : `no worker was started in the place of the killed one within ${FIRST_CRASH_MS} ms`;
  return { effective: false, evidence: summary(seen()), reason };
}

function summary(times: readonly number[]): Evidence {
  return { crashes: times.length, crashesPer10s: mostWithin(times, SPAN_MS) };
}

/** The most of these sorted times that lie within any span of this length. */
function mostWithin(times: readonly number[], spanMs: number): number {
  let most = 0;
  let from = 0;
  for (const [index, atMs] of times.entries()) {
    while (atMs - (times[from] ?? atMs) >= spanMs) from++;
    most = Math.max(most, index - from + 1);
  }
  return most;
}
