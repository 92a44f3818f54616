import type { Test } from 'tap';
import type { JournalEntry } from '../../dist/model/journal.js';
import type {
  FaultContext,
  ProcessFacts,
  ProcessId,
  RunClock,
  TargetHandle,
  Victim,
} from '../../dist/model/ports.js';
import { readProcess, signalProcess } from '../../dist/runtime/process-table.js';
import { poll } from '../../dist/runtime/wait.js';
import { commandTarget } from '../../dist/target/command-target.js';
import { probe } from '../../dist/target/http-probe.js';
import { startTarget } from '../contract/target-adapter.ts';
import { server } from '../support/chaos.ts';

/** Generous: the machine may be full; a fact that never comes still ends the test with a sentence. */
const FACT_DEADLINE_MS = 20_000;

/** A server behind the real target adapter: for faults that need the target as a whole. */
export interface TargetRig {
  readonly handle: TargetHandle;
  readonly clock: RunClock;
  readonly events: readonly JournalEntry[];
  until<T>(what: string, look: () => T | undefined | null | false | Promise<T | undefined>): Promise<T>;
  primary(): Promise<Victim>;
  worker(): Promise<Victim>;
  context(overrides?: Partial<FaultContext>): FaultContext;
  inspect(id: ProcessId): ProcessFacts | null;
  answers(pid: number): Promise<void>;
  otherAnswers(pid: number): Promise<void>;
}

export async function startTargetRig(t: Test, fixture: string): Promise<TargetRig> {
  const { handle, events, clock, guardian } = await startTarget(t, commandTarget, server(fixture));
  const { origin } = await handle.ready(new AbortController().signal);
  const until: TargetRig['until'] = async (what, look) => {
    const found = await poll(async () => (await look()) || undefined, {
      everyMs: 10,
      deadlineMs: FACT_DEADLINE_MS,
    });
    if (found === undefined) throw new Error(`${what}: not within ${FACT_DEADLINE_MS} ms`);
    return found;
  };
  // Workers may be heard before it; a run is past its warm-up by the first fault.
  await until('a primary', () => handle.primary());
  const inspect = (id: ProcessId): ProcessFacts | null => {
    const row = readProcess(id.pid);
    return row?.startTime === id.startTime && row.state !== 'Z' ? row : null;
  };
  const servedBy = async (): Promise<number | undefined> => {
    const answer = await probe(origin);
    return typeof answer === 'string' ? undefined : (answer.worker ?? undefined);
  };
  let faults = 0;
  return {
    handle,
    clock,
    events,
    until,
    inspect,
    primary: () =>
      until('a primary', () => {
        const primary = handle.primary();
        return (
          primary && { ...primary, role: 'primary' as const, slot: null, exited: handle.exited(primary.pid) }
        );
      }),
    worker: () =>
      until('a ready worker with an agent', () => {
        const worker = handle.workers().find(({ state, agent }) => state === 'ready' && agent !== null);
        return worker && { ...worker, role: 'worker' as const, exited: handle.exited(worker.pid) };
      }),
    context: (overrides = {}) => ({
      faultId: `fault-${++faults}`,
      clock,
      guardian,
      target: handle,
      signal: new AbortController().signal,
      kill: signalProcess,
      inspect,
      ...overrides,
    }),
    answers: async (pid) => {
      await until(`an answer of worker ${pid}`, async () => (await servedBy()) === pid || undefined);
    },
    otherAnswers: async (pid) => {
      await until(`an answer of a worker other than ${pid}`, async () => {
        const server = await servedBy();
        return (server !== undefined && server !== pid) || undefined;
      });
    },
  };
}
