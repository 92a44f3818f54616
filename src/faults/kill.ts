import { z } from 'zod';
import { unreachable } from '../base/errors.ts';
import type { Evidence } from '../model/journal.ts';
import type { Effect, FaultContext, FaultKind, ProcessExit, Victim } from '../model/ports.ts';
import { didYouMean, gotAllowed } from '../scenario/schema-parts.ts';
import { doByAgent, notInjected } from './agent-deed.ts';
import { faultParams, wholeOrNull } from './params.ts';
import { roundMs, until } from './until.ts';

const WAYS = ['SIGKILL', 'SIGTERM', 'exit', 'uncaught'] as const;
type Way = (typeof WAYS)[number];

/** The kernel ends a killed process in ms; a gigabyte to give back takes some hundred. */
const SIGKILL_DEADLINE_MS = 2000;
/** A worker that drains on SIGTERM, or writes a report on an uncaught exception, needs a while. */
const EXIT_DEADLINE_MS = 10_000;

const params = faultParams({
  signal: z
    .enum(WAYS, {
      error: ({ input }) => gotAllowed(input, WAYS.join(', ')) + didYouMean(input, WAYS),
    })
    .default('SIGKILL'),
  code: wholeOrNull(0, 255, 'an exit code from 0 to 255, or null').default(null),
}).superRefine(({ signal, code }, issues) => {
  if (code === null || signal === 'exit') return;
  issues.addIssue({ code: 'custom', path: ['code'], message: gotAllowed(code, `null with ${signal}`) });
});

type KillParams = z.infer<typeof params>;

/** Ends the victim: by a signal, by `process.exit`, or by an uncaught exception. */
export const kill: FaultKind<KillParams> = {
  kind: 'kill',
  summary: 'Ends a process: SIGKILL, SIGTERM, process.exit with a code, or an uncaught exception.',
  band: { light: '#bf3989', dark: '#f778ba', label: 'kill' },
  needs: 'process',
  params,
  async inject(victim, wanted, context) {
    const shot = await shoot(victim, wanted, context);
    if (!shot.sent) return notInjected(shot.atMs, `pid ${victim.pid} was already gone`);
    return {
      atMs: shot.atMs,
      effect: prove(victim, wanted, context, shot),
      // What is dead is not brought back by us: that is the supervisor's task, and the point.
      heal: () => Promise.resolve({ how: 'not-needed', evidence: {} }),
    };
  },
};

interface Shot {
  readonly sent: boolean;
  readonly atMs: number;
  /** What was really done: SIGKILL where no agent could do what was asked. */
  readonly way: Way;
  readonly evidence: Evidence;
}

async function shoot(victim: Victim, wanted: KillParams, context: FaultContext): Promise<Shot> {
  const { signal: way } = wanted;
  const bySignal = (signal: 'SIGKILL' | 'SIGTERM', evidence: Evidence): Shot => {
    const atMs = context.clock.now();
    return { sent: context.kill(victim, signal), atMs, way: signal, evidence };
  };
  if (way === 'SIGKILL' || way === 'SIGTERM') return bySignal(way, {});
  const command =
    way === 'exit' ? { name: 'exit', params: { code: wanted.code ?? 1 } } : { name: 'throw', params: {} };
  const deed = await doByAgent(victim, context, command);
  if (deed.done) return { sent: true, atMs: deed.atMs, way, evidence: {} };
  return bySignal('SIGKILL', { degraded: true, degradedBecause: deed.reason });
}

async function prove(victim: Victim, wanted: KillParams, context: FaultContext, shot: Shot): Promise<Effect> {
  const deadlineMs = shot.way === 'SIGKILL' ? SIGKILL_DEADLINE_MS : EXIT_DEADLINE_MS;
  const waited = await until(victim.exited, { deadlineMs, signal: context.signal });
  const asked = { asked: wanted.signal, ...shot.evidence };
  if (waited.how !== 'done') {
    const reason =
      waited.how === 'aborted'
        ? 'the run ended before the exit was seen'
        : `pid ${victim.pid} did not exit within ${deadlineMs} ms`;
    return { effective: false, evidence: asked, reason };
  }
  const exit = waited.value;
  const evidence = {
    ...asked,
    code: exit.code,
    signal: exit.signal,
    exitMs: roundMs(exit.atMs - shot.atMs),
    asAsked: asAsked(exit, shot.way, wanted),
  };
  return { effective: true, evidence };
}

/** Whether the exit looks like what was done; `null` where nobody saw code and signal. */
function asAsked(exit: ProcessExit, way: Way, { code }: KillParams): boolean | null {
  if (exit.code === null && exit.signal === null) return null;
  switch (way) {
    case 'SIGKILL':
      return exit.signal === 'SIGKILL';
    case 'SIGTERM':
      // Ended by it, or in an orderly way because of it.
      return exit.signal === 'SIGTERM' || exit.code !== null;
    case 'exit':
      return exit.code === (code ?? 1);
    case 'uncaught':
      return exit.code !== null && exit.code !== 0;
    default:
      return unreachable(way);
  }
}
