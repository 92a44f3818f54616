import type { Guardian, ProcessExit, ProcessId, Recorder, RunClock } from '../model/ports.ts';
import {
  identify,
  isDead,
  openDescriptors,
  type ProcessRow,
  processTree,
  readProcess,
} from '../runtime/process-table.ts';
import { poll } from '../runtime/wait.ts';
import type { AgentEvent } from './agent-hub.ts';
import { WorkerTable } from './worker-table.ts';

/** How often known processes are looked at; the agents' lines tell sooner, this is the floor. */
const SCAN_MS = 50;
/** How often the whole tree is listed for the guardian, and descriptors and memory are read. */
const TREE_MS = 250;
/** Each so many looks at the tree also search the threads that are not the main one. */
const THOROUGH_EACH = 10;
const RESOURCES_MS = 500;
/** A closed line is confirmed by the process table within this time; a zombie may still hold its sockets meanwhile. */
const CONFIRM_MS = 250;
/** The supervisor's word on how a worker ended is waited for at most this long. */
const EXIT_FACTS_MS = 300;
/** node:cluster tells the primary within ms that a worker listens; a busy primary hears it later. */
const UNANNOUNCED_MS = 1000;
/** Without an agent, a worker process that has lived this long is taken to be listening. */
const ASSUME_LISTENING_MS = 500;

/** How the workers of this target are recognised. */
export type WatchMode = 'cluster' | 'processes' | 'tree';

interface Tracked {
  readonly id: ProcessId;
  readonly exit: Promise<ProcessExit>;
  readonly resolve: (exit: ProcessExit) => void;
  ended: boolean;
  closedAtMs: number | null;
}

export interface Listener {
  readonly pid: number;
  readonly address: string;
  readonly port: number;
}

export interface WatchOptions {
  readonly clock: RunClock;
  readonly record: Recorder;
  readonly guardian: Guardian;
  readonly rootPid: number;
}

/** Follows the processes of one target: what the agents tell, confirmed and completed by the process table. */
export class TargetWatch {
  readonly table: WorkerTable;
  mode: WatchMode = 'cluster';
  lastChangeAtMs: number;
  scheduling: 'rr' | 'none' | 'unknown' = 'unknown';
  /** Processes with an agent that are neither primary nor cluster worker, by pid. */
  readonly singles = new Map<number, { readonly ppid: number; readonly argv1: string }>();
  readonly listeners: Listener[] = [];
  /** Every process that was ever seen in the tree. */
  readonly seen = new Map<number, ProcessId>();
  readonly #options: WatchOptions;
  readonly #tracked = new Map<number, Tracked>();
  readonly #timers: NodeJS.Timeout[] = [];
  /** Workers whose primary has an agent, and so a say in whether they serve. */
  readonly #forked = new Set<number>();
  readonly #announcedPorts = new Set<number>();
  readonly #unannounced = new Map<number, { readonly atMs: number; readonly port: number }>();
  #primary: ProcessId | null = null;
  /** What descends from the primary, as it was last seen alive. */
  #descendants: readonly ProcessId[] = [];
  /** The command was started again: the next primary is the one to follow. */
  #primaryIsOld = false;
  #rootPid: number;
  #stopping = false;
  #looks = 0;
  #servicePort: number | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#rootPid = options.rootPid;
    this.table = new WorkerTable(options.record);
    this.lastChangeAtMs = options.clock.now();
    this.#every(SCAN_MS, () => this.#scan());
    this.#every(TREE_MS, () => this.#scanTree());
    this.#every(RESOURCES_MS, () => this.#sampleResources());
  }

  primary(): ProcessId | null {
    return this.#primary;
  }

  /** The primary has ended, and the same command runs again in this process. */
  restarted(rootPid: number): void {
    this.#endTheDead();
    this.#rootPid = rootPid;
    this.#primaryIsOld = true;
    this.#descendants = [];
    this.#changed();
  }

  /** What descended from the primary, or was its worker, and still lives. */
  outliving(): readonly ProcessId[] {
    const ids = new Map([...this.#descendants, ...this.table.alive()].map((id) => [id.pid, id]));
    return [...ids.values()].filter((id) => !isDead(id));
  }

  /** Resolves when that process is dead; at once for one that was never seen. */
  exited(pid: number): Promise<ProcessExit> {
    return this.#tracked.get(pid)?.exit ?? Promise.resolve({ code: null, signal: null, atMs: this.#now() });
  }

  /**
   * The server is ready: numbers its workers. From now on a worker serves only if it listens where all of them do, if
   * there is such a port.
   */
  settle(port: number): number {
    const onPort = new Set(this.listeners.filter((listener) => listener.port === port).map(({ pid }) => pid));
    const settled = this.table.settle();
    const all = this.table.slots().every((worker) => onPort.has(worker.pid));
    this.#servicePort = all && settled > 0 ? port : null;
    return settled;
  }

  /** From now on every exit is ours. */
  expectStop(): void {
    this.#stopping = true;
    this.table.expectAll('stop');
    if (this.#primary) this.table.expectExit(this.#primary.pid, 'stop');
  }

  /** Ends the watch; what died meanwhile is recorded, though nobody is left to say how. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#endTheDead();
  }

  #endTheDead(): void {
    for (const { id, ended, closedAtMs } of this.#tracked.values()) {
      if (!ended && isDead(id))
        this.#ended(id.pid, { code: null, signal: null, atMs: closedAtMs ?? this.#now() });
    }
  }

  onAgentEvent(event: AgentEvent): void {
    switch (event.type) {
      case 'hello': {
        const { role, ppid, argv1, loadedAtMs } = event.hello;
        if (role === 'primary') this.#setPrimary(event.pid, event.hello.scheduling);
        if (role === 'single') this.singles.set(event.pid, { ppid, argv1: argv1 ?? '' });
        else this.singles.delete(event.pid);
        if (role === 'worker') this.#spawned(event.pid, loadedAtMs);
        return;
      }
      case 'listening':
        this.listeners.push({ pid: event.pid, address: event.address, port: event.port });
        if (this.mode === 'processes' && this.singles.has(event.pid)) this.#spawned(event.pid, event.atMs);
        if (this.#forked.has(event.pid)) {
          this.#unannounced.set(event.pid, { atMs: event.atMs, port: event.port });
          return;
        }
        return this.#listening(event.pid, event.atMs, event.port);
      case 'fork':
        this.#setPrimary(event.pid, null);
        this.#forked.add(event.workerPid);
        return this.#spawned(event.workerPid, event.atMs);
      case 'online':
        return this.table.online(event.workerPid, event.atMs);
      case 'worker-listening':
        if (event.port === null) return;
        this.listeners.push({ pid: event.workerPid, address: '', port: event.port });
        this.#announcedPorts.add(event.port);
        this.#listening(event.workerPid, event.atMs, event.port);
        return;
      case 'worker-exit':
        this.#options.record({ type: 'worker.noticed', pid: event.workerPid }, event.atMs);
        if (event.retired && this.table.expectation(event.workerPid) === null) {
          this.table.expectExit(event.workerPid, 'supervisor');
        }
        return this.#ended(event.workerPid, { code: event.code, signal: event.signal, atMs: event.atMs });
      case 'closed':
        return void this.#confirmDeath(event.pid, event.atMs);
      case 'disconnect':
        return;
    }
  }

  /** No agent speaks of workers: take these processes, and their later siblings, for them. */
  adopt(mode: 'processes' | 'tree', primary: ProcessId | null, workers: readonly ProcessId[]): void {
    this.mode = mode;
    if (primary) this.#setPrimary(primary.pid, null);
    for (const worker of workers) {
      this.#spawned(worker.pid, this.#now());
      this.#listening(worker.pid, this.#now());
    }
  }

  /**
   * A worker's own word that it listens is not yet its primary's that it serves: warm standbys listen too. Only where the
   * primary never speaks of that port (`exclusive`, `reusePort`) the worker's word is all there is.
   */
  #believeUnannounced(): void {
    for (const [pid, { atMs, port }] of this.#unannounced) {
      if (this.#announcedPorts.has(port)) this.#unannounced.delete(pid);
      else if (this.#now() - atMs > UNANNOUNCED_MS) {
        this.#unannounced.delete(pid);
        this.#listening(pid, atMs, port);
      }
    }
  }

  #setPrimary(pid: number, scheduling: 'rr' | 'none' | null): void {
    if (scheduling !== null) this.scheduling = scheduling;
    if (this.#primary !== null && (!this.#primaryIsOld || this.#primary.pid === pid)) return;
    const id = identify(pid);
    if (id === null) return;
    this.#primary = id;
    this.#primaryIsOld = false;
    this.#track(id);
    this.#options.record({ type: 'primary.up', pid });
  }

  #spawned(pid: number, atMs: number): void {
    const id = identify(pid) ?? { pid, startTime: '' };
    this.#track(id);
    this.table.spawned(id, atMs);
    if (this.#stopping) this.table.expectExit(pid, 'stop');
    this.#changed();
  }

  #listening(pid: number, atMs: number, port: number | null = null): void {
    if (this.#servicePort !== null && port !== null && port !== this.#servicePort) return;
    this.table.listening(pid, atMs);
    this.#changed();
  }

  #track(id: ProcessId): void {
    const known = this.#tracked.get(id.pid);
    if (known && known.id.startTime === id.startTime) return;
    let resolve: (exit: ProcessExit) => void = () => {};
    const exit = new Promise<ProcessExit>((done) => {
      resolve = done;
    });
    this.#tracked.set(id.pid, { id, exit, resolve, ended: false, closedAtMs: null });
    this.seen.set(id.pid, id);
  }

  #scan(): void {
    this.#believeUnannounced();
    for (const { id, ended } of this.#tracked.values()) {
      if (!ended && isDead(id)) void this.#deadWithoutFacts(id.pid, this.#now());
    }
    if (this.mode !== 'tree' || this.#primary === null) return;
    for (const worker of this.table.alive()) {
      if (worker.listeningAtMs === null && this.#now() - worker.spawnedAtMs > ASSUME_LISTENING_MS) {
        this.#listening(worker.pid, this.#now());
      }
    }
  }

  #scanTree(): void {
    const tree = processTree(this.#rootPid, this.#looks++ % THOROUGH_EACH === 0);
    if (tree.some((row) => row.pid === this.#primary?.pid && row.state !== 'Z')) {
      this.#descendants = descendantsOf(this.#primary?.pid ?? 0, tree);
    }
    for (const row of tree) {
      if (row.state !== 'Z') this.seen.set(row.pid, { pid: row.pid, startTime: row.startTime });
      if (this.mode === 'tree' && row.ppid === this.#primary?.pid && row.state !== 'Z') {
        if (this.table.get(row.pid)?.startTime !== row.startTime) this.#spawned(row.pid, this.#now());
      }
    }
    for (const [pid, id] of this.seen) if (isDead(id)) this.seen.delete(pid);
    this.#options.guardian.track([...this.seen.values()]);
  }

  #sampleResources(): void {
    const workers = this.table.slots().filter((worker) => !worker.exited);
    for (const id of [this.#primary, ...workers]) {
      if (id === null || this.#tracked.get(id.pid)?.ended) continue;
      const row = readProcess(id.pid);
      const fds = openDescriptors(id.pid);
      if (row === null || row.startTime !== id.startTime || fds === null) continue;
      const role = id === this.#primary ? 'primary' : 'worker';
      this.#options.record({ type: 'resources', pid: id.pid, role, rssBytes: row.rssBytes, fds });
    }
  }

  async #confirmDeath(pid: number, closedAtMs: number): Promise<void> {
    const tracked = this.#tracked.get(pid);
    if (!tracked || tracked.ended) return;
    const dead = await poll(() => isDead(tracked.id) || undefined, { everyMs: 2, deadlineMs: CONFIRM_MS });
    if (!dead) return;
    tracked.closedAtMs = closedAtMs;
    await this.#deadWithoutFacts(pid, closedAtMs);
  }

  /** Dead for sure; how, only the supervisor's own agent can say, and not if it is hung or dead itself. */
  async #deadWithoutFacts(pid: number, atMs: number): Promise<void> {
    const tracked = this.#tracked.get(pid);
    if (!tracked || tracked.ended) return;
    tracked.closedAtMs ??= atMs;
    const told = this.mode === 'cluster' && this.#primary !== null && !isDead(this.#primary);
    if (told) await poll(() => tracked.ended || undefined, { everyMs: 10, deadlineMs: EXIT_FACTS_MS });
    this.#ended(pid, { code: null, signal: null, atMs: tracked.closedAtMs });
  }

  #ended(pid: number, exit: ProcessExit): void {
    const tracked = this.#tracked.get(pid);
    if (!tracked || tracked.ended) return;
    tracked.ended = true;
    const facts = { ...exit, atMs: Math.min(exit.atMs, tracked.closedAtMs ?? exit.atMs) };
    if (pid === this.#primary?.pid) {
      const expected = this.#stopping ? 'stop' : this.table.expectation(pid);
      this.#options.record(
        { type: 'primary.exit', pid, code: facts.code, signal: facts.signal, expected },
        facts.atMs,
      );
    } else {
      this.table.exited(pid, facts);
    }
    tracked.resolve(facts);
    this.#changed();
  }

  #every(ms: number, look: () => void): void {
    this.#timers.push(setInterval(() => this.#options.clock.isQuiet?.() || look(), ms));
  }

  #changed(): void {
    this.lastChangeAtMs = this.#now();
  }

  #now(): number {
    return this.#options.clock.now();
  }
}

/** Parents come first in a tree. */
function descendantsOf(root: number, tree: readonly ProcessRow[]): readonly ProcessId[] {
  const family = new Set([root]);
  const found: ProcessId[] = [];
  for (const { pid, ppid, startTime, state } of tree) {
    if (!family.has(ppid)) continue;
    family.add(pid);
    if (state !== 'Z') found.push({ pid, startTime });
  }
  return found;
}
