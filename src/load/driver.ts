import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ChaosError } from '../base/errors.ts';
import type { LoadContext, LoadDriver, LoadHandle, LoadSummary } from '../model/ports.ts';
import type { LoadSpec } from '../model/scenario.ts';
import type { ChildMessage, ParentMessage } from './protocol.ts';

/** Node start-up and autocannon take 0.2 s; this is for a machine that is busy with other things. */
const START_TIMEOUT_MS = 20_000;
/** A child that is too busy to answer writes by itself soon after. */
const FLUSH_TIMEOUT_MS = 2_000;
/** Added to the request timeout when draining: what the child needs for its last rows. */
const STOP_MARGIN_MS = 5_000;
/** The `request` column is one byte. */
const REQUESTS_MAX = 255;
const STDERR_KEPT = 2_000;

/** The load driver: autocannon in a process of its own, with one row a request. */
export const autocannonDriver: LoadDriver = { start: startLoad };

async function startLoad(spec: LoadSpec, context: LoadContext): Promise<LoadHandle> {
  checkSpec(spec, context);
  const process = new LoadProcess(context);
  try {
    await process.begin(spec, context);
  } catch (error) {
    await process.kill();
    throw error;
  }
  return process.handle(spec);
}

function checkSpec(spec: LoadSpec, context: LoadContext): void {
  const count = spec.requests.length;
  if (count === 0 || count > REQUESTS_MAX) {
    throw new ChaosError('usage', `load.requests: expected 1 to ${REQUESTS_MAX} requests, got ${count}`);
  }
  if (!(spec.timeoutMs >= 1000)) {
    throw new ChaosError('usage', `load.timeoutMs: expected at least 1000, got ${spec.timeoutMs}`);
  }
  if (!(spec.connections >= 1)) {
    throw new ChaosError('usage', `load.connections: expected at least 1, got ${spec.connections}`);
  }
  if (!(context.ratePerSecond >= 0 && Number.isFinite(context.ratePerSecond))) {
    throw new ChaosError('usage', `load rate: expected a number >= 0, got ${context.ratePerSecond}`);
  }
}

/** The parent's view of the load process. */
class LoadProcess {
  private readonly child: ChildProcess;
  private readonly exited: Promise<string>;
  private readonly started: Promise<void>;
  private readonly stopped: Promise<LoadSummary>;
  private stderr = '';
  private rows = 0;
  private onFlushed: () => void = () => undefined;

  constructor(context: LoadContext) {
    // Neither execArgv nor environment are inherited: a test runner's loader or a debugger's port have no place in there.
    this.child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [], {
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const { child } = this;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString()).slice(-STDERR_KEPT);
    });
    // A send to a child that is just ending fails; its exit is what counts.
    child.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve(this.describeExit(code, signal)));
    });
    let onStarted: () => void = () => undefined;
    let onRefused: (error: ChaosError) => void = () => undefined;
    let onStopped: (summary: LoadSummary) => void = () => undefined;
    this.started = new Promise((resolve, reject) => {
      onStarted = resolve;
      onRefused = reject;
    });
    // Awaited in `begin`, which may have given up by then.
    this.started.catch(() => undefined);
    this.stopped = new Promise((resolve) => {
      onStopped = resolve;
    });
    child.on('message', (raw) => {
      const message = raw as ChildMessage;
      if (message.type === 'started') onStarted();
      else if (message.type === 'refused') {
        onRefused(
          new ChaosError('bug', message.message, message.hint === null ? {} : { hint: message.hint }),
        );
      } else if (message.type === 'stopped') onStopped(message.summary);
      else if (message.type === 'flushed') this.onFlushed();
      else {
        this.rows += message.progress.ok + message.progress.failed;
        context.onProgress(message.progress);
      }
    });
  }

  async begin(spec: LoadSpec, context: LoadContext): Promise<void> {
    this.send({
      type: 'start',
      config: {
        origin: context.origin,
        spec,
        ratePerSecond: context.ratePerSecond,
        zeroMs: context.clock.zeroMs,
        samplesFile: context.samplesFile,
      },
    });
    const ended = this.exited.then((how) => {
      throw new ChaosError('bug', `the load process did not start: ${how}`);
    });
    await withDeadline(Promise.race([this.started, ended]), START_TIMEOUT_MS, () => {
      throw new ChaosError('bug', `the load process did not start within ${START_TIMEOUT_MS} ms`);
    });
  }

  handle(spec: LoadSpec): LoadHandle {
    let stopping: Promise<LoadSummary> | null = null;
    return {
      pid: this.child.pid ?? 0,
      setRate: (ratePerSecond) => this.send({ type: 'rate', ratePerSecond }),
      flush: () => this.flush(),
      stop: () => (stopping ??= this.stop(spec.timeoutMs)),
      failed: new Promise((resolve) => {
        void this.exited.then((how) => {
          if (stopping === null) resolve(`the load process ended by itself: ${how}`);
        });
      }),
    };
  }

  private async flush(): Promise<void> {
    const flushed = new Promise<void>((resolve) => {
      this.onFlushed = resolve;
    });
    this.send({ type: 'flush' });
    await withDeadline(Promise.race([flushed, this.exited]), FLUSH_TIMEOUT_MS, () => undefined);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  private async stop(timeoutMs: number): Promise<LoadSummary> {
    this.send({ type: 'stop' });
    const unknown = (): LoadSummary => ({ rows: this.rows, dropped: 0, rssBytesMax: 0 });
    const summary = await withDeadline(
      Promise.race([this.stopped, this.exited.then(unknown)]),
      timeoutMs + STOP_MARGIN_MS,
      unknown,
    );
    await withDeadline(this.exited, STOP_MARGIN_MS, () => this.kill());
    return summary;
  }

  private send(message: ParentMessage): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private describeExit(code: number | null, signal: string | null): string {
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const said = this.stderr.trim();
    return said === '' ? how : `${how}; it said: ${said}`;
  }
}

async function withDeadline<T, L>(promise: Promise<T>, ms: number, late: () => L): Promise<T | Awaited<L>> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, ms, 'late');
  });
  try {
    const first = await Promise.race([promise.then((value) => ({ value })), deadline]);
    return first === 'late' ? await late() : first.value;
  } finally {
    clearTimeout(timer);
  }
}
