/**
 * The agent's part on the main thread of a process of the target, preloaded by a run's `boot.cjs`. It must never
 * throw into the target nor keep it alive, and does nothing per request or connection except one response header.
 */
import type Cluster from 'node:cluster';
import type * as Path from 'node:path';
import type * as Threads from 'node:worker_threads';
import type { Attribution } from './attribution.cts';
import type { BootCrash } from './boot-crash.cts';
import type { AgentOptions, ControlData, Inside, ToControl, ToMain } from './inside.cts';
import type { MainFaults, MainFaultsModule } from './main-faults.cts';
import type { WireEvent, WireIdentity } from './protocol.cts';
import type { Watch } from './watch.cts';

const cluster = require('node:cluster') as typeof Cluster;
const path = require('node:path') as typeof Path;
const { Worker, MessageChannel, isMainThread } = require('node:worker_threads') as typeof Threads;
const { nowMs, CELLS } = require('./inside.cjs') as Inside;
const { crashIfAsked } = require('./boot-crash.cjs') as BootCrash;
const { attributeResponses } = require('./attribution.cjs') as Attribution;
const { watchListeners, watchWorkers } = require('./watch.cjs') as Watch;

const after = setTimeout;
const cancel = clearTimeout;

/** The thread's start costs a worker about 30 ms of CPU: it waits until the first answers are out. */
const AFTER_LISTENING_MS = 50;
/** A process that does not listen by then may never do. */
const AFTER_LOAD_MS = 300;
const RESTART_MS = 100;
/** Reports kept until the line is up; a primary that forks in a crash loop would otherwise grow without end. */
const QUEUE_LIMIT = 1000;
const ARGV_CHARS_MAX = 1000;

let loaded = false;

/** Starts the agent in this process; without a way to talk to the hub it silently is not there. */
function start(options: AgentOptions): void {
  try {
    // NODE_OPTIONS preloads into each worker thread of the app as well.
    if (!isMainThread || loaded) return;
    loaded = true;
    if (options.crashFlag !== undefined) crashIfAsked(options.crashFlag);
    begin(options);
  } catch {
    // Harmless: the harness works from the process table where no agent reports.
  }
}

function begin(options: AgentOptions): void {
  const loadedAtMs = nowMs();
  const cells = new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
  let role: WireIdentity['role'] = cluster.isWorker ? 'worker' : 'single';
  let scheduling: WireIdentity['scheduling'] = null;
  const line = createLine({ options, cells, identity: () => identify({ role, scheduling, loadedAtMs }) });

  let timer = after(() => line.open(), AFTER_LOAD_MS);
  timer.unref();
  const report = (event: WireEvent): void => {
    line.post({ k: 'event', event });
    if (event.type === 'primary') {
      role = 'primary';
      scheduling = event.scheduling;
    }
    if (event.type !== 'listening') return;
    attributeResponses();
    cancel(timer);
    timer = after(() => line.open(), AFTER_LISTENING_MS);
    timer.unref();
  };
  const quiet = (event: WireEvent): void => {
    try {
      report(event);
    } catch {
      // Harmless: one report less.
    }
  };
  watchListeners(quiet);
  if (!cluster.isWorker) watchWorkers(quiet, () => line.open());
}

function identify(known: Pick<WireIdentity, 'role' | 'scheduling' | 'loadedAtMs'>): WireIdentity {
  return {
    ...known,
    pid: process.pid,
    ppid: process.ppid,
    workerId: cluster.worker?.id ?? null,
    node: process.version,
    argv1: process.argv[1]?.slice(0, ARGV_CHARS_MAX) ?? null,
  };
}

interface LineOptions {
  readonly options: AgentOptions;
  readonly cells: Int32Array<SharedArrayBuffer>;
  readonly identity: () => WireIdentity;
}

interface Line {
  open(): void;
  post(message: ToControl): void;
}

/** The way to the control thread: queues until it is open, and drops everything once it is gone for good. */
function createLine({ options, cells, identity }: LineOptions): Line {
  let state: 'closed' | 'open' | 'gone' = 'closed';
  let restarts = 1;
  let queue: ToControl[] = [];
  let send: ((message: ToControl) => void) | null = null;
  const post = (message: ToControl): void => {
    if (send) send(message);
    else if (state !== 'gone' && queue.length < QUEUE_LIMIT) queue.push(message);
  };
  let faults: MainFaults | null = null;

  const onExit = (code: number): void => {
    send = null;
    faults?.healAll();
    // Code 0 is the end of the run: the hub has closed the line.
    if (code === 0 || restarts-- <= 0) {
      state = 'gone';
      queue = [];
      return;
    }
    state = 'closed';
    after(open, RESTART_MS).unref();
  };

  const open = (): void => {
    if (state !== 'closed') return;
    state = 'open';
    try {
      // Only now: what a fault needs must not slow down the start of the process.
      const { createMainFaults } = require('./main-faults.cjs') as MainFaultsModule;
      faults ??= createMainFaults(cells, post);
      const main = faults;
      const channel = new MessageChannel();
      const { port1 } = channel;
      port1.on('message', (message: ToMain) => {
        if (message.k === 'run') main.run(message);
        else if (message.k === 'ping') post({ k: 'pong', n: message.n, atMs: nowMs() });
        else main.healAll();
      });
      port1.unref();
      const thread = spawnControl({
        ...options,
        cells: cells.buffer,
        port: channel.port2,
        identity: identity(),
      });
      thread.on('exit', onExit);
      send = (message) => port1.postMessage(message);
      for (const message of queue) send(message);
      queue = [];
    } catch {
      // No threads here (permission model, pids limit): the process stays without an agent.
      state = 'gone';
      queue = [];
    }
  };
  return { open, post };
}

function spawnControl(data: ControlData): Threads.Worker {
  const thread = new Worker(path.join(__dirname, 'control.cjs'), {
    name: 'cluster-chaos',
    workerData: data,
    transferList: [data.port],
    // Nothing of the app's own settings: its preloads and loaders are not for us.
    env: {},
    execArgv: [],
    trackUnmanagedFds: false,
    // Piped nowhere: otherwise Node would open the app's own stdout for us.
    stdout: true,
    stderr: true,
  });
  // 'exit' follows and does the rest; without a listener an error would be thrown into the app.
  thread.on('error', () => {});
  thread.unref();
  return thread;
}

module.exports = { start };
