import { ChaosError } from '../base/errors.ts';
import type { TargetAdapter, TargetContext, TargetHandle, WorkerView } from '../model/ports.ts';
import type { TargetSpec } from '../model/scenario.ts';
import { freePort, isListening } from '../runtime/free-port.ts';
import { type AgentHub, startAgentHub } from './agent-hub.ts';
import { awaitReady } from './await-ready.ts';
import { stopTarget } from './stop-target.ts';
import { tail } from './tail.ts';
import { targetControl } from './target-control.ts';
import { type LifeInput, startLife, type TargetLife } from './target-life.ts';
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
    const life = await startOrClose({ spec, context, port, nodeOptions: hub?.nodeOptions ?? null }, hub);
    const { pid } = life.root();
    context.record({ type: 'target.start', pid, command: spec.command ?? '', port });
    watch = new TargetWatch({ ...context, rootPid: pid });
    return targetHandle({ spec, context, port, hub, life, watch });
  },
};

interface Started {
  readonly spec: TargetSpec;
  readonly context: TargetContext;
  readonly port: number;
  readonly hub: AgentHub | null;
  readonly life: TargetLife;
  readonly watch: TargetWatch;
}

async function startOrClose(input: LifeInput, hub: AgentHub | null): Promise<TargetLife> {
  try {
    return startLife(input);
  } catch (error) {
    await hub?.close();
    throw error;
  }
}

function targetHandle(started: Started): TargetHandle {
  const { spec, context, hub, life, watch } = started;
  let origin = spec.url;
  const service = (): { readonly host: string; readonly port: number } => {
    const url = origin === null ? null : new URL(origin);
    const host = url?.hostname.replace(/[[\]]/g, '') ?? '127.0.0.1';
    return { host, port: url ? portOf(url) : started.port };
  };
  return {
    async ready(signal) {
      const facts = await awaitReady({
        spec,
        watch,
        clock: context.clock,
        port: started.port,
        hintedWorkers: context.workers,
        rootPid: life.root().pid,
        ended: () => life.endedText(),
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
          spawnedAtMs: worker.spawnedAtMs,
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
    ended: life.ended,
    ...targetControl({ ...started, service }),
    async stop() {
      const { host, port } = service();
      const ports = new Set([started.port, port, ...watch.listeners.map((listener) => listener.port)]);
      const left = await stopTarget({
        watch,
        root: life.root(),
        runId: context.runId,
        graceMs: spec.stopGraceMs,
        ports: [...ports].map((each) => ({ host, port: each })),
      });
      watch.close();
      await hub?.close();
      context.record({ type: 'leftovers', ...left });
      return left;
    },
  };
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
