import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  FaultContext,
  Guardian,
  ProcessExit,
  ProcessFacts,
  ProcessId,
  RunClock,
  TargetControl,
  Victim,
} from '../../dist/model/ports.js';
import { runClock } from '../../dist/runtime/clock.js';
import { freePort } from '../../dist/runtime/free-port.js';
import { identify, isDead, readProcess, signalProcess } from '../../dist/runtime/process-table.js';
import { poll } from '../../dist/runtime/wait.js';
import { type AgentEvent, type AgentHub, startAgentHub } from '../../dist/target/agent-hub.js';
import { cleanSpawn } from '../support/clean-spawn.ts';

/** Generous: the machine may be full; a fact that never comes still ends the test with a sentence. */
const FACT_DEADLINE_MS = 15_000;

/** A real clustered server with the agent in each of its processes, and what a fault kind needs to hurt it. */
export interface Rig {
  readonly hub: AgentHub;
  readonly clock: RunClock;
  readonly child: ChildProcess;
  readonly port: number;
  readonly events: readonly AgentEvent[];
  /** What the guardian was told, in order: `+pid` stopped, `-pid` no longer. */
  readonly guardianLog: readonly string[];
  /** Waits for a fact. */
  until<T>(what: string, look: () => T | undefined | null | false | Promise<T | undefined>): Promise<T>;
  /** A worker that listens and whose agent is connected. */
  victim(): Promise<Victim>;
  primary(): Promise<Victim>;
  context(overrides?: Partial<FaultContext>): FaultContext;
  inspect(id: ProcessId): ProcessFacts | null;
  /** Resolves when this very worker answered a request. */
  answers(pid: number): Promise<void>;
  /** Resolves when a worker other than this one answered a request. */
  otherAnswers(pid: number): Promise<void>;
  close(): Promise<void>;
}

export interface RigOptions {
  /** Arguments of node; default: the reforking server. */
  readonly args?: readonly string[];
  /** Run this in place of node. */
  readonly command?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly workers?: number;
}

const noTarget = (): never => {
  throw new Error('this rig has no target as a whole: see target-rig.ts');
};
const NO_TARGET: TargetControl = {
  workers: noTarget,
  primary: noTarget,
  expectRetired: noTarget,
  crashBoots: noTarget,
  announceRestart: noTarget,
  orphans: noTarget,
  restart: noTarget,
};

const SERVER = fileURLToPath(new URL('./fixtures/reforking-server.cjs', import.meta.url));

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const privateDir = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  const clock = runClock();
  const events: AgentEvent[] = [];
  const exits = new Map<number, ProcessExit>();
  const hub = await startAgentHub({
    privateDir,
    clock,
    onEvent(event) {
      events.push(event);
      if (event.type === 'worker-exit') exits.set(event.workerPid, event);
    },
  });
  const port = await freePort();
  const child = cleanSpawn(options.command ?? process.execPath, options.args ?? [SERVER], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PORT: String(port),
      WORKERS: String(options.workers ?? 2),
      NODE_OPTIONS: hub.nodeOptions,
      ...options.env,
    },
  });
  const output: Buffer[] = [];
  child.stdout?.on('data', (data: Buffer) => output.push(data));
  child.stderr?.on('data', (data: Buffer) => output.push(data));

  const until: Rig['until'] = async (what, look) => {
    const found = await poll(async () => (await look()) || undefined, {
      everyMs: 5,
      deadlineMs: FACT_DEADLINE_MS,
    });
    if (found === undefined) {
      const seen = `${Buffer.concat(output).toString()}\n${events.map((event) => JSON.stringify(event)).join('\n')}`;
      throw new Error(`${what}: not within ${FACT_DEADLINE_MS} ms\n${seen}`);
    }
    return found;
  };
  const exited = async (id: ProcessId): Promise<ProcessExit> => {
    await until(`the death of ${id.pid}`, () => isDead(id));
    const seen = await poll(() => exits.get(id.pid), { everyMs: 5, deadlineMs: 1000 });
    return seen ?? { code: null, signal: null, atMs: clock.now() };
  };
  const victimOf = (pid: number, role: Victim['role']): Victim | undefined => {
    const id = identify(pid);
    const agent = hub.link(pid);
    if (id === null || agent === null || isDead(id)) return undefined;
    let death: Promise<ProcessExit> | null = null;
    return {
      ...id,
      role,
      slot: role === 'worker' ? 1 : null,
      agent,
      get exited() {
        death ??= exited(id);
        return death;
      },
    };
  };
  const servedBy = (): Promise<number | undefined> =>
    new Promise((resolve) => {
      const request = http.get({ port, host: '127.0.0.1', agent: false, timeout: 300 }, (response) => {
        response.resume();
        resolve(Number(response.headers['x-chaos-worker']));
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(undefined));
    });
  const guardianLog: string[] = [];
  const guardian: Guardian = {
    addStopped: (id) => guardianLog.push(`+${id.pid}`),
    removeStopped: (id) => guardianLog.push(`-${id.pid}`),
    track() {},
    setGroup() {},
    release: () => Promise.resolve(),
  };
  const inspect = (id: ProcessId): ProcessFacts | null => {
    const row = readProcess(id.pid);
    return row?.startTime === id.startTime ? row : null;
  };
  let faults = 0;
  return {
    hub,
    clock,
    child,
    port,
    events,
    guardianLog,
    until,
    inspect,
    victim: () =>
      until('a worker with an agent', () => {
        const listening = events.findLast(
          (event) => event.type === 'listening' && hub.hello(event.pid)?.role === 'worker',
        );
        return listening && victimOf(listening.pid, 'worker');
      }),
    primary: () =>
      until('a primary with an agent', () => {
        const hello = events.find((event) => event.type === 'hello' && event.hello.role === 'primary');
        return hello && victimOf(hello.pid, 'primary');
      }),
    context: (overrides = {}) => ({
      faultId: `fault-${++faults}`,
      clock,
      guardian,
      target: NO_TARGET,
      signal: new AbortController().signal,
      kill: (victim, signal) => signalProcess(victim, signal),
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
    async close() {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
      if (ended && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await ended;
      await hub.close();
      rmSync(privateDir, { recursive: true, force: true });
    },
  };
}
