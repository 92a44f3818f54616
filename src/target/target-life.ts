import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { ChaosError } from '../base/errors.ts';
import type { ProcessExit, ProcessId, TargetContext } from '../model/ports.ts';
import type { TargetSpec } from '../model/scenario.ts';
import { identify, processesOfRun } from '../runtime/process-table.ts';
import { targetEnvironment } from './environment.ts';

const LOOK_MS = 250;

export interface LifeInput {
  readonly spec: TargetSpec;
  readonly context: TargetContext;
  readonly port: number;
  /** What preloads the agent; `null` without one. */
  readonly nodeOptions: string | null;
}

/** The target's command as a process, which can be started again. */
export interface TargetLife {
  /** The process that runs the command now. */
  root(): ProcessId;
  /** How the target ended, once nothing of it lives any more. */
  endedText(): string | null;
  /** Resolves when nothing of it lives any more, unless that was announced. */
  readonly ended: Promise<ProcessExit>;
  /** Its end is asked for now, and no end of the run: it will be started again. */
  announceRestart(): void;
  /** @throws ChaosError 'unhealthy' if the command cannot be started */
  start(): ProcessId;
}

/** Starts the command, and follows it. */
export function startLife(input: LifeInput): TargetLife {
  const { context } = input;
  let root: ProcessId | null = null;
  let exit: ProcessExit | null = null;
  let restarting = false;
  let end: (exit: ProcessExit) => void = () => {};
  const ended = new Promise<ProcessExit>((resolve) => {
    end = resolve;
  });
  // A launcher may end in good order and leave the server running (pm2 start): the target lives as long as any of it does.
  const endedText = (): string | null =>
    exit === null || processesOfRun(context.runId).some((row) => row.state !== 'Z')
      ? null
      : (exit.signal ?? `exit code ${exit.code}`);

  const follow = async (child: ChildProcess, own: ProcessId): Promise<void> => {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (root !== own) return;
    const facts = { code, signal, atMs: context.clock.now() };
    exit = facts;
    const look = setInterval(() => {
      if (root !== own) clearInterval(look);
      if (root !== own || restarting || endedText() === null) return;
      clearInterval(look);
      end(facts);
    }, LOOK_MS);
    look.unref();
  };

  const start = (): ProcessId => {
    const child = launch(input);
    // Without a pid it is reported right below.
    child.on('error', () => {});
    const id = child.pid === undefined ? null : identify(child.pid);
    if (id === null) {
      const command = input.spec.command ?? '';
      throw new ChaosError('unhealthy', `the server could not be started in ${input.spec.cwd}: ${command}`);
    }
    root = id;
    exit = null;
    restarting = false;
    context.guardian.setGroup(id.pid);
    context.guardian.track([id]);
    void follow(child, id);
    return id;
  };

  const first = start();
  return {
    root: () => root ?? first,
    endedText,
    ended,
    announceRestart() {
      restarting = true;
    },
    start,
  };
}

function launch({ spec, context, port, nodeOptions }: LifeInput): ChildProcess {
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
