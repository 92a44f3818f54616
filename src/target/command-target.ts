import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { ChaosError } from '../base/errors.ts';
import type {
  ProcessExit,
  ProcessId,
  TargetAdapter,
  TargetContext,
  TargetHandle,
  WorkerView,
} from '../model/ports.ts';
import type { TargetSpec } from '../model/scenario.ts';
import { freePort, isListening } from '../runtime/free-port.ts';
import { identify, processesOfRun } from '../runtime/process-table.ts';
import { type AgentHub, startAgentHub } from './agent-hub.ts';
import { awaitReady } from './await-ready.ts';
import { targetEnvironment } from './environment.ts';
import { stopTarget } from './stop-target.ts';
import { tail } from './tail.ts';
import { TargetWatch } from './target-watch.ts';

const LAST_LINES = 15;

/** Runs any command line as the server under test, unmodified, with the agent preloaded through NODE_OPTIONS. */
export const commandTarget: TargetAdapter = {
  async start(spec, context) {
    const port = await choosePort(spec);
    let watch: TargetWatch | null = null;
    const hub = spec.agent
      ? await startAgentHub({ ...context, onEvent: (event) => watch?.onAgentEvent(event) })
      : null;
    const command = spec.command ?? '';
    const child = launch(spec, context, port, hub?.nodeOptions ?? null);
    // Without a pid it is reported right below.
    child.on('error', () => {});
    const root = child.pid === undefined ? null : identify(child.pid);
    if (child.pid === undefined || root === null) {
      await hub?.close();
      throw new ChaosError('unhealthy', `the server could not be started in ${spec.cwd}: ${command}`);
    }
    context.guardian.setGroup(child.pid);
    context.guardian.track([root]);
    context.record({ type: 'target.start', pid: child.pid, command, port });
    watch = new TargetWatch({ ...context, rootPid: child.pid });
    return targetHandle({ spec, context, port, hub, child, root, watch });
  },
};

interface Started {
  readonly spec: TargetSpec;
  readonly context: TargetContext;
  readonly port: number;
  readonly hub: AgentHub | null;
  readonly child: ChildProcess;
  readonly root: ProcessId;
  readonly watch: TargetWatch;
}

function targetHandle(started: Started): TargetHandle {
  const { spec, context, hub, child, root, watch } = started;
  let exit: ProcessExit | null = null;
  const ended = once(child, 'exit').then(([code, signal]: unknown[]): ProcessExit => {
    exit = { code: code as number | null, signal: signal as string | null, atMs: context.clock.now() };
    return exit;
  });
  // A launcher may end in good order and leave the server running (pm2 start): the target lives as long as any of it does.
  const endedText = (): string | null =>
    exit === null || processesOfRun(context.runId).some((row) => row.state !== 'Z')
      ? null
      : (exit.signal ?? `exit code ${exit.code}`);
  let origin = spec.url;
  return {
    async ready(signal) {
      const facts = await awaitReady({
        spec,
        watch,
        clock: context.clock,
        port: started.port,
        hintedWorkers: context.workers,
        rootPid: root.pid,
        ended: endedText,
        lastLines: () => tail(context.logFile, LAST_LINES),
        probePath: context.probePath,
        signal,
      });
      origin = facts.origin;
      const workers = watch.settle(portOf(new URL(origin)));
      const visibility = watch.mode === 'tree' ? 'process-table' : 'agent';
      const boots = watch.table.slots().map((worker) => (worker.listeningAtMs ?? 0) - worker.spawnedAtMs);
      context.record({
        type: 'target.ready',
        origin,
        workers,
        visibility,
        blind: facts.blind,
        scheduling: watch.scheduling,
        bootMs: Math.max(0, ...boots),
      });
      return { origin, workers, visibility };
    },
    workers: () =>
      watch.table.slots().map(
        (worker): WorkerView => ({
          pid: worker.pid,
          startTime: worker.startTime,
          slot: worker.slot ?? 0,
          generation: worker.generation,
          state: worker.exited ? 'gone' : worker.listeningAtMs === null ? 'starting' : 'ready',
          agent: hub?.link(worker.pid) ?? null,
        }),
      ),
    primary() {
      const id = watch.primary();
      return id === null ? null : { ...id, agent: hub?.link(id.pid) ?? null };
    },
    expectExit: (pid, faultId) => watch.table.expectExit(pid, faultId),
    exited: (pid) => watch.exited(pid),
    ended: ended.then(async (facts) => {
      await new Promise<void>((resolve) => {
        const look = setInterval(() => {
          if (endedText() === null) return;
          clearInterval(look);
          resolve();
        }, 250);
        look.unref();
      });
      return facts;
    }),
    async stop() {
      const url = origin === null ? null : new URL(origin);
      const host = url?.hostname.replace(/[[\]]/g, '') ?? '127.0.0.1';
      const ports = new Set([started.port, ...watch.listeners.map((listener) => listener.port)]);
      if (url) ports.add(portOf(url));
      const left = await stopTarget({
        watch,
        root,
        runId: context.runId,
        graceMs: spec.stopGraceMs,
        ports: [...ports].map((port) => ({ host, port })),
      });
      watch.close();
      await hub?.close();
      context.record({ type: 'leftovers', ...left });
      return left;
    },
  };
}

function launch(
  spec: TargetSpec,
  context: TargetContext,
  port: number,
  nodeOptions: string | null,
): ChildProcess {
  const log = openSync(context.logFile, 'a');
  try {
    // Its own process group, so that the guardian can end all of it, and a Ctrl-C in our terminal does not reach it.
    return spawn('/bin/sh', ['-c', spec.command ?? ''], {
      cwd: spec.cwd,
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        // Node hands this one on to every child unless it is named; a server writes no coverage of ours.
        NODE_V8_COVERAGE: undefined,
        ...targetEnvironment({
          spec,
          own: process.env,
          port,
          workers: context.workers,
          runId: context.runId,
          nodeOptions,
          privateDir: context.privateDir,
        }),
      },
    });
  } finally {
    closeSync(log);
  }
}

/** The port in the url where one is named, which must be free, else any free one. */
async function choosePort(spec: TargetSpec): Promise<number> {
  if (spec.url === null) return freePort();
  const url = new URL(spec.url);
  const port = portOf(url);
  if (await isListening(port, url.hostname.replace(/[[\]]/g, ''))) {
    throw new ChaosError(
      'usage',
      `port ${port} is taken: something answers at ${spec.url} before the server was started`,
      {
        hint: 'Stop it, or choose another port; chaos starts the server itself.',
      },
    );
  }
  return port;
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}
