import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** /proc counts CPU time in ticks of 1/100 s (USER_HZ, the same on every Linux). */
const TICK_MS = 10;
/** PF_EXITING of the kernel's `task_struct`: it runs its own end. */
const EXITING = 0x4;
/** The bit of signal 9 in a mask of pending signals. */
const SIGKILL_PENDING = 1 << 8;

/** A process, as the kernel's table has it: /proc/pid/stat, see proc(5). */
export interface ProcessRow {
  /** R, S, D, T, Z, ... */
  readonly state: string;
  /** In clock ticks since boot: with the pid, it names a process for good. */
  readonly startTime: string;
  readonly cpuMs: number;
  /** None of its code runs any more. The parent is told only when the kernel has cleared it away, often 10 ms later. */
  readonly isDying: boolean;
}

/** Null for a process that is gone, and where there is no /proc. Takes some 20 µs. */
export function readProcess(pid: number): ProcessRow | null {
  try {
    return parse(readFileSync(statFile(pid), 'latin1'));
  } catch {
    return null;
  }
}

/** A process that is read again and again: with its file kept open, that takes a third of the time. */
export class ProcessFile {
  readonly #fd: number | null;
  readonly #buffer = Buffer.allocUnsafe(1024);

  constructor(pid: number) {
    this.#fd = open(statFile(pid));
  }

  /** Null once it is gone (what has its pid by then is another), without /proc, and when too many files were open. */
  read(): ProcessRow | null {
    if (this.#fd === null) return null;
    try {
      const bytes = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0);
      return parse(this.#buffer.toString('latin1', 0, bytes));
    } catch {
      return null;
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
  }
}

function open(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

function statFile(pid: number): string {
  return `/proc/${pid}/stat`;
}

function parse(stat: string): ProcessRow {
  // The command's name may hold blanks and parentheses: the fields begin after its last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (index: number): number => Number(fields[index]);
  const state = fields[0] ?? '';
  return {
    state,
    startTime: fields[19] ?? '',
    cpuMs: (field(11) + field(12)) * TICK_MS,
    isDying:
      state === 'Z' || state === 'X' || (field(6) & EXITING) !== 0 || (field(28) & SIGKILL_PENDING) !== 0,
  };
}
