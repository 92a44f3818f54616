import { readFileSync } from 'node:fs';
import type { WorkerState } from '../policy/model.ts';
import { nowMs } from './now.ts';

/** Often enough for a worker that is judged after a second, and some 30 µs each. */
const LOOK_EVERY_MS = 100;
/** A busy loop that has a core to itself uses all of its time; one that gets less than half of it has to wait for others. */
const STARVED_SHARE_MAX = 0.5;
/** /proc counts CPU time in ticks of 1/100 s (USER_HZ, the same on every Linux). */
const TICK_MS = 10;

interface Look {
  readonly state: string;
  readonly cpuMs: number;
  readonly atMs: number;
}

/**
 * Looks at silent workers in the process table, and tells those that hang from those that the machine does not let run:
 * such a worker is ready to run each time (state R), and has still got little CPU time in between. One that is stopped
 * (T), sleeps (S) or spins on a core is not starved.
 */
export class Suspects {
  readonly #suspects: () => readonly WorkerState[];
  readonly #pidOf: (worker: number) => number | null;
  readonly #onStarved: (worker: number) => void;
  #looks = new Map<number, Look>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    suspects: () => readonly WorkerState[],
    pidOf: (worker: number) => number | null,
    onStarved: (worker: number) => void,
  ) {
    this.#suspects = suspects;
    this.#pidOf = pidOf;
    this.#onStarved = onStarved;
  }

  /** Begins to look, and goes on as long as somebody is silent. To be called after every step. */
  watch(): void {
    if (this.#timer !== null || this.#suspects().length === 0) return;
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
    for (const { id } of this.#suspects()) {
      const look = lookAt(this.#pidOf(id));
      if (look === null) continue;
      this.#looks.set(id, look);
      const last = before.get(id);
      if (last !== undefined && isStarved(last, look)) this.#onStarved(id);
    }
  }
}

function isStarved(last: Look, now: Look): boolean {
  return now.state === 'R' && now.cpuMs - last.cpuMs < (now.atMs - last.atMs) * STARVED_SHARE_MAX;
}

/** State and CPU time of a process: fields 3, 14 and 15 of /proc/pid/stat (proc(5)); null for one that is gone. */
function lookAt(pid: number | null): Look | null {
  if (pid === null) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    return { state: fields[0] ?? '', cpuMs, atMs: nowMs() };
  } catch {
    // Gone meanwhile: its exit says the rest.
    return null;
  }
}
