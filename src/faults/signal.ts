import { z } from 'zod';
import { formatMs } from '../base/format.ts';
import type { Effect, FaultContext, FaultKind, Victim, WorkerView } from '../model/ports.ts';
import { poll } from '../runtime/wait.ts';
import { didYouMean, gotAllowed } from '../scenario/schema-parts.ts';
import { notInjected } from './agent-deed.ts';
import { faultParams, wholeOrNull } from './params.ts';
import { catchesSignal } from './signal-mask.ts';
import { isGone, once, roundMs } from './until.ts';

const SIGNALS = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTTIN', 'SIGTTOU'] as const;
const DEEDS = ['reload', 'scale'] as const;

const LOOK_EVERY_MS = 20;
/** The number of workers must stay what it was asked to be for this long: a supervisor that does too much shows. */
const STEADY_MS = 300;
const WITHIN_MS = 15_000;

const params = faultParams({
  signal: z
    .enum(SIGNALS, {
      error: ({ input }) => gotAllowed(input, SIGNALS.join(', ')) + didYouMean(input, SIGNALS),
    })
    .default('SIGHUP'),
  does: z
    .enum(DEEDS, {
      error: ({ input }) => gotAllowed(input, DEEDS.join(', ')) + didYouMean(input, DEEDS),
    })
    .default('reload'),
  by: wholeOrNull(-64, 64, 'a whole number from -64 to 64 that is not 0, or null').default(null),
  withinMs: z
    .int({ error: ({ input }) => gotAllowed(input, 'a whole number of ms from 100 to 600000') })
    .min(100, { error: ({ input }) => gotAllowed(input, 'a whole number of ms from 100 to 600000') })
    .max(600_000, { error: ({ input }) => gotAllowed(input, 'a whole number of ms from 100 to 600000') })
    .default(WITHIN_MS),
}).superRefine(({ does, by }, issues) => {
  if (does === 'scale' ? by !== null && by !== 0 : by === null) return;
  const allowed = does === 'scale' ? 'a number of workers that is not 0' : 'null with reload';
  issues.addIssue({ code: 'custom', path: ['by'], message: gotAllowed(by, allowed) });
});

type SignalParams = z.infer<typeof params>;

/**
 * Asks the supervisor, by a signal, to replace all its workers or to run more or fewer of them. That is no harm: what
 * goes wrong meanwhile is the supervisor's own doing.
 */
export const signal: FaultKind<SignalParams> = {
  kind: 'signal',
  summary: 'Sends a signal to the primary that asks it to reload, or to scale, and watches that it does.',
  band: { light: '#1a7f37', dark: '#3fb950', label: 'signal' },
  needs: 'process',
  params,
  inject(victim, wanted, context) {
    const startMs = context.clock.now();
    const problem = whyNot(victim, wanted);
    if (problem !== null) return Promise.resolve(notInjected(startMs, problem));
    const before = ready(context);
    // Before the signal: a quick supervisor has ended the first of them by the time that we look.
    const release =
      wanted.does === 'scale' && (wanted.by ?? 0) > 0
        ? () => {}
        : context.target.expectRetired(
            before.map(({ pid }) => pid),
            wanted.does === 'reload' ? 'replaced' : 'forGood',
          );
    const atMs = context.clock.now();
    if (!context.kill(victim, wanted.signal)) {
      release();
      return Promise.resolve(notInjected(atMs, `pid ${victim.pid} was already gone`));
    }
    const task: Task = { victim, wanted, context, before, atMs };
    return Promise.resolve({
      atMs,
      effect: (wanted.does === 'reload' ? reloaded(task) : scaled(task)).finally(release),
      heal: once(async () => {
        const facts = context.inspect(victim);
        if (isGone(facts)) return { how: 'victim-gone', evidence: {} };
        // SIGTTIN and SIGTTOU stop who does not expect them.
        if (facts?.state !== 'T') return { how: 'not-needed', evidence: {} };
        context.kill(victim, 'SIGCONT');
        return { how: 'healed', evidence: { continued: true } };
      }),
    });
  },
};

interface Task {
  readonly victim: Victim;
  readonly wanted: SignalParams;
  readonly context: FaultContext;
  readonly before: readonly WorkerView[];
  readonly atMs: number;
}

/** Why the signal would not ask for anything: it must not be a kill in disguise. */
function whyNot(victim: Victim, { signal: name }: SignalParams): string | null {
  if (victim.role !== 'primary') return 'a signal is for the primary: select: primary()';
  const caught = catchesSignal(victim.pid, name);
  if (caught === null) return `pid ${victim.pid} was already gone`;
  return caught ? null : `the primary does not listen for ${name}`;
}

function ready({ target }: FaultContext): readonly WorkerView[] {
  return target.workers().filter((worker) => worker.state === 'ready');
}

/** Every worker of before is gone, and as many that were started after the signal are ready. */
async function reloaded(task: Task): Promise<Effect> {
  const { wanted, context, before, atMs } = task;
  const gone = (): number => before.filter((worker) => isGone(context.inspect(worker))).length;
  const done = await poll(
    () => {
      if (isGone(context.inspect(task.victim))) return false;
      const now = ready(context);
      const fresh = now.filter((worker) => worker.spawnedAtMs >= atMs);
      const all = fresh.length === now.length && fresh.length >= before.length;
      return all && gone() === before.length ? true : undefined;
    },
    { everyMs: LOOK_EVERY_MS, deadlineMs: wanted.withinMs, signal: context.signal },
  );
  const evidence = { signal: wanted.signal, workers: before.length, replaced: gone() };
  if (done)
    return { effective: true, evidence: { ...evidence, doneMs: roundMs(context.clock.now() - atMs) } };
  const many = `${evidence.replaced} of ${before.length} workers had been replaced`;
  return { effective: false, evidence, reason: missed(task, done === false, many) };
}

/** The number of ready workers has changed by as much as was asked for; one signal a worker, one after the other. */
async function scaled(task: Task): Promise<Effect> {
  const { wanted, context, before, atMs } = task;
  const by = wanted.by ?? 0;
  const count = (): number => ready(context).length;
  const told = (): { signal: string; by: number; from: number; to: number } => ({
    signal: wanted.signal,
    by,
    from: before.length,
    to: count(),
  });
  for (let sent = 1; sent <= Math.abs(by); sent++) {
    // Signals of one name that wait together are one: each is sent once the last has been followed.
    if (sent > 1) context.kill(task.victim, wanted.signal);
    const want = before.length + sent * Math.sign(by);
    const leftMs = Math.max(0, wanted.withinMs - (context.clock.now() - atMs));
    const done = await staysAt(task, want, leftMs);
    if (done) continue;
    const many = `${count()} workers were ready in place of ${want}`;
    return { effective: false, evidence: told(), reason: missed(task, done === false, many) };
  }
  const doneMs = roundMs(context.clock.now() - atMs - STEADY_MS);
  return { effective: true, evidence: { ...told(), doneMs }, workersBy: by };
}

/** `false` if the primary ended, `undefined` at the deadline. */
function staysAt({ victim, context }: Task, want: number, deadlineMs: number): Promise<boolean | undefined> {
  let sinceMs: number | null = null;
  return poll(
    () => {
      if (isGone(context.inspect(victim))) return false;
      const nowMs = context.clock.now();
      sinceMs = ready(context).length === want ? (sinceMs ?? nowMs) : null;
      return sinceMs !== null && nowMs - sinceMs >= STEADY_MS ? true : undefined;
    },
    { everyMs: LOOK_EVERY_MS, deadlineMs, signal: context.signal },
  );
}

function missed({ wanted, context }: Task, primaryEnded: boolean, seen: string): string {
  if (context.signal.aborted) return 'the run ended before its effect was seen';
  if (primaryEnded) return `the primary ended on ${wanted.signal}, or soon after it`;
  return `${seen} ${formatMs(wanted.withinMs)} after ${wanted.signal}`;
}
