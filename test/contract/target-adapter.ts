import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { JournalEntry } from '../../dist/model/journal.js';
import type { Guardian, RunClock, TargetAdapter, TargetHandle } from '../../dist/model/ports.js';
import type { TargetSpec } from '../../dist/model/scenario.js';
import { runClock } from '../../dist/runtime/clock.js';
import { isListening } from '../../dist/runtime/free-port.js';
import { startGuardian } from '../../dist/runtime/guardian.js';
import { isDead, processesOfRun, signalProcess } from '../../dist/runtime/process-table.js';
import '../support/bare-children.ts';

/** Command lines that the suite starts through the adapter. */
export interface TargetCommands {
  /** Reforks a worker that ends. */
  readonly healthy: string;
  /** Prints something and ends before it listens. */
  readonly crashes: string;
  /** Runs, and never listens. */
  readonly silent: string;
}

export interface StartedTarget {
  readonly handle: TargetHandle;
  readonly events: readonly JournalEntry[];
  readonly runId: string;
  readonly clock: RunClock;
  readonly guardian: Guardian;
  readonly stop: () => ReturnType<TargetHandle['stop']>;
}

let runs = 0;

/** Starts a target as a run does, with everything cleaned up at the end of the test. */
export async function startTarget(
  t: Test,
  adapter: TargetAdapter,
  command: string,
  over: Partial<TargetSpec> = {},
): Promise<StartedTarget> {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-t-'));
  const runId = `test-${process.pid}-${runs++}`;
  const guardian = startGuardian(runId);
  const clock = runClock();
  const events: JournalEntry[] = [];
  let stopping: ReturnType<TargetHandle['stop']> | null = null;
  const handle = await adapter.start(
    {
      command,
      cwd: process.cwd(),
      env: {},
      url: null,
      workers: null,
      readyTimeoutMs: 30_000,
      stopGraceMs: 5000,
      agent: true,
      ...over,
    },
    {
      clock,
      record: (entry) => events.push(entry),
      guardian,
      privateDir: dir,
      logFile: join(dir, 'target.log'),
      workers: over.workers ?? 2,
      probePath: '/',
      runId,
    },
  );
  const stop = (): ReturnType<TargetHandle['stop']> => (stopping ??= handle.stop());
  t.teardown(async () => {
    await stop();
    await guardian.release();
    rmSync(dir, { recursive: true, force: true });
  });
  return { handle, events, runId, clock, guardian, stop };
}

/** What every target adapter promises. */
export function targetAdapterContract(t: Test, adapter: TargetAdapter, commands: TargetCommands): void {
  const never = new AbortController().signal;

  t.test(
    'ready lists its workers by slot; an exit that was asked for is told from one that was not',
    async (t) => {
      const { handle, events, stop, runId } = await startTarget(t, adapter, commands.healthy);
      const ready = await handle.ready(never);
      const workers = handle.workers();
      t.equal(workers.length, ready.workers);
      t.same(
        workers.map(({ slot, generation, state }) => [slot, generation, state]),
        workers.map((_, index) => [index + 1, 1, 'ready']),
      );
      const [first, second] = workers;
      if (!first || !second) throw new Error('two workers are needed');

      handle.expectExit(first.pid, 'fault-1');
      t.ok(signalProcess(first, 'SIGKILL'));
      t.ok(signalProcess(second, 'SIGKILL'));
      await Promise.all([handle.exited(first.pid), handle.exited(second.pid)]);
      const expected = (pid: number): unknown =>
        events.flatMap((event) =>
          event.type === 'worker.exit' && event.pid === pid ? [event.expected] : [],
        );
      t.same(expected(first.pid), ['fault-1']);
      t.same(expected(second.pid), [null]);

      for (const end = performance.now() + 20_000; performance.now() < end; ) {
        if (handle.workers().filter((worker) => worker.state === 'ready').length === ready.workers) break;
        await new Promise((wake) => setTimeout(wake, 20));
      }
      t.same(
        handle.workers().map(({ slot, generation, state }) => [slot, generation, state]),
        handle.workers().map((_, index) => [index + 1, index < 2 ? 2 : 1, 'ready']),
        'the replacements have the slots of the dead, one generation on',
      );

      const left = await stop();
      t.same(left, { processes: [], ports: [], stuck: [] });
      t.ok(workers.every(isDead), 'no process is left');
      t.same(
        processesOfRun(runId).filter((row) => row.state !== 'Z'),
        [],
      );
      t.notOk(await isListening(Number(new URL(ready.origin).port)), 'no port is left');
    },
  );

  t.test('a server that ends before it is ready is a typed failure with its own last words', async (t) => {
    const { handle } = await startTarget(t, adapter, commands.crashes);
    await t.rejects(handle.ready(never), { name: 'ChaosError', reason: 'unhealthy', message: /last lines/ });
  });

  t.test('a server that never listens is a typed failure within the deadline', async (t) => {
    const { handle } = await startTarget(t, adapter, commands.silent, { readyTimeoutMs: 2000 });
    await t.rejects(handle.ready(never), {
      name: 'ChaosError',
      reason: 'unhealthy',
      message: /not ready within 2 s/,
    });
  });

  t.test('an abort ends the wait', async (t) => {
    const { handle } = await startTarget(t, adapter, commands.silent);
    const abort = new AbortController();
    const waiting = handle.ready(abort.signal);
    abort.abort();
    await t.rejects(waiting, { message: /interrupted/, reason: 'interrupted' });
  });
}
