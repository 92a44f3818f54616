import t from 'tap';
import { z } from 'zod';
import type { HarnessClock, HarnessPorts, RunInput } from '../../dist/harness/ports.js';
import { runScenario } from '../../dist/harness/run-scenario.js';
import type { JournalEntry } from '../../dist/model/journal.js';
import type { PlannedFault } from '../../dist/model/plan.js';
import type { FaultKind, LoadProgress, ProcessExit, TargetHandle } from '../../dist/model/ports.js';
import type { Scenario } from '../../dist/model/scenario.js';

/** Time that passes only when everybody waits. */
function virtualClock(): HarnessClock {
  let now = 0;
  const waiting: { at: number; wake: () => void }[] = [];
  let turning = false;
  const turn = (): void => {
    if (turning) return;
    turning = true;
    // All work that can go on goes on first; then the next waiter is due.
    setImmediate(() => {
      turning = false;
      waiting.sort((a, b) => a.at - b.at);
      const next = waiting.shift();
      if (!next) return;
      now = Math.max(now, next.at);
      next.wake();
      if (waiting.length > 0) turn();
    });
  };
  const until = (at: number, signal?: AbortSignal): Promise<void> =>
    new Promise((wake) => {
      if (signal?.aborted) return wake();
      const waiter = { at, wake };
      waiting.push(waiter);
      signal?.addEventListener('abort', () => {
        const index = waiting.indexOf(waiter);
        if (index >= 0) waiting.splice(index, 1);
        wake();
      });
      turn();
    });
  return { zeroMs: 0, now: () => now, sleep: (ms, signal) => until(now + ms, signal), until };
}

const SCENARIO: Scenario = {
  name: 'fake',
  description: '',
  seed: null,
  target: {
    command: 'x',
    cwd: '/',
    env: {},
    url: null,
    workers: 2,
    readyTimeoutMs: 1000,
    stopGraceMs: 1000,
    agent: true,
  },
  load: {
    mode: 'open',
    ratePerSecond: 100,
    connections: 2,
    freshShare: 0.5,
    timeoutMs: 1000,
    requests: [
      { method: 'GET', path: '/', headers: {}, body: null, weight: 1, expectStatus: null, expectBody: null },
    ],
  },
  phases: { warmupMs: 1000, baselineMs: 2000, chaosMs: 5000, settleMs: 3000, recoveryMs: 2000 },
  faults: [],
  objectives: [],
};

interface World {
  readonly events: (JournalEntry & { readonly at: number })[];
  readonly log: string[];
  readonly input: RunInput;
  readonly ports: HarnessPorts;
  readonly abort: AbortController;
}

interface Options {
  readonly faults?: readonly PlannedFault[];
  readonly inject?: FaultKind['inject'];
  readonly steady?: (phase: string) => { proven: boolean; reason: string };
  readonly ready?: () => Promise<never>;
  readonly workers?: () => ReturnType<TargetHandle['workers']>;
  readonly stop?: TargetHandle['stop'];
  readonly ended?: Promise<ProcessExit>;
}

function world(options: Options = {}): World {
  const clock = virtualClock();
  const events: World['events'] = [];
  const log: string[] = [];
  const abort = new AbortController();
  const never = new Promise<never>(() => {});
  const workers = (): ReturnType<TargetHandle['workers']> =>
    [1, 2].map((slot) => ({
      slot,
      generation: 1,
      pid: 100 + slot,
      startTime: '1',
      state: 'ready' as const,
      spawnedAtMs: 0,
      agent: null,
    }));
  const kind: FaultKind = {
    kind: 'fake',
    summary: '',
    band: { light: '', dark: '', label: '' },
    needs: 'process',
    params: z.object({}),
    inject:
      options.inject ??
      (async (victim) => {
        log.push(`inject ${victim.slot} at ${clock.now()}`);
        return {
          atMs: clock.now(),
          effect: Promise.resolve({ effective: true, evidence: { proof: true } }),
          heal: async () => {
            log.push(`heal ${victim.slot} at ${clock.now()}`);
            return { how: 'healed', evidence: {} };
          },
        };
      }),
  };
  const target: TargetHandle = {
    ready: options.ready ?? (async () => ({ origin: 'http://x', workers: 2, visibility: 'agent' })),
    workers: options.workers ?? workers,
    primary: () => null,
    expectExit: (pid, faultId) => log.push(`expect ${pid} ${faultId}`),
    expectRetired: () => () => {},
    crashBoots: () => ({ seen: () => [], stop: () => {} }),
    announceRestart: () => {},
    orphans: async () => ({ processes: [], portHeld: false }),
    restart: async () => ({ pid: 1, startTime: '1' }),
    exited: () => never,
    ended: options.ended ?? never,
    stop:
      options.stop ??
      (async () => {
        log.push('target stopped');
        return { processes: [], ports: [], stuck: [] };
      }),
  };
  const plan = {
    version: 1,
    scenario: 'fake',
    seed: '1',
    workers: 2,
    chaosMs: 5000,
    faults: options.faults ?? [],
    hash: '',
  } as const;
  const ports: HarnessPorts = {
    clock,
    record: (entry, at = clock.now()) => events.push({ ...entry, at }),
    target: { start: async () => target },
    load: {
      start: async (_spec, { onProgress }) => {
        const progress: LoadProgress = { atMs: 0, ok: 100, failed: 0, inFlight: 0, backlog: 0, p99Ms: 1 };
        onProgress(progress);
        return {
          pid: 1,
          setRate: () => {},
          flush: async () => {},
          stop: async () => {
            log.push('load stopped');
            return { rows: 1, dropped: 0, rssBytesMax: 1 };
          },
          failed: never,
        };
      },
    },
    faultKind: () => kind,
    guardian: { addStopped() {}, removeStopped() {}, track() {}, setGroup() {}, release: async () => {} },
    processes: { signal: () => true, inspect: () => null },
    steadyState: options.steady ?? (() => ({ proven: true, reason: 'fine' })),
    exactTimers: () => {},
    onProgress: () => {},
    targetContext: { privateDir: '', logFile: '', runId: '' },
    loadContext: { samplesFile: '' },
  };
  const input = { scenario: SCENARIO, plan, replan: () => plan, cpus: 2, signal: abort.signal };
  return { events, log, input, ports, abort };
}

function fault(over: Partial<PlannedFault> = {}): PlannedFault {
  return {
    id: 'f-1',
    name: 'f',
    kind: 'fake',
    params: {},
    atMs: 1000,
    holdMs: null,
    victims: { by: 'slots', slots: [1] },
    expect: 'replaced',
    ...over,
  };
}

t.test('the phases come in order, then load and target are stopped, in this order', async (t) => {
  const w = world({ faults: [fault()] });
  const { outcome } = await runScenario(w.input, w.ports);
  t.equal(outcome.type, 'completed');
  const phases = w.events.flatMap((event) => (event.type === 'phase.start' ? [event.phase] : []));
  t.same(phases, ['warmup', 'baseline', 'chaos', 'settle', 'recovery']);
  t.same(w.log, ['expect 101 f-1', 'inject 1 at 4000', 'heal 1 at 4000', 'load stopped', 'target stopped']);
  t.equal(w.events.at(-1)?.type, 'run.end');
});

t.test('without a proven baseline no fault is injected, and it is tried three times', async (t) => {
  const w = world({ faults: [fault()], steady: () => ({ proven: false, reason: '10 of 100 failed' }) });
  const { outcome } = await runScenario(w.input, w.ports);
  t.equal(outcome.type, 'unhealthy');
  t.match(outcome.reason, /10 of 100 failed/);
  t.equal(w.events.filter((event) => event.type === 'phase.start' && event.phase === 'baseline').length, 3);
  t.notOk(w.events.some((event) => event.type === 'fault.inject'));
  t.ok(w.log.includes('target stopped'));
});

t.test('a held fault is healed once, at the end of its hold or of the chaos phase', async (t) => {
  const w = world({
    faults: [
      fault({ holdMs: 1500 }),
      fault({ id: 'f-2', atMs: 4500, holdMs: 60_000, victims: { by: 'slots', slots: [2] } }),
    ],
  });
  await runScenario(w.input, w.ports);
  t.same(
    w.log.filter((line) => line.startsWith('heal')),
    ['heal 1 at 5500', 'heal 2 at 8000'],
  );
});

t.test('an interrupt in the chaos phase heals, stops load and target, and ends', async (t) => {
  const w = world({ faults: [fault({ holdMs: 60_000 })] });
  const inject = w.ports.record;
  const ports: HarnessPorts = {
    ...w.ports,
    record(entry, at) {
      inject(entry, at);
      if (entry.type === 'fault.effect') w.abort.abort();
    },
  };
  const { outcome } = await runScenario(w.input, ports);
  t.equal(outcome.type, 'interrupted');
  t.same(w.log.slice(-3), ['heal 1 at 4000', 'load stopped', 'target stopped']);
});

t.test('a fault that cannot be injected is recorded, and the run goes on', async (t) => {
  const w = world({
    faults: [fault()],
    inject: async () => {
      throw new Error('no agent');
    },
  });
  const { outcome } = await runScenario(w.input, w.ports);
  t.equal(outcome.type, 'completed');
  t.ok(w.events.some((event) => event.type === 'fault.error' && event.message === 'no agent'));
});

t.test(
  'a slot whose worker is not ready gives way to the next ready one; without any, the fault says so',
  async (t) => {
    const view = (state: 'ready' | 'gone') => () =>
      [1, 2].map((slot) => ({
        slot,
        generation: 1,
        pid: 100 + slot,
        startTime: '1',
        state: slot === 1 ? ('gone' as const) : state,
        spawnedAtMs: 0,
        agent: null,
      }));
    const next = world({ faults: [fault()], workers: view('ready') });
    await runScenario(next.input, next.ports);
    t.ok(next.log.includes('inject 2 at 4000'));
    const none = world({ faults: [fault()], workers: view('gone') });
    await runScenario(none.input, none.ports);
    t.ok(none.events.some((event) => event.type === 'fault.error' && /no ready worker/.test(event.message)));
  },
);

t.test('a heal that fails is told, and everything is stopped all the same', async (t) => {
  const w = world({
    faults: [fault({ holdMs: 100 })],
    inject: async () => ({
      atMs: 4000,
      effect: Promise.resolve({ effective: true, evidence: {} }),
      heal: async () => {
        throw new Error('EPERM');
      },
    }),
  });
  const { unhealed } = await runScenario(w.input, w.ports);
  t.same(unhealed, ['f-1']);
  t.ok(w.log.includes('target stopped'));
});

t.test('a target that ends by itself ends the run, with its exit on record', async (t) => {
  const w = world({
    faults: [fault({ atMs: 4000 })],
    ended: Promise.resolve({ code: 1, signal: null, atMs: 0 }),
  });
  const { outcome } = await runScenario(w.input, w.ports);
  t.match(outcome, { reason: /ended before the run did/ });
  t.notOk(w.events.some((event) => event.type === 'fault.inject'));
  t.ok(w.log.includes('target stopped'));
});

t.test('a harness error stops everything and is told', async (t) => {
  const w = world({ ready: () => Promise.reject(new TypeError('boom')) });
  const { outcome } = await runScenario(w.input, w.ports);
  t.match(outcome, { type: 'error', reason: 'boom' });
  t.ok(w.log.includes('target stopped'));
});
