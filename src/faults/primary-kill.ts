import { z } from 'zod';
import type { Evidence } from '../model/journal.ts';
import type { Effect, FaultContext, FaultKind, Orphans, Victim } from '../model/ports.ts';
import { poll } from '../runtime/wait.ts';
import { gotAllowed } from '../scenario/schema-parts.ts';
import { notInjected } from './agent-deed.ts';
import { faultParams } from './params.ts';
import { isGone, once, roundMs, until } from './until.ts';

/** The kernel ends a killed process in ms; a gigabyte to give back takes some hundred. */
const EXIT_DEADLINE_MS = 2000;
const LOOK_EVERY_MS = 20;
/** Workers of plain node:cluster are gone within this time of their primary (measured). */
const WITHIN_MS = 2000;
const NAMED_MAX = 8;

const within = 'a whole number of ms from 0 to 60000';
const params = faultParams({
  withinMs: z
    .int({ error: ({ input }) => gotAllowed(input, within) })
    .min(0, { error: ({ input }) => gotAllowed(input, within) })
    .max(60_000, { error: ({ input }) => gotAllowed(input, within) })
    .default(WITHIN_MS),
});

/**
 * Kills the primary, watches that its workers go and its port comes free within the bound, and then does what systemd
 * or Docker do: ends what is left, and starts the same command again.
 */
export const primaryKill: FaultKind<z.infer<typeof params>> = {
  kind: 'primary-kill',
  summary:
    'Kills the primary; once its workers are gone, or had the time to go, the server is started again.',
  band: { light: '#9a6700', dark: '#d29922', label: 'primary kill' },
  needs: 'process',
  // With a hold, the server stays down for that long.
  outlivesVictims: true,
  params,
  async inject(victim, { withinMs }, context) {
    const nowMs = context.clock.now();
    if (victim.role !== 'primary') {
      return notInjected(nowMs, 'this is for the primary: select: primary()');
    }
    if (isGone(context.inspect(victim))) return notInjected(nowMs, `pid ${victim.pid} was already gone`);
    context.target.announceRestart();
    const atMs = context.clock.now();
    const sent = context.kill(victim, 'SIGKILL');
    if (!sent) return notInjected(atMs, `pid ${victim.pid} was already gone`);
    const effect = prove(victim, withinMs, { context, atMs });
    return {
      atMs,
      effect,
      heal: once(async () => {
        // What is left is seen first: the restart ends it.
        await effect;
        if (context.signal.aborted || !isGone(context.inspect(victim))) {
          return { how: 'not-needed', evidence: {} };
        }
        const { pid } = await context.target.restart(context.faultId);
        return { how: 'healed', evidence: { restartedAs: pid, downMs: roundMs(context.clock.now() - atMs) } };
      }),
    };
  },
};

async function prove(
  victim: Victim,
  withinMs: number,
  { context, atMs }: { readonly context: FaultContext; readonly atMs: number },
): Promise<Effect> {
  const { signal, clock } = context;
  const waited = await until(victim.exited, { deadlineMs: EXIT_DEADLINE_MS, signal });
  if (waited.how !== 'done') {
    const reason =
      waited.how === 'aborted'
        ? 'the run ended before the exit was seen'
        : `pid ${victim.pid} did not exit within ${EXIT_DEADLINE_MS} ms`;
    return { effective: false, evidence: {}, reason };
  }
  let left = await context.target.orphans();
  const leftMs = (): number => Math.max(0, withinMs - (clock.now() - atMs));
  await poll(
    async () => {
      left = await context.target.orphans();
      return left.processes.length === 0 && !left.portHeld ? true : undefined;
    },
    { everyMs: LOOK_EVERY_MS, deadlineMs: leftMs(), signal },
  );
  const exitMs = roundMs(waited.value.atMs - atMs);
  return { effective: true, evidence: { exitMs, withinMs, ...describe(left, roundMs(clock.now() - atMs)) } };
}

/** `goneMs`: when nothing was left, `null` if something was. */
function describe({ processes, portHeld }: Orphans, nowMs: number): Evidence {
  const pids = processes.slice(0, NAMED_MAX).map(({ pid }) => pid);
  return {
    goneMs: processes.length === 0 && !portHeld ? nowMs : null,
    orphans: processes.length,
    orphanPids: pids.length === 0 ? null : pids.join(', '),
    portHeld,
  };
}
