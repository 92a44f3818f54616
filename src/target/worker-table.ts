import type { JournalEntry } from '../model/journal.ts';
import type { ProcessId, Recorder } from '../model/ports.ts';

/** What is known of one worker process. */
export interface Worker extends ProcessId {
  slot: number | null;
  generation: number;
  readonly spawnedAtMs: number;
  onlineAtMs: number | null;
  listeningAtMs: number | null;
  exited: boolean;
}

/** A fork this soon after an exit is the supervisor's answer to it (measured: 5 to 10 ms under load). */
const ANSWERS_EXIT_MS = 100;

/**
 * Gives worker processes their slots and generations. Slots are numbered when the server is ready, in the order in which
 * its workers were started; a later worker takes over the slot that has been empty longest, or one whose worker is under
 * a fault. A worker without an empty slot waits unnumbered until it listens, as warm standbys do; if it listens and no
 * slot is empty, it gets a number above N, which is a finding.
 */
export class WorkerTable {
  readonly #record: Recorder;
  readonly #workers = new Map<number, Worker>();
  readonly #slots = new Map<number, Worker>();
  readonly #expected = new Map<number, string>();
  /** Empty slots and since when, longest empty first. */
  readonly #empty: { readonly slot: number; readonly sinceMs: number }[] = [];
  /** Slots that were given up on purpose: the next worker too many takes one of them. */
  readonly #givenUp: number[] = [];
  /** Workers of which some are about to go without a successor. */
  readonly #leaving = new Set<number>();
  /** The fault that makes every worker crash that is started now. */
  #bootsCrashedBy: string | null = null;
  readonly #booting = new Set<number>();
  #settled = false;
  #keepsStandbys = false;

  constructor(record: Recorder) {
    this.#record = record;
  }

  /** All workers that are alive as far as we know. */
  alive(): readonly Worker[] {
    return [...this.#workers.values()].filter((worker) => !worker.exited);
  }

  get(pid: number): Worker | undefined {
    return this.#workers.get(pid);
  }

  /** The newest worker of each slot. */
  slots(): readonly Worker[] {
    return [...this.#slots.entries()].sort(([a], [b]) => a - b).map(([, worker]) => worker);
  }

  expectExit(pid: number, reason: string): void {
    this.#expected.set(pid, reason);
  }

  expectation(pid: number): string | null {
    return this.#expected.get(pid) ?? null;
  }

  expectAll(reason: string): void {
    for (const pid of this.#workers.keys()) this.expectExit(pid, reason);
  }

  /**
   * Exits of these are their supervisor's own; `forGood`: nobody takes over the slot.
   * @returns what takes it back for those that live; an exit may be told here later than it happened
   */
  expectRetired(
    pids: readonly number[],
    how: 'replaced' | 'forGood',
  ): (lives: (worker: ProcessId) => boolean) => void {
    const added = pids.filter((pid) => !this.#expected.has(pid));
    for (const pid of added) this.expectExit(pid, 'supervisor');
    if (how === 'forGood') for (const pid of pids) this.#leaving.add(pid);
    return (lives) => {
      for (const pid of pids) {
        const worker = this.#workers.get(pid);
        if (worker === undefined || worker.exited || !lives(worker)) continue;
        this.#leaving.delete(pid);
        if (added.includes(pid) && this.#expected.get(pid) === 'supervisor') this.#expected.delete(pid);
      }
    };
  }

  /** Workers that are started from now on, and end before they listen, do so because of this fault; `null`: no more. */
  expectBootCrashes(faultId: string | null): void {
    this.#bootsCrashedBy = faultId;
  }

  spawned(id: ProcessId, atMs: number): Worker {
    const known = this.#workers.get(id.pid);
    if (known && known.startTime === id.startTime) return known;
    const worker: Worker = {
      ...id,
      slot: null,
      generation: 1,
      spawnedAtMs: atMs,
      onlineAtMs: null,
      listeningAtMs: null,
      exited: false,
    };
    this.#workers.set(id.pid, worker);
    if (this.#bootsCrashedBy !== null) {
      this.#booting.add(id.pid);
      this.expectExit(id.pid, this.#bootsCrashedBy);
    }
    if (!this.#settled || this.#standbysAlive(worker)) return worker;
    const empty = this.#takeEmpty(atMs);
    if (empty !== undefined) this.#place(worker, empty);
    return worker;
  }

  online(pid: number, atMs: number): void {
    const worker = this.#workers.get(pid);
    if (!worker || worker.onlineAtMs !== null || worker.exited) return;
    worker.onlineAtMs = atMs;
    if (worker.slot !== null) this.#tell('worker.online', worker, atMs);
  }

  listening(pid: number, atMs: number): void {
    const worker = this.#workers.get(pid);
    if (!worker || worker.listeningAtMs !== null || worker.exited) return;
    worker.listeningAtMs = atMs;
    // It has booted: from here on its exit is a matter of its own again.
    if (this.#booting.delete(pid)) this.#expected.delete(pid);
    if (worker.slot !== null) this.#tell('worker.listening', worker, atMs);
    else if (this.#settled)
      this.#place(worker, this.#takeEmpty(worker.spawnedAtMs) ?? this.#slotUnderFault() ?? this.#nextSlot());
  }

  /** @returns whether the exit was new */
  exited(
    pid: number,
    exit: { readonly code: number | null; readonly signal: string | null; readonly atMs: number },
  ): boolean {
    const worker = this.#workers.get(pid);
    if (!worker || worker.exited) return false;
    worker.exited = true;
    if (worker.slot === null) {
      const how = exit.signal ?? `code ${exit.code ?? 'unknown'}`;
      const message = `worker ${pid} ended with ${how} before it had a slot`;
      const level = this.expectation(pid) === null ? 'warn' : 'info';
      this.#record({ type: 'log', level, message }, exit.atMs);
      return true;
    }
    this.#record(
      {
        type: 'worker.exit',
        slot: worker.slot,
        generation: worker.generation,
        pid,
        code: exit.code,
        signal: exit.signal,
        expected: this.expectation(pid),
      },
      exit.atMs,
    );
    if (this.#slots.get(worker.slot) !== worker) return true;
    if (this.#leaving.delete(pid)) this.#givenUp.push(worker.slot);
    else this.#empty.push({ slot: worker.slot, sinceMs: exit.atMs });
    return true;
  }

  /** The server is ready: the workers that listen now are slots 1..N. */
  settle(): number {
    this.#settled = true;
    const ready = this.alive().filter((worker) => worker.listeningAtMs !== null);
    ready.sort((a, b) => a.spawnedAtMs - b.spawnedAtMs || a.pid - b.pid);
    for (const [index, worker] of ready.entries()) this.#place(worker, index + 1);
    this.#keepsStandbys = this.alive().some((worker) => worker.slot === null);
    return ready.length;
  }

  #place(worker: Worker, slot: number): void {
    const before = this.#slots.get(slot);
    worker.slot = slot;
    worker.generation = before ? before.generation + 1 : 1;
    this.#slots.set(slot, worker);
    this.#tell('worker.spawn', worker, worker.spawnedAtMs);
    if (worker.onlineAtMs !== null) this.#tell('worker.online', worker, worker.onlineAtMs);
    if (worker.listeningAtMs !== null) this.#tell('worker.listening', worker, worker.listeningAtMs);
  }

  #tell(type: 'worker.spawn' | 'worker.online' | 'worker.listening', worker: Worker, atMs: number): void {
    const entry: JournalEntry = {
      type,
      slot: worker.slot ?? 0,
      generation: worker.generation,
      pid: worker.pid,
    };
    this.#record(entry, atMs);
  }

  /** A standby will take the empty slot, and the one that is started now the standby's place. */
  #standbysAlive(newcomer: Worker): boolean {
    return this.#keepsStandbys || this.alive().some((worker) => worker.slot === null && worker !== newcomer);
  }

  /** A worker that was started right after an exit is for that slot; any other for the one that is empty longest. */
  #takeEmpty(spawnedAtMs: number): number | undefined {
    const index = this.#empty.findLastIndex(({ sinceMs }) => {
      const laterMs = spawnedAtMs - sinceMs;
      return laterMs >= 0 && laterMs <= ANSWERS_EXIT_MS;
    });
    const [taken] = this.#empty.splice(Math.max(0, index), 1);
    return taken?.slot;
  }

  #slotUnderFault(): number | undefined {
    return this.slots().find((worker) => !worker.exited && this.#expected.has(worker.pid))?.slot ?? undefined;
  }

  #nextSlot(): number {
    return this.#givenUp.shift() ?? Math.max(0, ...this.#slots.keys()) + 1;
  }
}
