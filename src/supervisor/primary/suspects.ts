import type { WorkerState } from '../policy/model.ts';
import { nowMs } from './now.ts';
import { readProcess } from './process-table.ts';

/** Often enough for a worker that is judged after a second, and some 30 µs each. */
const LOOK_EVERY_MS = 100;
/** A busy loop that has a core to itself uses all of its time; one that gets less than half of it has to wait for others. */
const STARVED_SHARE_MAX = 0.5;
/** One that got this much since it fell silent had time enough to say a word: it does something else with it. */
const STARVED_CPU_MAX_MS = 250;

interface Look {
  readonly state: string;
  readonly cpuMs: number;
  readonly atMs: number;
  /** What `cpuMs` was at the first look since it fell silent. */
  readonly fromCpuMs: number;
}

/**
 * Looks at silent workers in the process table, and tells those that hang from those that the machine does not let run:
 * such a worker is ready to run each time (state R), and has still got little CPU time in between and in all. One that is
 * stopped (T), sleeps (S) or spins is not starved, on however crowded a machine.
 */
export class Suspects {
  readonly #workers: () => readonly WorkerState[];
  readonly #pidOf: (worker: number) => number | null;
  readonly #onStarved: (worker: number) => void;
  #looks = new Map<number, Look>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    workers: () => readonly WorkerState[],
    pidOf: (worker: number) => number | null,
    onStarved: (worker: number) => void,
  ) {
    this.#workers = workers;
    this.#pidOf = pidOf;
    this.#onStarved = onStarved;
  }

  /** Begins to look, and goes on as long as somebody is silent. To be called after every step. */
  watch(): void {
    if (this.#timer !== null || !this.#workers().some(isSuspect)) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#look();
      this.watch();
    }, LOOK_EVERY_MS);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #look(): void {
    const before = this.#looks;
    // Only who is silent now is remembered: what it used before it fell silent says nothing.
    this.#looks = new Map();
    for (const { id } of this.#workers().filter(isSuspect)) {
      const last = before.get(id);
      const look = lookAt(this.#pidOf(id), last?.fromCpuMs);
      if (look === null) continue;
      this.#looks.set(id, look);
      if (last !== undefined && isStarved(last, look)) this.#onStarved(id);
    }
  }
}

function isSuspect({ suspect }: WorkerState): boolean {
  return suspect;
}

function isStarved(last: Look, now: Look): boolean {
  const isShort = now.cpuMs - last.cpuMs < (now.atMs - last.atMs) * STARVED_SHARE_MAX;
  return now.state === 'R' && isShort && now.cpuMs - now.fromCpuMs < STARVED_CPU_MAX_MS;
}

/** Null for one that is gone meanwhile: its exit says the rest. */
function lookAt(pid: number | null, fromCpuMs?: number): Look | null {
  const row = pid === null ? null : readProcess(pid);
  if (row === null) return null;
  const { state, cpuMs } = row;
  return { state, cpuMs, atMs: nowMs(), fromCpuMs: fromCpuMs ?? cpuMs };
}
