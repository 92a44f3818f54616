import cluster, { type Worker } from 'node:cluster';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { ChaosError } from '../../base/errors.ts';
import type { WorkerBeat } from '../policy/model.ts';
import type { ServiceSettings } from '../settings.ts';
import type { Beat, PulsePlace, SockName, ToPrimary, ToWorker, Wire, WorkerSettings } from '../wire.cts';
import type { Counters } from './counters.ts';
import { Handles, type Passage } from './handles.ts';
import { beatOf, type Told } from './messages.ts';
import { nowMs } from './now.ts';
import type { Heard } from './pulse.ts';

const { CMD, SETTINGS } = createRequire(import.meta.url)('../wire.cjs') as Wire;
const BOOT = fileURLToPath(new URL('../worker/boot.cjs', import.meta.url));
/** Where a worker finds the file of heartbeats: behind stdin, stdout, stderr and the channel. */
const PULSE_FD = 4;

export interface ForkSpec {
  readonly service: ServiceSettings;
  readonly worker: number;
  readonly slot: number | null;
  readonly generation: number;
  /** The worker must watch its parent itself: there is no reaper. */
  readonly watchParent: boolean;
  readonly pulse: PulsePlace;
  readonly hasListened: boolean;
}

/** A connection on its way to a worker. */
export type Given = Omit<Extract<ToWorker, { t: 'connection' }>, 't'>;

export interface WorkerListener {
  readonly onMessage: (message: ToPrimary) => void;
  readonly onExit: (code: number | null, signal: string | null) => void;
  readonly onDisconnect: () => void;
}

/** One worker: a process, its channel, and what it last said of itself. */
export class WorkerProcess {
  readonly id: number;
  readonly #worker: Worker;
  readonly #handles: Handles;
  readonly #balance: WorkerSettings['balance'];
  /** What it listens on, by listener key. */
  readonly addresses = new Map<string, SockName>();
  beat: Beat | null = null;
  /** Why it asks to be replaced, in its own words; null when it does not. */
  wish: string | null = null;
  #told: Told = { open: 0, atMs: Number.NEGATIVE_INFINITY };
  /** Messages of the app in the current second. */
  messages = 0;
  hasExited = false;
  /** It has said its last word: that its channel closes is as it should be. */
  hasDrained = false;
  /** Its last listen that the system refused. The app is told, and may have found another way. */
  refused: ChaosError | null = null;

  /** @throws the system's error when it cannot start a process */
  constructor(spec: ForkSpec, listener: WorkerListener) {
    this.id = spec.worker;
    this.#balance = spec.service.policy.balance;
    this.#worker = fork(spec);
    const { process: child } = this.#worker;
    this.#handles = new Handles(child);
    child.on('internalMessage', (message: { cmd?: string }) => {
      if (message.cmd === CMD) listener.onMessage(message as unknown as ToPrimary);
    });
    child.on('message', () => {
      this.messages++;
    });
    // On 'exit' of the process, which always comes; cluster's 'disconnect' does not while a handle is pending.
    child.once('exit', (code, signal) => {
      this.hasExited = true;
      listener.onExit(code, signal);
    });
    child.once('disconnect', () => listener.onDisconnect());
    // A send to a dying worker: its exit follows and says all there is to say.
    this.#worker.on('error', () => undefined);
    child.on('error', () => {
      // fork() that failed has no pid and never exits.
      if (child.pid === undefined && !this.hasExited) {
        this.hasExited = true;
        listener.onExit(null, null);
      }
    });
  }

  get pid(): number | null {
    return this.#worker.process.pid ?? null;
  }

  /** It took connections, and holds so many now. */
  took(open: number): void {
    this.#told = { open, atMs: nowMs() };
  }

  /** @returns what the policy reads of its beat */
  hear(heard: Heard, counters: Pick<Counters, 'connections'>): WorkerBeat {
    // Where the system balances, connections pass by the primary.
    if (this.#balance === 'none') counters.connections += heard.beat.taken - (this.beat?.taken ?? 0);
    this.beat = heard.beat;
    return beatOf(heard, this.#told);
  }

  /** False when the channel is closed. `onDone` is called when the message was written or has failed. */
  send(message: ToWorker, onDone: () => void = () => undefined): boolean {
    if (!this.#worker.process.connected) return false;
    this.#worker.process.send({ cmd: CMD, ...message }, onDone);
    return true;
  }

  /** Hands a connection over. The channel gets a copy: ours stays open until we close it. */
  give(what: Given, passage: Omit<Passage, 'message'>): void {
    // Written out: a spread takes several times as long, and this is for every connection.
    const message: Extract<ToWorker, { t: 'connection' }> & { readonly cmd: string } = {
      cmd: CMD,
      t: 'connection',
      id: what.id,
      listener: what.listener,
      sentAtMs: what.sentAtMs,
      headBase64: what.headBase64,
    };
    const { handle, onSend, onSent } = passage;
    this.#handles.pass({ message, handle, onSend, onSent });
  }

  /** What it was given is with it, or was dropped by it unread. */
  answered(id: number): void {
    this.#handles.answered(id);
  }

  /** So that whoever watches `cluster` sees a worker of a supervisor as one of plain node:cluster. */
  announce(key: string): void {
    const sockname = this.addresses.get(key);
    if (sockname === undefined) return;
    const address = {
      address: sockname.address ?? '',
      port: sockname.port ?? -1,
      addressType: sockname.family === 'IPv6' ? 6 : 4,
    } as const;
    (this.#worker as unknown as { state: string }).state = 'listening';
    this.#worker.emit('listening', address);
    cluster.emit('listening', this.#worker, address);
  }

  /** Where our side could not be loaded into the worker, node:cluster itself says when it listens. */
  onPlainListening(listener: () => void): void {
    this.#worker.once('listening', listener);
  }

  /** Its exit, when it comes, is our wish. */
  expectExit(): void {
    this.#worker.exitedAfterDisconnect = true;
  }

  /** Only ever our own child, which is not reaped before its exit is seen: the pid cannot be another's. */
  kill(): void {
    if (!this.hasExited) this.#worker.process.kill('SIGKILL');
  }
}

function fork({ service, slot, generation, worker, watchParent, pulse, hasListened }: ForkSpec): Worker {
  const settings: WorkerSettings = {
    service: service.name,
    worker,
    generation,
    beatMs: service.beatMs,
    pulse: { fd: PULSE_FD, offset: pulse.offset },
    claimMs: service.claimMs,
    ready: service.ready,
    hasListened,
    balance: service.policy.balance,
    stickyCookie: service.sticky?.by === 'cookie' ? service.sticky.name : null,
    watchParent,
    ipc: service.ipc,
  };
  // Settings are those of the next fork, so each service sets its own.
  cluster.setupPrimary({
    exec: service.entry,
    args: [...service.args],
    execArgv: [...service.nodeArgs, '--require', BOOT],
    cwd: service.cwd,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', pulse.fd],
    serialization: 'json',
  });
  return cluster.fork({
    ...service.env,
    ...(service.port !== null && { PORT: String(service.port) }),
    ...(slot !== null && { CLUSTER_CHAOS_SLOT: String(slot), ...service.slotEnv?.[slot] }),
    [SETTINGS]: JSON.stringify(settings),
  });
}
